// SPDX-License-Identifier: Apache-2.0
/* What leaves a vault: prune, forget; and check, which is quick. */
#include <string.h>

#include "prune.h"
#include "text.h"
#include "vault_call.h"
#include "vault_check.h"
#include "vault_verbs.h"

/* ---- prune ---- */

enum { FILL = 50, GRACE_SECONDS = 900 };

static const struct param prune_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "keep-last",
         .kind = PARAM_NUMBER,
         .shown = "N",
         .help = "Of each name the newest N points stay and older ones go. Without it no point goes."},
        {.name = "name", .kind = PARAM_TEXT, .help = "The rule is for points of this name alone."},
        {.name = "grace",
         .kind = PARAM_TEXT,
         .shown = "TIME",
         .help = "How long a run that does not say that it goes on is waited for: 900s unless said; 0s takes "
                 "the runs that are at work for dead, and they begin again."},
        {.name = "dry-run", .kind = PARAM_FLAG, .help = "Only says what would go, and why."},
        {0},
};
static const struct field prune_fields[] = {
        {"let_go", FIELD_NUMBER, "points", false},
        {"removed", FIELD_NUMBER, "packs", false},
        {"removed_bytes", FIELD_SIZE, "their bytes", false},
        {"repacked", FIELD_NUMBER, "packs of which what is needed was copied", false},
        {"kept", FIELD_NUMBER, "packs that somebody came to need meanwhile", true},
        {"broken", FIELD_NUMBER, "runs that were taken for dead", true},
        {"unfinished", FIELD_NUMBER, "points that would never have counted, removed", true},
        {"left", FIELD_NUMBER, "packs", false},
        {"left_bytes", FIELD_SIZE, "their bytes", false},
        {"damaged", FIELD_NUMBER, "packs that nobody can read", true},
        {"points", FIELD_OBJECT, "point, name, time, goes, why of each", true},
        {"packs", FIELD_OBJECT, "pack, bytes, needed, why of each that goes", true},
        {0},
};

static enum err take_grace(struct verb_call *call, uint64_t *ret_ns, struct err_note *note) {
        const char *text = call_text(call, "grace");
        uint64_t seconds = GRACE_SECONDS;

        if (text && !text_parse_seconds(text, &seconds))
                return call_usage(call, note, "--grace wants a time, such as 90s or 15m, not '%s'", text);
        *ret_ns = seconds * 1000000000;
        return ERR_NONE;
}

static json_t *json_of_points(const struct prune_report *report) {
        json_t *rows = json_array();

        VEC_EACH (&report->points, each)
                json_array_append_new(rows,
                                      json_pack("{s:s, s:s, s:s, s:b, s:s}", "point",
                                                vault_name_format(&each->point).s, "name", each->name, "time",
                                                text_time(each->time).s, "goes", each->why == KEEP_NOT, "why",
                                                keep_why_text(each->why)));
        return rows;
}

static json_t *json_of_packs(const struct prune_report *report) {
        json_t *rows = json_array();

        VEC_EACH (&report->packs, each)
                if (!each->is_kept)
                        json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:s}", "pack",
                                                              vault_name_format(&each->pack).s, "bytes",
                                                              (json_int_t)each->length, "needed",
                                                              (json_int_t)each->needed, "why",
                                                              prune_why_text(each->why)));
        return rows;
}

/* Of a dry run: what would be removed. */
static void count_dry(const struct prune_report *report, uint64_t *n, uint64_t *bytes, uint64_t *n_sparse) {
        VEC_EACH (&report->packs, each) {
                bool is_sparse = each->why == PRUNE_SPARSE;

                *n_sparse += is_sparse;
                *n += !is_sparse && each->length > 0;
                *bytes += is_sparse ? 0 : each->length;
        }
}

static void tell(struct verb_call *call, const struct prune_report *report) {
        uint64_t n = report->n_removed, bytes = report->removed, n_repacked = report->n_repacked;
        uint64_t n_left = report->n_left, left = report->left;

        if (call_flag(call, "dry-run")) {
                count_dry(report, &n, &bytes, &n_repacked);
                n_left -= n;
                left -= bytes;
        }
        call_put(call, "let_go", json_of_u64(report->n_let_go));
        call_put(call, "removed", json_of_u64(n));
        call_put(call, "removed_bytes", json_of_u64(bytes));
        call_put(call, "repacked", json_of_u64(n_repacked));
        call_put(call, "kept", json_of_u64(report->n_kept));
        call_put(call, "broken", json_of_u64(report->n_broken));
        call_put(call, "unfinished", json_of_u64(report->n_unsealed));
        call_put(call, "left", json_of_u64(n_left));
        call_put(call, "left_bytes", json_of_u64(left));
        call_put(call, "damaged", json_of_u64(report->n_damaged));
        call_put(call, "points", json_of_points(report));
        call_put(call, "packs", json_of_packs(report));
}

static enum err tick(void *user, struct err_note *note) {
        return progress_step(user, 0, note);
}

static enum err prune_all(struct verb_call *call, struct vault *vault, struct prune_options *options,
                          struct err_note *note) {
        AUTO(prune_free) struct prune *prune = NULL;
        bool is_over = false;

        progress_begin(call->progress, "prune", 0);
        options->tick = tick;
        options->user = call->progress;
        if (prune_begin(vault, options, &prune, note))
                return note->code;
        while (!is_over)
                if (prune_step(prune, &is_over, note))
                        return note->code;
        progress_end(call->progress);
        tell(call, prune_report(prune));
        return ERR_NONE;
}

static enum err run_prune(struct verb_call *call, struct err_note *note) {
        struct prune_options options = {
                .keep = {.last = (unsigned)call_number(call, "keep-last"), .name = call_text(call, "name")},
                .fill = FILL,
                .is_dry = call_flag(call, "dry-run")};
        AUTO(vault_close) struct vault *vault = NULL;

        if (call_number(call, "keep-last") > 1000000 ||
            (call_has(call, "keep-last") && call_number(call, "keep-last") == 0))
                return call_usage(call, note, "--keep-last wants a number from 1 to 1000000");
        if (take_grace(call, &options.grace_ns, note))
                return note->code;
        if (vault_call_open(call, &vault, note) || prune_all(call, vault, &options, note))
                return err_wrap(note, "prune vault %s", call_text(call, "vault"));
        return ERR_NONE;
}

const struct verb vault_prune_verb = {
        .name = "prune",
        .summary = "Lets old points go, and removes what no point needs.",
        .details =
                "Others may write to the vault, read it and prune it meanwhile. It waits for runs that are "
                "at work. It needs an admin's key; it may be stopped at any time, and the next one goes on.",
        .params = prune_params,
        .shape = SHAPE_RECORD,
        .fields = prune_fields,
        .run = run_prune,
        .is_local = true,
};

/* ---- forget ---- */

static const struct param forget_params[] = {VAULT_PARAM, KEY_PARAMS, POINT_PARAM(POINT_HELP), {0}};
static const struct field forget_fields[] = {
        {"point", FIELD_TEXT, "its id", false},
        {"name", FIELD_TEXT, "of what", false},
        {0},
};

static enum err run_forget(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(point_fini) struct point point = {0};

        if (vault_call_open(call, &vault, note) ||
            points_find(vault, call_text(call, "point"), NULL, &point, note) ||
            prune_forget(vault, &point.name, "by hand", note))
                return err_wrap(note, "forget point %s", call_text(call, "point"));
        call_put(call, "point", json_string(vault_name_format(&point.name).s));
        call_put(call, "name", json_of_text(point.manifest.name));
        return ERR_NONE;
}

const struct verb vault_forget_verb = {
        .name = "forget",
        .summary = "Lets one point go, whatever a rule says.",
        .details = "What it alone needs goes with the next prune.",
        .params = forget_params,
        .shape = SHAPE_RECORD,
        .fields = forget_fields,
        .run = run_forget,
        .is_local = true,
};

/* ---- check ---- */

static const struct param check_params[] = {VAULT_PARAM, KEY_PARAMS, {0}};
static const struct field check_fields[] = {
        {"points", FIELD_NUMBER, "that count", false},
        {"unsealed", FIELD_NUMBER, "that do not: at work, or left by a run that died", false},
        {"packs", FIELD_NUMBER, "listed", false},
        {"bytes", FIELD_SIZE, "their bytes", false},
        {"findings", FIELD_OBJECT, "object and what is wrong with it", true},
        {0},
};

static enum err run_check(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(vault_check_fini) struct vault_check check = {0};
        json_t *rows;

        if (vault_call_open(call, &vault, note) || vault_check(vault, &check, note))
                return err_wrap(note, "check vault %s", call_text(call, "vault"));
        rows = json_array();
        VEC_EACH (&check.findings, each)
                json_array_append_new(rows,
                                      json_pack("{s:s, s:s}", "object", each->object, "text", each->text));
        call_put(call, "points", json_of_u64(check.n_points));
        call_put(call, "unsealed", json_of_u64(check.n_unsealed));
        call_put(call, "packs", json_of_u64(check.n_packs));
        call_put(call, "bytes", json_of_u64(check.bytes));
        if (check.findings.n > 0)
                call->outcome = VERB_FINDINGS;
        call_put(call, "findings", rows);
        return ERR_NONE;
}

const struct verb vault_check_verb = {
        .name = "check",
        .summary = "Checks quickly that a vault's objects, seals and indexes agree.",
        .details = "Content is not read: that is what verify is for.",
        .params = check_params,
        .shape = SHAPE_RECORD,
        .fields = check_fields,
        .run = run_check,
        .is_local = true,
};
