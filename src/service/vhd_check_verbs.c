// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include <inttypes.h>

#include "buf.h"
#include "file_intent.h"
#include "findings_json.h"
#include "vhd_check.h"
#include "vhd_resize_file.h"

/* ---- check ---- */

static const struct param check_params[] = {
        FILES_PARAM("The VHDs to check."),
        {.name = "bitmaps",
         .kind = PARAM_FLAG,
         .help = "Looks at the bitmap of each block too: a read for each."},
        {.name = "no-parent",
         .kind = PARAM_FLAG,
         .help = "Does not look whether the parent is there and the right one."},
        {0},
};

static const struct field findings_fields[] = {
        {"file", FIELD_TEXT, "as it was given", false},
        {"valid", FIELD_BOOL, "there are no errors; warnings are allowed", false},
        {"summary", FIELD_TEXT, "the same in words", false},
        {"errors", FIELD_NUMBER, "how many", false},
        {"warnings", FIELD_NUMBER, "how many", false},
        {"blocks", FIELD_NUMBER, "of the disk", false},
        {"blocks_allocated", FIELD_NUMBER, "that the file holds", false},
        {"findings", FIELD_OBJECT,
         "each with severity (error, warning), part, at (offset), text, repairable, repair", false},
        {"error", FIELD_TEXT, "where it could not be looked at: why", false},
        {0},
};

static json_t *json_of_findings(struct findings *findings) {
        json_t *list = json_array();

        VEC_EACH (&findings->list, finding)
                json_array_append_new(list, findings_json_of(finding));
        return list;
}

static json_t *json_of_checked(const char *path, struct findings *findings, const char *summary) {
        return json_pack("{s:o, s:b, s:s, s:I, s:I, s:I, s:I, s:o}", "file", json_of_text(path), "valid",
                         (int)(findings->n_errors == 0), "summary", summary, "errors",
                         (json_int_t)findings->n_errors, "warnings", (json_int_t)findings->n_warnings,
                         "blocks", (json_int_t)findings->n_blocks, "blocks_allocated",
                         (json_int_t)findings->n_allocated, "findings", json_of_findings(findings));
}

static enum err check_coalesce(struct io *io, const char *path, struct findings *findings,
                               struct err_note *note) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        AUTO_FREE char *command = NULL;
        bool is_found;

        if (file_intent_find(io, path, &is_found, &intent, note))
                return note->code;
        if (!is_found)
                return ERR_NONE;
        command = file_intent_command(&intent);
        findings_add(findings, FINDING_WARNING, "coalesce", 0, "",
                     "part of a coalesce that is not done: '%s' ends it", command);
        findings_sort(findings);
        return ERR_NONE;
}

static enum err check_one(struct verb_call *call, const char *path, json_t *files, struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        AUTO(buf_fini) struct buf summary = {0};
        unsigned flags = (call_flag(call, "bitmaps") ? VHD_CHECK_BITMAPS : 0) |
                         (call_flag(call, "no-parent") ? 0 : VHD_CHECK_PARENT);

        if (vhd_check(call->io, path, flags, &findings, note) ||
            check_coalesce(call->io, path, &findings, note))
                return err_wrap(note, "check %s", path);
        findings_summarise(findings.n_errors, findings.n_warnings, findings.list.n, &summary);
        json_array_append_new(files, json_of_checked(path, &findings, buf_text(&summary)));
        if (findings.n_errors && call->outcome == VERB_DONE)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

static enum err run_check(struct verb_call *call, struct err_note *note) {
        const json_t *list = call_list(call, "files");
        json_t *files = json_array(), *each;
        size_t i;

        call_put(call, "files", files);
        json_array_foreach(list, i, each) {
                const char *path = json_string_value(each);
                enum err failed = check_one(call, path, files, note);

                if (failed && json_array_size(list) == 1)
                        return failed;
                if (!failed)
                        continue;
                call->outcome = VERB_PARTIAL;
                json_array_append_new(files,
                                      json_pack("{s:o, s:b, s:o, s:o, s:[]}", "file", json_of_text(path),
                                                "valid", 0, "summary", json_of_text(note->text), "error",
                                                json_of_text(note->text), "findings"));
        }
        return ERR_NONE;
}

const struct verb vhd_check_verb = {
        .name = "check",
        .summary = "Looks for damage.",
        .details = "Checks footers, header, BAT, batmap and locators against each other and against the "
                   "file, and whether the parent is there and the right one; changes nothing. Exits with 4 "
                   "where there are errors; warnings alone leave it 0. Of several files, those that cannot "
                   "be looked at make it 3.",
        .params = check_params,
        .shape = SHAPE_FINDINGS,
        .rows = "files",
        .fields = findings_fields,
        .run = run_check,
};

/* ---- repair ---- */

static const struct param repair_params[] = {
        FILE_PARAM("The VHD to repair."),
        {.name = "yes",
         .kind = PARAM_FLAG,
         .help = "Does it. Without this it is only shown what would be done."},
        {.name = "parent",
         .kind = PARAM_PATH,
         .help = "The parent, from which locators and name are made anew where they are damaged."},
        {0},
};

static void repair_summary(const struct findings *findings, uint64_t n_repairable, bool is_done,
                           struct buf *ret) {
        uint64_t n_rest = findings->n_errors + findings->n_warnings - n_repairable;

        if (n_repairable == 0)
                buf_print(ret, "nothing to repair");
        else if (is_done)
                findings_add_count(ret, n_repairable, "repair");
        else
                findings_add_count(ret, n_repairable, "repair");
        if (n_repairable)
                buf_print(ret, is_done ? " done" : " possible; --yes does it");
        if (n_rest) {
                buf_print(ret, ", ");
                findings_add_count(ret, n_rest, "finding");
                buf_print(ret, " that cannot be repaired");
        }
}

static enum err run_repair(struct verb_call *call, struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        AUTO(buf_fini) struct buf summary = {0};
        const char *path = call_text(call, "file");
        bool is_dry_run = !call_flag(call, "yes");
        uint64_t n_repairable = 0;
        json_t *files = json_array();

        call_put(call, "files", files);
        if (!is_dry_run && vhd_resize_file_recover(call->io, path, note))
                return err_wrap(note, "repair %s", path);
        if (vhd_repair(call->io, path, call_text(call, "parent"), is_dry_run, &findings, note))
                return err_wrap(note, "repair %s", path);
        VEC_EACH (&findings.list, finding)
                n_repairable += finding->is_repairable;
        repair_summary(&findings, n_repairable, !is_dry_run, &summary);
        json_array_append_new(files, json_of_checked(path, &findings, buf_text(&summary)));
        if (is_dry_run ? findings.list.n > 0 : findings.n_errors + findings.n_warnings > n_repairable)
                call->outcome = VERB_FINDINGS;
        return ERR_NONE;
}

const struct verb vhd_repair_verb = {
        .name = "repair",
        .summary = "Shows what can be repaired and, with --yes, repairs it.",
        .details = "Footers are made from one another, the batmap from the bitmaps, locators from the "
                   "parent; BAT entries past the end of the file are dropped, since what they named is lost "
                   "already. Never asks: without --yes nothing is changed. Exits with 4 where something is "
                   "left to be repaired, or cannot be.",
        .params = repair_params,
        .shape = SHAPE_FINDINGS,
        .rows = "files",
        .fields = findings_fields,
        .run = run_repair,
};
