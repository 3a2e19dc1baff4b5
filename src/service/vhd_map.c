// SPDX-License-Identifier: Apache-2.0
#include "vhd_map.h"

#include <string.h>

#include "verbs.h"

/* A run of one kind, growing as its neighbours join it. */
struct run {
        uint64_t at, n;
        bool is_present;
        struct io_file *file; /* borrowed from the chain; NULL: zeros */
        uint64_t file_at;
        unsigned depth; /* from the top */
};

static bool joins(const struct run *run, const struct run *next) {
        if (run->n == 0 || run->is_present != next->is_present || run->file != next->file)
                return false;
        return !run->file || run->file_at + run->n == next->file_at;
}

static void end_run(const struct chain *chain, const struct run *run, json_t *ret) {
        json_t *row;

        if (run->n == 0)
                return;
        row = json_pack("{s:I, s:I, s:i, s:b, s:b, s:b}", "start", (json_int_t)run->at, "length",
                        (json_int_t)run->n, "depth", (int)run->depth, "present", (int)run->is_present, "zero",
                        (int)!run->file, "data", (int)(run->file != NULL));
        if (run->file) {
                json_object_set_new(row, "offset", json_of_u64(run->file_at));
                json_object_set_new(row, "file", json_of_text(chain_layer(chain, run->depth)->path));
        }
        json_array_append_new(ret, row);
}

static void add(const struct chain *chain, struct run *run, const struct run *next, json_t *ret) {
        if (joins(run, next)) {
                run->n += next->n;
                return;
        }
        end_run(chain, run, ret);
        *run = *next;
}

/* What is held, segment by segment. */
static enum err add_data(struct chain *chain, const struct extent *extent, struct run *run, json_t *ret,
                         struct err_note *note) {
        uint64_t at = extent->at, end = extent->at + extent->n;

        while (at < end) {
                struct chain_segment segment;
                struct chain_hold hold = chain_hold_begin(chain);
                enum err failed = chain_segment_at(chain, at, end - at, &segment, note);

                chain_hold_end(chain, hold);
                if (failed)
                        return failed;
                add(chain, run,
                    &(struct run){.at = at,
                                  .n = segment.n,
                                  .is_present = true,
                                  .file = segment.file,
                                  .file_at = segment.file ? segment.file_at : 0,
                                  .depth = segment.file ? chain_depth(chain) - 1 - segment.layer : 0},
                    ret);
                at += segment.n;
        }
        return ERR_NONE;
}

enum err vhd_map_of_chain(struct chain *chain, json_t **ret, struct err_note *note) {
        AUTO(json_decref) json_t *rows = json_array();
        struct run run = {0};
        uint64_t at = 0;

        while (at < chain_size(chain)) {
                struct extent extent;

                if (chain_extent_at(chain, NULL, at, chain_size(chain) - at, &extent, note))
                        return note->code;
                if (extent.kind == EXTENT_HOLE)
                        add(chain, &run, &(struct run){.at = at, .n = extent.n}, rows);
                else if (add_data(chain, &extent, &run, rows, note))
                        return note->code;
                at = extent.at + extent.n;
        }
        end_run(chain, &run, rows);
        *ret = TAKE(rows);
        return ERR_NONE;
}

enum err vhd_map_describe(struct images *images, const char *path, json_t **ret, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;

        if (chain_open(images, path, CHAIN_READ, &chain, note))
                return note->code;
        return vhd_map_of_chain(chain, ret, note);
}
