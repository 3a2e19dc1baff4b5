// SPDX-License-Identifier: Apache-2.0
#include "chain_copy.h"

#include "bytes.h"
#include "mem.h"

enum { PIECE = 1024 * 1024, GRANULE = 64 * 1024 };

struct work {
        const struct chain_copy *copy; /* borrowed */
        uint8_t *piece;                /* borrowed */
        uint64_t done;                 /* of the progress */
};

/* ---- writing: runs of zeros, and what is none ---- */

static enum err write_run(const struct chain_copy *copy, const uint8_t *data, size_t n, uint64_t at,
                          bool is_zero, struct err_note *note) {
        if (!is_zero)
                return chain_write(copy->to, data, n, at, note);
        return copy->is_fresh ? ERR_NONE : chain_write_zeroes(copy->to, n, at, note);
}

static enum err write_data(const struct chain_copy *copy, const uint8_t *data, size_t n, uint64_t at,
                           struct err_note *note) {
        for (size_t start = 0, end; start < n; start = end) {
                bool is_zero = bytes_are_zero(data + start, min_u64(GRANULE, n - start));

                for (end = start; end < n; end += min_u64(GRANULE, n - end))
                        if (bytes_are_zero(data + end, min_u64(GRANULE, n - end)) != is_zero)
                                break;
                if (write_run(copy, data + start, end - start, at + start, is_zero, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- reading ---- */

static enum err step(struct work *work, uint64_t n, struct err_note *note) {
        work->done += n;
        return progress_step(work->copy->progress, work->done, note);
}

static enum err copy_data(struct work *work, const struct extent *run, struct err_note *note) {
        const struct chain_copy *copy = work->copy;

        for (uint64_t at = run->at; at < run->at + run->n;) {
                /* Pieces end where granules do. */
                size_t n = (size_t)min_u64(PIECE - at % PIECE, run->at + run->n - at);

                if (chain_read(copy->from, work->piece, n, at, note) ||
                    write_data(copy, work->piece, n, at, note) || step(work, n, note))
                        return note->code;
                at += n;
        }
        return ERR_NONE;
}

static enum err copy_hole(struct work *work, const struct extent *run, struct err_note *note) {
        const struct chain_copy *copy = work->copy;

        if (copy->base) /* it is the same there, and no work */
                return ERR_NONE;
        if (!copy->is_fresh && chain_write_zeroes(copy->to, run->n, run->at, note))
                return note->code;
        return step(work, run->n, note);
}

enum err chain_copy_run(const struct chain_copy *copy, struct err_note *note) {
        AUTO_FREE uint8_t *piece = mem_aligned(4096, PIECE);
        struct work work = {.copy = copy, .piece = piece, .done = copy->progress->done};
        uint64_t size = chain_size(copy->from);
        struct extent run;

        for (uint64_t at = 0; at < size; at = run.at + run.n)
                if (chain_extent_at(copy->from, copy->base, at, size - at, &run, note) ||
                    (run.kind == EXTENT_DATA ? copy_data(&work, &run, note) : copy_hole(&work, &run, note)))
                        return note->code;
        return ERR_NONE;
}

enum err chain_copy_count(const struct chain_copy *copy, uint64_t *ret, struct err_note *note) {
        uint64_t size = chain_size(copy->from), n = 0;
        struct extent run;

        for (uint64_t at = 0; at < size; at = run.at + run.n) {
                if (chain_extent_at(copy->from, copy->base, at, size - at, &run, note))
                        return note->code;
                n += run.kind == EXTENT_DATA ? run.n : 0;
        }
        *ret = n;
        return ERR_NONE;
}
