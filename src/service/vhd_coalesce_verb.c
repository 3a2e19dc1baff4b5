// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include <inttypes.h>

#include "file_coalesce.h"

enum { BATCH_AT_LEAST = 1024 * 1024, BATCH_AT_MOST = 32 * 1024 * 1024, NAP_NS = 50 * 1000 * 1000 };

/* ---- coalesce ---- */

static const struct param coalesce_params[] = {
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "CHILD",
         .help = "The VHD that is emptied. Nobody else may have it open, nor what it is moved into."},
        {.name = "into",
         .kind = PARAM_PATH,
         .shown = "ANCESTOR",
         .help = "A VHD or raw file further down: all between is emptied too, in one pass. The parent where "
                 "not given."},
        {.name = "limit",
         .kind = PARAM_SIZE,
         .help = "Bytes a second that are moved at most, over time; no limit where not given."},
        {.name = "force",
         .kind = PARAM_FLAG,
         .help = "Takes VHDs in the same folders that cannot be read for nobody's children."},
        {0},
};

static const struct field coalesce_fields[] = {
        {"child", FIELD_TEXT, "what was emptied", false},
        {"parent", FIELD_TEXT, "what holds it now", false},
        {"layers", FIELD_NUMBER, "files of the run, both counted", false},
        {"bytes_moved", FIELD_SIZE, "bytes of data, this time", false},
        {"grown", FIELD_NUMBER, "how many files had to be made as large as the child first", true},
        {"resumed", FIELD_BOOL, "whether an earlier one had been interrupted", true},
        {"seconds", FIELD_NUMBER, "how long it took", true},
        {"next", FIELD_TEXT, "what may be done with the child now", false},
        {"warnings", FIELD_OBJECT, "what could not be looked at, as text", true},
        {0},
};

static void warn(json_t *warnings, const struct file_coalesce_run *run) {
        AUTO(buf_fini) struct buf text = {0};

        if (run->is_blind)
                buf_print(&text, "/proc cannot be read: programs that take no lock may have had a file open");
        else if (run->n_unseen > 0)
                buf_print(&text,
                          "%u processes of other users could not be looked at: they may have had a file open",
                          run->n_unseen);
        if (text.n > 0)
                json_array_append_new(warnings, json_of_text(buf_text(&text)));
}

static uint64_t batch_of(uint64_t limit) {
        return limit ? min_u64(max_u64(limit, BATCH_AT_LEAST), BATCH_AT_MOST) : 0;
}

/* Until what was moved is no more than the limit lets through. */
static enum err wait_for_limit(struct verb_call *call, uint64_t done, struct err_note *note) {
        struct progress *progress = call->progress;
        uint64_t limit = call_number(call, "limit");
        double due_ns = limit ? (double)done * 1e9 / (double)limit : 0;

        while ((double)(io_now_ns(call->io) - progress->began_ns) < due_ns) {
                if (progress_step(progress, done, note))
                        return note->code;
                io_sleep_ns(call->io, NAP_NS);
        }
        return ERR_NONE;
}

/* It can be told to stop between two batches. */
static enum err move(struct verb_call *call, struct file_coalesce *c, struct file_coalesce_run *ret,
                     struct err_note *note) {
        bool is_done = false;

        while (!is_done) {
                if (file_coalesce_may_stop(c) && (wait_for_limit(call, ret->bytes_done, note) ||
                                                  progress_step(call->progress, ret->bytes_done, note)))
                        return note->code;
                if (file_coalesce_step(c, &is_done, note))
                        return note->code;
                file_coalesce_look(c, ret);
                call->progress->total = ret->bytes_total;
        }
        return progress_step(call->progress, ret->bytes_done, note);
}

static void put_result(struct verb_call *call, const struct file_coalesce_run *run) {
        const struct progress *progress = call->progress;

        call_put(call, "child", json_of_text(run->child));
        call_put(call, "parent", json_of_text(run->target));
        call_put(call, "layers", json_integer((json_int_t)run->n));
        call_put(call, "bytes_moved", json_of_u64(run->bytes_done));
        call_put(call, "grown", json_integer(run->n_grown));
        call_put(call, "resumed", json_boolean(run->is_resumed));
        call_put(call, "seconds", json_real((double)(progress->now_ns - progress->began_ns) / 1e9));
        call_put(call, "next",
                 json_string("it is empty, and reads as before: write to it, or remove it and use what holds "
                             "it now"));
}

static enum err run_coalesce(struct verb_call *call, struct err_note *note) {
        AUTO(file_coalesce_free) struct file_coalesce *c = NULL;
        struct file_coalesce_options options = {.target = call_text(call, "into"),
                                                .batch_bytes = batch_of(call_number(call, "limit")),
                                                .ignores_unreadable = call_flag(call, "force")};
        json_t *warnings = json_array();
        struct file_coalesce_run run;

        call_put(call, "warnings", warnings);
        if (file_coalesce_begin(call->io, call_text(call, "file"), &options, &c, note))
                return note->code;
        file_coalesce_look(c, &run);
        warn(warnings, &run);
        progress_begin(call->progress, "coalesce", run.bytes_total);
        if (move(call, c, &run, note))
                return note->code;
        progress_end(call->progress);
        put_result(call, &run);
        return ERR_NONE;
}

const struct verb vhd_coalesce_verb = {
        .name = "coalesce",
        .summary = "Moves what a VHD holds down into its parent.",
        .details =
                "In place, and in one pass through all files down to --into. The child stays: empty, over "
                "the same parent, and it reads the same bytes as before at every instant. What it is moved "
                "into, and what lies between, changes: it reads as the child does afterwards. So nothing is "
                "done where another VHD in the same folders names one of these as its parent, or where "
                "anybody has one of the files open. A parent that is smaller is grown first; one that is "
                "larger is refused.\n"
                "Interrupted at any point, it goes on when it is run again. Until it is done a file beside "
                "the child, named '.CHILD.coalesce', says so. For the files of an SR there is 'catena gc'.",
        .params = coalesce_params,
        .shape = SHAPE_RECORD,
        .fields = coalesce_fields,
        .run = run_coalesce,
};
