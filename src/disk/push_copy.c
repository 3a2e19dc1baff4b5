// SPDX-License-Identifier: Apache-2.0
/* The copying of a batch: one queue for reads and writes, which overlap; a fixed number of pieces of memory.
 *
 * Runs are read in the order of their files.  A piece is one read: a part of a long run, or several short
 * runs of one layer with little between them; what lies between is read and forgotten.  Then each run in it
 * is written, exactly.  Zeros are not written but made: present zeros that are a hole above become a hole
 * below. */
#include <inttypes.h>

#include "mem.h"
#include "push_batch.h"

enum {
        DEPTH = 32,
        PIECE = 256 * 1024,     /* of one read; the pool is DEPTH of them */
        GAP_MAX = 16 * 1024,    /* between two runs of one read: less than another request costs */
        HOLE_MIN = 32 * 1024,   /* zeros of this length are made by a hole */
        CLONE_MIN = 64 * 1024,  /* what is shorter is copied sooner than shared */
        CLONE_ALIGNMENT = 4096, /* of file systems that share blocks */
};

struct piece {
        struct io_request request;
        struct iovec vec;
        uint8_t *memory;    /* borrowed from the pool */
        uint64_t from_at;   /* what was read: [from_at, from_at + n) of the layer's file */
        uint64_t n;         /* bytes */
        size_t first, last; /* the runs in it: [first, last); of one run perhaps a part only */
        size_t next;        /* the run that is written, or will be next */
        bool is_read;
};

struct push_copier {
        struct io_queue *queue; /* owned */
        uint8_t *pool;          /* owned */
        struct piece pieces[DEPTH];
        struct piece *idle[DEPTH]; /* borrowed from pieces */
        unsigned n_idle;
        bool may_clone;

        /* while push_copy runs */
        struct push_batch *batch; /* borrowed for the call */
        struct image *const *run; /* borrowed for the call */
        size_t next;              /* the run that is read next, and */
        uint64_t next_offset;     /* how much of it was given to pieces */
        struct err_note failure;
};

enum err push_copier_new(struct io *io, bool may_clone, struct push_copier **ret, struct err_note *note) {
        AUTO(push_copier_free) struct push_copier *copier = mem_new(struct push_copier);

        copier->pool = mem_aligned(4096, (size_t)DEPTH * PIECE);
        copier->may_clone = may_clone;
        for (unsigned i = 0; i < DEPTH; i++) {
                copier->pieces[i].memory = copier->pool + (size_t)i * PIECE;
                copier->idle[copier->n_idle++] = &copier->pieces[i];
        }
        if (io_queue_new(io, DEPTH, &copier->queue, note))
                return note->code;
        *ret = TAKE(copier);
        return ERR_NONE;
}

void push_copier_free(struct push_copier *copier) {
        if (copier->queue)
                io_queue_free(copier->queue);
        free(copier->pool);
        free(copier);
}

/* ---- runs ---- */

static uint64_t run_bytes(const struct push_run *run) {
        return (uint64_t)run->n * SECTOR;
}

static int compare_runs(const void *a, const void *b) {
        const struct push_run *x = a, *y = b;

        if (x->layer != y->layer)
                return (x->layer < y->layer) - (x->layer > y->layer);
        return (x->from_at > y->from_at) - (x->from_at < y->from_at);
}

static void keep_first(struct push_copier *copier, struct err_note *kept, const struct push_run *run,
                       const char *what, const struct image *image, const struct err_note *note) {
        if (kept->code)
                return;
        *kept = *note;
        (void)err_wrap(kept, "%s %s, block %" PRIu64, what, image->path,
                       copier->batch->blocks.data[run->of].block);
}

/* Ends the copying. */
static void fail(struct push_copier *copier, const struct push_run *run, const char *what,
                 const struct image *image, const struct err_note *note) {
        keep_first(copier, &copier->failure, run, what, image, note);
}

/* Of writing: without space for a part of it a block waits for another batch. */
static void fail_write(struct push_copier *copier, const struct push_run *run, const char *what,
                       const struct err_note *note) {
        if (note->code != ERR_NO_SPACE) {
                fail(copier, run, what, copier->run[0], note);
                return;
        }
        copier->batch->blocks.data[run->of].is_short = true;
        keep_first(copier, &copier->batch->shortage, run, what, copier->run[0], note);
}

/* The sectors are there; nobody sees them here as long as the layers above cover them. */
static void tell_target(struct push_copier *copier, const struct push_run *run, uint64_t offset, uint64_t n) {
        struct image *target = copier->run[0];
        uint64_t block = copier->batch->blocks.data[run->of].block;
        struct err_note note;

        if (target->ops->wrote(target, block, run->first + (uint32_t)(offset / SECTOR),
                               (uint32_t)(n / SECTOR), &note))
                fail(copier, run, "say what is new in", target, &note);
}

/* ---- pieces: written run by run ---- */

/* The part of the run that lies in the piece. */
static uint64_t part_of(const struct piece *piece, const struct push_run *run, uint64_t *ret_offset) {
        uint64_t begin = max_u64(piece->from_at, run->from_at);

        *ret_offset = begin - run->from_at;
        return min_u64(piece->from_at + piece->n, run->from_at + run_bytes(run)) - begin;
}

static void write_zeros(struct push_copier *copier, const struct push_run *run, uint64_t offset, uint64_t n) {
        struct err_note note;

        if (image_zero_file(copier->run[0]->file, n, run->to_at + offset, &note))
                fail_write(copier, run, "make zeros in", &note);
        else
                tell_target(copier, run, offset, n);
}

/* Begins the next write of the piece; without one left the piece is idle. */
static void write_next(struct push_copier *copier, struct piece *piece) {
        for (; piece->next < piece->last && !copier->failure.code; piece->next++) {
                const struct push_run *run = &copier->batch->runs.data[piece->next];
                uint64_t offset, n = part_of(piece, run, &offset);
                uint8_t *data = piece->memory + (run->from_at + offset - piece->from_at);

                if (copier->batch->blocks.data[run->of].is_short)
                        continue;
                if (n >= HOLE_MIN && bytes_are_zero(data, n)) {
                        write_zeros(copier, run, offset, n);
                        continue;
                }
                piece->vec = (struct iovec){data, n};
                piece->request = (struct io_request){.op = IO_OP_WRITE,
                                                     .file = copier->run[0]->file,
                                                     .vec = &piece->vec,
                                                     .n_vec = 1,
                                                     .at = run->to_at + offset,
                                                     .user = piece};
                io_submit(copier->queue, &piece->request);
                return;
        }
        copier->idle[copier->n_idle++] = piece;
}

static void finish_read(struct push_copier *copier, struct piece *piece) {
        const struct push_run *run = &copier->batch->runs.data[piece->first];

        piece->is_read = true;
        if (piece->request.result)
                fail(copier, run, "read", copier->run[run->layer], &piece->request.note);
        write_next(copier, piece);
}

static void finish_write(struct push_copier *copier, struct piece *piece) {
        const struct push_run *run = &copier->batch->runs.data[piece->next];
        uint64_t offset, n = part_of(piece, run, &offset);

        if (piece->request.result)
                fail_write(copier, run, "write to", &piece->request.note);
        else
                tell_target(copier, run, offset, n);
        piece->next++;
        write_next(copier, piece);
}

static void reap(struct push_copier *copier) {
        struct io_request *done[DEPTH];
        unsigned n = io_reap(copier->queue, 1, done, DEPTH);

        for (unsigned i = 0; i < n; i++) {
                struct piece *piece = done[i]->user;

                if (piece->is_read)
                        finish_write(copier, piece);
                else
                        finish_read(copier, piece);
        }
}

/* ---- pieces: read ---- */

/* Takes runs from `next` on: those of one layer that lie close together, up to the size of a piece. */
static void gather(struct push_copier *copier, struct piece *piece) {
        const struct push_run *runs = copier->batch->runs.data, *run = &runs[copier->next];
        uint64_t left = run_bytes(run) - copier->next_offset;

        *piece = (struct piece){.memory = piece->memory,
                                .first = copier->next,
                                .next = copier->next,
                                .from_at = run->from_at + copier->next_offset,
                                .n = min_u64(left, PIECE)};
        if (left > PIECE) {
                copier->next_offset += PIECE;
                piece->last = copier->next + 1;
                return;
        }
        for (copier->next++; copier->next < copier->batch->runs.n; copier->next++) {
                const struct push_run *more = &runs[copier->next];
                uint64_t end = piece->from_at + piece->n;

                if (more->layer != run->layer || more->from_at - end > GAP_MAX ||
                    more->from_at + run_bytes(more) - piece->from_at > PIECE)
                        break;
                piece->n = more->from_at + run_bytes(more) - piece->from_at;
        }
        copier->next_offset = 0;
        piece->last = copier->next;
}

/* What lies behind the end of a file that was cut short reads as zeros. */
static void read_piece(struct push_copier *copier, struct piece *piece) {
        struct image *image = copier->run[copier->batch->runs.data[piece->first].layer];
        uint64_t end = image->data_end, n = 0;

        if (piece->from_at < end)
                n = min_u64(piece->n, end - piece->from_at);
        memset(piece->memory + n, 0, piece->n - n);
        if (n == 0) {
                piece->is_read = true;
                write_next(copier, piece);
                return;
        }
        piece->vec = (struct iovec){piece->memory, n};
        piece->request = (struct io_request){.op = IO_OP_READ,
                                             .file = image->file,
                                             .vec = &piece->vec,
                                             .n_vec = 1,
                                             .at = piece->from_at,
                                             .user = piece};
        io_submit(copier->queue, &piece->request);
}

/* True: the next run is done with, its blocks are shared by both files now. */
static bool clone_next(struct push_copier *copier) {
        const struct push_run *run = &copier->batch->runs.data[copier->next];
        struct image *from = copier->run[run->layer];
        struct err_note note;
        enum err e;

        if (!copier->may_clone || copier->next_offset || run_bytes(run) < CLONE_MIN ||
            !is_multiple(run->from_at | run->to_at | run_bytes(run), CLONE_ALIGNMENT) ||
            run->from_at + run_bytes(run) > from->data_end)
                return false;
        e = io_clone_range(from->file, run->from_at, copier->run[0]->file, run->to_at, run_bytes(run), &note);
        if (e == ERR_UNSUPPORTED) {
                copier->may_clone = false;
                return false;
        }
        if (e)
                fail_write(copier, run, "share blocks with", &note);
        else
                tell_target(copier, run, 0, run_bytes(run));
        copier->next++;
        return true;
}

static void begin_next(struct push_copier *copier) {
        const struct push_run *run = &copier->batch->runs.data[copier->next];

        if (copier->batch->blocks.data[run->of].is_short) {
                copier->next++;
                copier->next_offset = 0;
        } else if (!clone_next(copier)) {
                struct piece *piece = copier->idle[--copier->n_idle];

                gather(copier, piece);
                read_piece(copier, piece);
        }
}

enum err push_copy(struct push_copier *copier, struct push_batch *batch, struct image *const *run,
                   struct err_note *note) {
        copier->batch = batch;
        copier->run = run;
        copier->next = 0;
        copier->next_offset = 0;
        copier->failure.code = ERR_NONE;
        if (batch->runs.n > 0)
                qsort(batch->runs.data, batch->runs.n, sizeof *batch->runs.data, compare_runs);
        while (copier->next < batch->runs.n && !copier->failure.code) {
                if (copier->n_idle > 0)
                        begin_next(copier);
                else
                        reap(copier);
        }
        while (io_in_flight(copier->queue))
                reap(copier);
        if (copier->failure.code)
                *note = copier->failure;
        return copier->failure.code;
}
