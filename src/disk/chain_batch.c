// SPDX-License-Identifier: Apache-2.0
#include "chain_batch.h"

#include <inttypes.h>

#include "mem.h"
#include "vec.h"

enum {
        DEPTH = 32,
        PIECE_MAX = 1024 *
                    1024, /* of one request: two keep a disk busy, and the page cache is filled by halves */
};

struct range {
        uint8_t *memory; /* borrowed until it is read */
        uint64_t n, at;
};

/* One request, or one that is being put together. */
struct piece {
        struct io_request request;
        struct iovec vec;
        uint64_t disk_at;
};

struct chain_batch {
        struct chain *chain;      /* borrowed while it is read; NULL: none is */
        struct io_queue *queue;   /* owned */
        VEC(struct range) ranges; /* owned */
        struct piece pieces[DEPTH];
        struct piece *idle[DEPTH]; /* borrowed from pieces */
        unsigned n_idle;
        struct piece *open; /* borrowed from pieces: may grow yet; NULL: none */
        struct err_note failure;
};

enum err chain_batch_new(struct io *io, struct chain_batch **ret, struct err_note *note) {
        AUTO(chain_batch_free) struct chain_batch *batch = mem_new(struct chain_batch);

        for (unsigned i = 0; i < DEPTH; i++)
                batch->idle[batch->n_idle++] = &batch->pieces[i];
        if (io_queue_new(io, DEPTH, &batch->queue, note))
                return note->code;
        *ret = TAKE(batch);
        return ERR_NONE;
}

void chain_batch_free(struct chain_batch *batch) {
        if (batch->queue)
                io_queue_free(batch->queue);
        vec_fini(&batch->ranges);
        free(batch);
}

void chain_batch_add(struct chain_batch *batch, void *ret, uint64_t n, uint64_t at) {
        *vec_add(&batch->ranges) = (struct range){ret, n, at};
}

/* ---- requests ---- */

static void fail(struct chain_batch *batch, const struct piece *piece, const struct err_note *note) {
        if (batch->failure.code)
                return; /* the first one counts */
        batch->failure = *note;
        if (piece)
                (void)err_wrap(&batch->failure, "read %zu at %" PRIu64 " of the disk from %s",
                               piece->vec.iov_len, piece->disk_at, io_path(piece->request.file));
}

static void reap(struct chain_batch *batch, unsigned min) {
        struct io_request *done[DEPTH];
        unsigned n = io_reap(batch->queue, min, done, DEPTH);

        for (unsigned i = 0; i < n; i++) {
                struct piece *piece = done[i]->user;

                if (done[i]->result)
                        fail(batch, piece, &done[i]->note);
                batch->idle[batch->n_idle++] = piece;
        }
}

static void submit_open(struct chain_batch *batch) {
        if (batch->open)
                io_submit(batch->queue, &TAKE(batch->open)->request);
}

/* A lone request needs no queue. */
static void finish(struct chain_batch *batch) {
        struct piece *piece = batch->open;
        struct err_note note;

        if (!piece || io_in_flight(batch->queue)) {
                submit_open(batch);
        } else {
                if (io_read(piece->request.file, piece->vec.iov_base, piece->vec.iov_len, piece->request.at,
                            &note))
                        fail(batch, piece, &note);
                batch->idle[batch->n_idle++] = TAKE(batch->open);
        }
        while (io_in_flight(batch->queue))
                reap(batch, io_in_flight(batch->queue));
}

static bool grow_open(struct chain_batch *batch, const struct chain_segment *segment, const uint8_t *memory,
                      uint64_t n) {
        struct piece *piece = batch->open;

        if (!piece || piece->request.file != segment->file || piece->vec.iov_len + n > PIECE_MAX ||
            piece->request.at + piece->vec.iov_len != segment->file_at ||
            (uint8_t *)piece->vec.iov_base + piece->vec.iov_len != memory)
                return false;
        piece->vec.iov_len += n;
        return true;
}

/* n is PIECE_MAX at most. */
static void add_piece(struct chain_batch *batch, const struct chain_segment *segment, uint8_t *memory,
                      uint64_t n) {
        if (grow_open(batch, segment, memory, n))
                return;
        submit_open(batch);
        if (batch->n_idle == 0)
                reap(batch, 1);
        batch->open = batch->idle[--batch->n_idle];
        *batch->open = (struct piece){
                .request = {.op = IO_OP_READ,
                            .file = segment->file,
                            .vec = &batch->open->vec,
                            .n_vec = 1,
                            .at = segment->file_at,
                            .user = batch->open},
                .vec = {memory, n},
                .disk_at = segment->at,
        };
}

static void begin_range(struct chain_batch *batch, const struct range *range) {
        uint64_t done = 0;
        struct chain_segment s;
        struct err_note note;

        while (done < range->n && !batch->failure.code) {
                if (chain_segment_at(batch->chain, range->at + done, range->n - done, &s, &note)) {
                        (void)err_wrap(&note, "read %" PRIu64 " at %" PRIu64 " of the disk", range->n - done,
                                       range->at + done);
                        fail(batch, NULL, &note);
                        return;
                }
                s.n = s.file ? min_u64(s.n, PIECE_MAX) : s.n;
                if (s.file)
                        add_piece(batch, &s, range->memory + done, s.n);
                else
                        memset(range->memory + done, 0, s.n);
                done += s.n;
        }
}

enum err chain_batch_read(struct chain_batch *batch, struct chain *chain, struct err_note *note) {
        struct chain_hold hold = chain_hold_begin(chain);

        batch->chain = chain;
        batch->failure.code = ERR_NONE;
        VEC_EACH (&batch->ranges, range)
                begin_range(batch, range);
        finish(batch);
        chain_hold_end(chain, hold);
        batch->chain = NULL;
        batch->ranges.n = 0;
        if (batch->failure.code)
                *note = batch->failure;
        return batch->failure.code;
}
