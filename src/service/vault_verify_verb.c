// SPDX-License-Identifier: Apache-2.0
/* Whether a vault still has what was put into it. */
#include <string.h>

#include "mem.h"
#include "registry.h"
#include "vault_call.h"
#include "vault_repair.h"
#include "vault_verbs.h"
#include "verify.h"

static const struct param verify_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "level",
         .kind = PARAM_CHOICE,
         .choices = "tags|content|tree",
         .help = "Only this: tags, that each pack is as it was stored; content, besides, that what is in it "
                 "has its id; tree, that all that points need is there. Where not given: all three."},
        {.name = "new", .kind = PARAM_FLAG, .help = "Reads only packs that were never read."},
        {.name = "percent",
         .kind = PARAM_NUMBER,
         .shown = "N",
         .help = "Reads only so much of the packs, in percent of their bytes: those longest unread."},
        {.name = "restart",
         .kind = PARAM_FLAG,
         .help = "Begins with the first pack, even where the last run was interrupted."},
        {.name = "no-record",
         .kind = PARAM_FLAG,
         .help = "Does not record in the vault what is damaged: only looks."},
        {.name = "repair-from",
         .kind = PARAM_PATH,
         .shown = "FROM",
         .help = "Takes what is damaged from there, where it has it still, and stores it anew: another vault "
                 "with the point or its copy, a directory with files of the disks' names, such as an SR, or "
                 "one file."},
        {.name = "repair-key-file",
         .kind = PARAM_PATH,
         .shown = "KEY",
         .help = "Opens that vault, where it is not by the first one's key."},
        {.name = "repair-plain", .kind = PARAM_FLAG, .help = "That vault is not encrypted."},
        {0},
};

static const struct field verify_fields[] = {
        {"what", FIELD_TEXT, "object, pack, blob, or disk: a range of a point's disk that cannot be read",
         false},
        {"object", FIELD_TEXT, "its name in the vault", false},
        {"name", FIELD_TEXT, "of a disk: of what the point is; else null", false},
        {"disk", FIELD_TEXT, "its name; else null", false},
        {"offset", FIELD_NUMBER, "of the range in the disk, of the blob in the pack; else null", false},
        {"length", FIELD_SIZE, "likewise", false},
        {"point", FIELD_TEXT, "of a disk: the point's id; else null", true},
        {"blob", FIELD_NUMBER, "of a blob: its number in the pack; else null", true},
        {"id", FIELD_TEXT, "of a blob: of its content; else null", true},
        {"text", FIELD_TEXT, "what is wrong", false},
        {0},
};

static json_t *json_of_finding(const struct verify_finding *finding) {
        bool is_disk = finding->what == VERIFY_IN_DISK, is_blob = finding->what == VERIFY_IN_BLOB;
        json_t *row = json_object();

        json_object_set_new(row, "what", json_string(verify_what_text(finding->what)));
        json_object_set_new(row, "object", json_of_text(finding->object));
        json_object_set_new(row, "name", json_of_text(finding->of));
        json_object_set_new(row, "disk", json_of_text(finding->disk));
        json_object_set_new(row, "offset", is_disk || is_blob ? json_of_u64(finding->at) : json_null());
        json_object_set_new(row, "length", is_disk || is_blob ? json_of_u64(finding->n) : json_null());
        json_object_set_new(row, "point",
                            is_disk ? json_string(vault_name_format(&finding->point).s) : json_null());
        json_object_set_new(row, "blob", is_blob ? json_integer(finding->blob.number) : json_null());
        json_object_set_new(row, "id", is_blob ? json_string(vault_id_format(&finding->id).s) : json_null());
        json_object_set_new(row, "text", json_of_text(finding->text));
        return row;
}

static void put_report(struct verb_call *call, const struct verify_report *report) {
        json_t *rows = json_array();

        VEC_EACH (&report->findings, each)
                json_array_append_new(rows, json_of_finding(each));
        call_put(call, "findings", rows);
        call_put(call, "packs", json_of_u64(report->n_packs));
        call_put(call, "bytes", json_of_u64(report->n_bytes));
        call_put(call, "packs_read", json_of_u64(report->n_packs_read));
        call_put(call, "bytes_read", json_of_u64(report->n_bytes_read));
        call_put(call, "blobs_read", json_of_u64(report->n_blobs_read));
        call_put(call, "packs_without_index", json_of_u64(report->n_loose));
        call_put(call, "objects", json_of_u64(report->n_objects));
        call_put(call, "points", json_of_u64(report->n_points));
        call_put(call, "damaged_points", json_of_u64(report->n_damaged_points));
        call_put(call, "resumed", json_boolean(report->has_resumed));
        call_put(call, "recorded", json_boolean(report->has_taint));
}

static void say_summary(struct verb_call *call, const struct verify_report *report) {
        AUTO_FREE char *line = mem_format(
                "%s%llu of %llu packs read, %llu other objects, %llu points walked: %zu findings%s",
                report->has_resumed ? "gone on with: " : "", (unsigned long long)report->n_packs_read,
                (unsigned long long)report->n_packs, (unsigned long long)report->n_objects,
                (unsigned long long)report->n_points, report->findings.n,
                report->has_taint ? "; what is damaged is recorded, and the next put of it stores it anew"
                                  : "");

        progress_say(call->progress, line);
}

static enum err step(void *user, uint64_t done, uint64_t all, struct err_note *note) {
        struct verb_call *call = user;

        call->progress->total = all;
        return progress_step(call->progress, done, note);
}

static unsigned levels_of(const struct verb_call *call) {
        const char *level = call_text(call, "level");

        return !level                          ? VERIFY_ALL_LEVELS
               : strcmp(level, "tags") == 0    ? VERIFY_TAGS
               : strcmp(level, "content") == 0 ? VERIFY_CONTENT
                                               : VERIFY_TREE;
}

static enum err take_options(struct verb_call *call, struct verify_options *ret, struct err_note *note) {
        *ret = (struct verify_options){
                .levels = levels_of(call),
                .which = call_flag(call, "new")      ? VERIFY_NEW
                         : call_has(call, "percent") ? VERIFY_SHARE
                                                     : VERIFY_ALL,
                .percent = (unsigned)min_u64(call_number(call, "percent"), 101),
                .begins_anew = call_flag(call, "restart"),
                .step = step,
                .user = call,
        };
        if (call_flag(call, "new") && call_has(call, "percent"))
                return call_usage(call, note, "--new and --percent exclude each other");
        if (ret->which == VERIFY_SHARE && (ret->percent < 1 || ret->percent > 100))
                return call_usage(call, note, "--percent is 1 to 100");
        if (ret->which != VERIFY_ALL && ret->levels == VERIFY_TREE)
                return call_usage(call, note, "--level tree reads no packs of which some could be chosen");
        if (ret->which != VERIFY_ALL && !call->state_dir)
                return call_usage(call, note, "without a state directory it is not known what was read");
        return ERR_NONE;
}

/* Where it is recorded when packs were read; NULL: nowhere. */
static enum err make_record(const struct verb_call *call, const struct vault *vault, char **ret,
                            struct err_note *note) {
        AUTO_FREE char *folder = call->state_dir ? mem_format("%s/vault-reads", call->state_dir) : NULL;

        if (folder && registry_make_folders(call->io, folder, note))
                return note->code;
        *ret = folder ? mem_format("%s/%s", folder, vault_name_format(&vault->config.id).s) : NULL;
        return ERR_NONE;
}

static enum err verify_vault(struct verb_call *call, struct vault *vault, struct verify_options *options,
                             struct verify_report *ret, struct err_note *note) {
        AUTO_FREE char *record = NULL;
        enum err err;

        if (make_record(call, vault, &record, note))
                return note->code;
        options->record = record;
        options->records_taint = !call_flag(call, "no-record") && keyring_can_write(vault->keyring);
        progress_begin(call->progress, "verify", 0);
        err = verify(vault, options, ret, note);
        if (!err)
                progress_end(call->progress);
        return err;
}

/* What was stored anew is seen by a vault that is opened anew, and the points are walked once more. */
static enum err repair(struct verb_call *call, struct vault **vault, const struct verify_options *options,
                       struct verify_report *report, struct err_note *note) {
        struct verify_options again = *options;
        uint64_t n_damaged = report->n_damaged_points, stored;
        AUTO_FREE char *line = NULL;

        if (vault_repair(call, *vault, report, &stored, note))
                return note->code;
        vault_close(TAKE(*vault));
        verify_report_fini(report);
        *report = (struct verify_report){0};
        again.levels = VERIFY_TREE;
        if (vault_call_open(call, vault, note) || verify_vault(call, *vault, &again, report, note))
                return note->code;
        line = mem_format("%llu of %llu damaged points are whole again; what is damaged goes with a prune",
                          (unsigned long long)(n_damaged - min_u64(n_damaged, report->n_damaged_points)),
                          (unsigned long long)n_damaged);
        progress_say(call->progress, line);
        call_put(call, "repaired", json_of_u64(n_damaged - min_u64(n_damaged, report->n_damaged_points)));
        call_put(call, "stored", json_of_u64(stored));
        return ERR_NONE;
}

static enum err run_verify(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(verify_report_fini) struct verify_report report = {0};
        struct verify_options options;

        if (take_options(call, &options, note))
                return note->code;
        if (vault_call_open(call, &vault, note) || verify_vault(call, vault, &options, &report, note))
                return err_wrap(note, "verify vault %s", call_text(call, "vault"));
        if (call_has(call, "repair-from") && report.n_damaged_points > 0 &&
            repair(call, &vault, &options, &report, note))
                return err_wrap(note, "repair vault %s", call_text(call, "vault"));
        put_report(call, &report);
        say_summary(call, &report);
        if (report.findings.n)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb vault_verify_verb = {
        .name = "verify",
        .summary = "Reads a vault and proves that what is in it is what was put there.",
        .details =
                "Each pack is read, each tag opened, each chunk decompressed and its id computed anew; then "
                "every point is walked: what it needs is there. Damage is told with the pack and with the "
                "ranges of the disks that need it, and recorded in the vault by whoever may write: from then "
                "on it counts as not there, so that the next put of the same content heals it, and a damaged "
                "point is no parent. Exits with 4 where anything is wrong.\n\n"
                "When packs were read is kept on this machine, for --new and --percent; a run over all that "
                "was interrupted is gone on with by the next.",
        .params = verify_params,
        .shape = SHAPE_TABLE,
        .rows = "findings",
        .fields = verify_fields,
        .run = run_verify,
        .is_local = true,
};
