// SPDX-License-Identifier: Apache-2.0
/* The window holds the next bytes of the stream.  A run of zeros that is long enough to be worth skipping
 * is never in it: it ends before that, which is answered from a page of zeros. */
#include <assert.h>

#include "mem.h"
#include "stream_plan.h"

#define WINDOW (2 * (STREAM_PLAN_PAGE + IMAGE_BLOCK_SIZE))

static const uint8_t zeros[STREAM_HOLE_MIN];

struct stream_source {
        struct stream_plan *plan;  /* owned */
        struct chain_batch *batch; /* owned */
        uint64_t at;               /* the next byte */
        uint8_t *window;           /* owned; WINDOW bytes */
        const uint8_t *data;       /* borrowed from window: [data_at, data_end) of the stream */
        uint64_t data_at, data_end;
};

enum err stream_source_new(struct chain *chain, const struct stream_source_options *options,
                           struct stream_source **ret, struct err_note *note) {
        AUTO(stream_source_free) struct stream_source *source = mem_new(struct stream_source);

        if (stream_plan_new(chain, options, &source->plan, note) ||
            chain_batch_new(chain_images(chain)->io, &source->batch, note))
                return note->code;
        source->window = mem_aligned(STREAM_PLAN_PAGE, WINDOW);
        *ret = TAKE(source);
        return ERR_NONE;
}

void stream_source_free(struct stream_source *source) {
        if (source->batch)
                chain_batch_free(source->batch);
        if (source->plan)
                stream_plan_free(source->plan);
        free(source->window);
        free(source);
}

uint64_t stream_source_length(const struct stream_source *source) {
        return stream_plan_length(source->plan);
}

uint64_t stream_source_data(const struct stream_source *source) {
        return stream_plan_data(source->plan);
}

uint64_t stream_source_at(const struct stream_source *source) {
        return source->at;
}

static bool is_in_window(const struct stream_source *source) {
        return source->at >= source->data_at && source->at < source->data_end;
}

static enum err hole_at(struct stream_source *source, uint64_t *ret, struct err_note *note) {
        *ret = 0;
        return is_in_window(source) ? ERR_NONE : stream_plan_hole(source->plan, source->at, ret, note);
}

static enum err fill_window(struct stream_source *source, struct err_note *note) {
        size_t n;

        source->data_at = source->data_end = source->at;
        if (stream_plan_read(source->plan, source->batch, source->at, source->window, WINDOW, &source->data,
                             &n, note))
                return note->code;
        source->data_end += n;
        return ERR_NONE;
}

enum err stream_source_peek(struct stream_source *source, const void **ret, size_t *ret_n,
                            struct err_note *note) {
        uint64_t hole;

        if (hole_at(source, &hole, note))
                return note->code;
        if (hole > 0) {
                *ret = zeros;
                *ret_n = min_u64(hole, sizeof zeros);
                return ERR_NONE;
        }
        if (!is_in_window(source) && fill_window(source, note))
                return note->code;
        *ret = source->data + (source->at - source->data_at);
        *ret_n = source->data_end - source->at;
        return ERR_NONE;
}

void stream_source_skip(struct stream_source *source, uint64_t n) {
        assert(n <= stream_plan_length(source->plan) - source->at);
        source->at += n;
}

uint64_t stream_source_hole(struct stream_source *source) {
        struct err_note unused;
        uint64_t hole;

        return hole_at(source, &hole, &unused) ? 0 : hole; /* who pulls next is told */
}

enum err stream_source_pull(struct stream_source *source, void *ret, size_t n, size_t *ret_n,
                            struct err_note *note) {
        uint8_t *to = ret;
        size_t done = 0;

        while (done < n) {
                const void *data;
                size_t piece;

                if (stream_source_peek(source, &data, &piece, note)) {
                        if (done > 0)
                                break;
                        return note->code;
                }
                if (piece == 0)
                        break;
                piece = piece < n - done ? piece : n - done;
                memcpy(to + done, data, piece);
                stream_source_skip(source, piece);
                done += piece;
        }
        *ret_n = done;
        return ERR_NONE;
}
