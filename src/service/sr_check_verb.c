// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "findings_json.h"
#include "sr_call.h"
#include "sr_check.h"
#include "sr_verbs.h"

static const struct param check_params[] = {
        SR_POSITIONAL,
        {.name = "bitmaps",
         .kind = PARAM_FLAG,
         .help = "Looks at the bitmap of each block too: a read for each."},
        {0},
};

static const struct field check_fields[] = {
        {"file", FIELD_TEXT, "of the SR, or \"catalog\"", false},
        {"uuid", FIELD_UUID, "of the node; null: of the SR", false},
        {"summary", FIELD_TEXT, "how many errors and warnings", false},
        {"findings", FIELD_OBJECT,
         "each with severity (error, warning), part, at (offset), text, repairable, repair", false},
        {0},
};

static bool show(void *user, uint64_t done, uint64_t total) {
        struct progress *progress = user;
        struct err_note ignored;

        progress->total = total;
        return progress_step(progress, done, &ignored) == ERR_NONE;
}

/* Findings of one file come one after the other: the last row, or a new one. */
static json_t *row_of(json_t *rows, const struct sr_finding *finding) {
        json_t *last = json_array_get(rows, json_array_size(rows) - 1);

        if (last && strcmp(json_string_value(json_object_get(last, "file")), finding->name) == 0)
                return last;
        last = json_pack("{s:o, s:o, s:[], s:i, s:i}", "file", json_of_text(finding->name), "uuid",
                         sr_json_of_uuid(&finding->uuid), "findings", "errors", 0, "warnings", 0);
        json_array_append_new(rows, last);
        return last;
}

static void count(json_t *row, const char *key) {
        json_object_set_new(row, key, json_integer(json_integer_value(json_object_get(row, key)) + 1));
}

static void put_findings(struct verb_call *call, struct sr *sr, struct sr_findings *findings) {
        AUTO(buf_fini) struct buf all = {0};
        json_t *rows = json_array(), *row;
        size_t i;

        VEC_EACH (&findings->list, finding) {
                row = row_of(rows, finding);
                json_array_append_new(json_object_get(row, "findings"), findings_json_of(&finding->finding));
                count(row, finding->finding.severity == FINDING_ERROR ? "errors" : "warnings");
        }
        json_array_foreach(rows, i, row) {
                AUTO(buf_fini) struct buf summary = {0};

                findings_summarise((uint64_t)json_integer_value(json_object_get(row, "errors")),
                                   (uint64_t)json_integer_value(json_object_get(row, "warnings")), UINT64_MAX,
                                   &summary);
                json_object_set_new(row, "summary", json_of_text(buf_text(&summary)));
        }
        findings_add_count(&all, findings->n_files, "file");
        buf_print(&all, ", ");
        findings_summarise(findings->n_errors, findings->n_warnings, findings->list.n, &all);
        json_array_append_new(
                rows, json_pack("{s:o, s:o, s:[], s:I, s:I, s:o}", "file", json_of_text(sr_where(sr)), "uuid",
                                json_null(), "findings", "errors", (json_int_t)findings->n_errors, "warnings",
                                (json_int_t)findings->n_warnings, "summary", json_of_text(buf_text(&all))));
        call_put(call, "files", rows);
        call_put(call, "errors", json_of_u64(findings->n_errors));
        call_put(call, "warnings", json_of_u64(findings->n_warnings));
}

static enum err run_check(struct verb_call *call, struct err_note *note) {
        struct sr *sr;
        AUTO(sr_findings_fini) struct sr_findings findings = {0};

        if (sr_call_open(call, SR_READ_ONLY, &sr, note))
                return note->code;
        progress_begin(call->progress, "check", 0);
        if (sr_check(sr, call_flag(call, "bitmaps") ? VHD_CHECK_BITMAPS : 0, show, call->progress, &findings,
                     note))
                return err_wrap(note, "check SR %s", sr_where(sr));
        progress_end(call->progress);
        put_findings(call, sr, &findings);
        if (findings.n_errors)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb sr_check_verb = {
        .name = "check",
        .summary = "Looks for damage in all of an SR.",
        .details = "Every file, the trees, and the catalog against both; changes nothing. Exits with 4 where "
                   "there are "
                   "errors. The last row is of the SR as a whole.",
        .params = check_params,
        .shape = SHAPE_FINDINGS,
        .rows = "files",
        .fields = check_fields,
        .run = run_check,
};
