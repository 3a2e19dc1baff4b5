// SPDX-License-Identifier: Apache-2.0
/* The copying of a batch: one queue for reads and writes, which overlap; a fixed number of pieces of memory.
 *
 * Runs are read in the order of their files.  A piece is one read: a part of a long run, or several short
 * runs of one layer with little between them; what lies between is read and forgotten.  Then each run in it
 * is written, exactly.  Zeros are not written but made: present zeros that are a hole above become a hole
 * below.
 *
 * Where the file system can share blocks between files, long runs are shared instead, but for the ends that
 * are less than a page.
 *
 * Whole pages go past the page cache, which they would only push others out of, and which costs more than
 * the disk does; the ends of a run that are less than a page go through it, so no page is written both ways.
 * The rest of both files goes through the cache meanwhile: the kernel keeps the two in step. */
#include <inttypes.h>

#include "mem.h"
#include "mover_batch.h"

enum {
        DEPTH = 32,
        PAGE = 4096,
        PIECE = 512 * 1024,   /* of one read; the pool is DEPTH of them */
        GAP_MAX = 16 * 1024,  /* between two runs of one read: less than another request costs */
        HOLE_MIN = 32 * 1024, /* zeros of this length are made by a hole */
        DIRECT_MAX = 64,      /* files opened a second time */
        /* Bytes of pieces at work: more goes no faster, and all else that the device is asked for waits. */
        AT_WORK_MAX = 2 * 1024 * 1024,
};

struct piece {
        struct io_request request;
        struct iovec vec;
        uint8_t *memory;    /* borrowed from the pool; a page more than PIECE */
        uint64_t from_at;   /* what was read: [from_at, from_at + n) of the layer's file */
        uint64_t n;         /* bytes */
        size_t first, last; /* the runs in it: [first, last); of one run perhaps a part only */
        size_t next;        /* the run that is written, or will be next, and */
        uint64_t written;   /* how much of its part */
        bool is_read;
        bool is_aligned; /* pages of the disk are pages of both files */
};

/* Sectors of a block that lie in the target, and of which it does not know yet. */
struct untold {
        uint64_t block;
        uint32_t first, n;
};

struct mover_copier {
        struct io_queue *queue; /* owned */
        uint8_t *pool;          /* owned */
        struct io_file *
                *direct; /* owned array, owned; n: each image's file opened past the page cache, or NULL */
        bool *is_direct_tried; /* owned; n */
        size_t n, into, n_direct;
        struct piece pieces[DEPTH];
        struct piece *idle[DEPTH]; /* borrowed from pieces */
        unsigned n_idle, depth;    /* depth: pieces that are at work at once */
        uint64_t at_work;          /* bytes of them */
        bool may_clone, has_cloned;
        VEC(struct untold) untold; /* owned */

        /* while mover_copier_copy runs */
        struct mover_batch *batch; /* borrowed for the call */
        struct image *const *run;  /* borrowed for the call */
        size_t next;               /* the run that is read next, and */
        uint64_t next_offset;      /* how much of it was given to pieces */
        struct err_note failure;
};

enum err mover_copier_new(struct io *io, size_t n, size_t into, bool may_clone, struct mover_copier **ret,
                          struct err_note *note) {
        AUTO(mover_copier_free) struct mover_copier *copier = mem_new(struct mover_copier);

        copier->pool = mem_aligned(PAGE, (size_t)DEPTH * (PIECE + PAGE));
        copier->direct = mem_zero(n * sizeof(struct io_file *));
        copier->is_direct_tried = mem_zero(n * sizeof(bool));
        copier->n = n;
        copier->into = into;
        copier->may_clone = may_clone;
        copier->depth = DEPTH;
        for (unsigned i = 0; i < DEPTH; i++) {
                copier->pieces[i].memory = copier->pool + (size_t)i * (PIECE + PAGE);
                copier->idle[copier->n_idle++] = &copier->pieces[i];
        }
        if (io_queue_new(io, DEPTH, &copier->queue, note))
                return note->code;
        *ret = TAKE(copier);
        return ERR_NONE;
}

void mover_copier_pace(struct mover_copier *copier, unsigned depth) {
        copier->depth = depth && depth < DEPTH ? depth : DEPTH;
}

void mover_copier_free(struct mover_copier *copier) {
        if (copier->queue)
                io_queue_free(copier->queue);
        for (size_t i = 0; i < copier->n; i++)
                if (copier->direct[i])
                        io_close(copier->direct[i]);
        free(copier->direct);
        vec_fini(&copier->untold);
        free(copier->is_direct_tried);
        free(copier->pool);
        free(copier);
}

bool mover_copier_shares(const struct mover_copier *copier) {
        return copier->may_clone && copier->has_cloned;
}

/* ---- past the page cache ---- */

/* The same file once more; where it cannot be had, the cache is not so bad. */
static struct io_file *open_direct(const struct image *image, bool for_writing) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note unused;
        struct io_stat stat;

        if (io_open(image->images->io, image->path, IO_DIRECT | (for_writing ? IO_WRITE : IO_READ), &file,
                    &unused) ||
            io_stat(file, &stat, &unused) || stat.device != image->device || stat.inode != image->inode)
                return NULL;
        return TAKE(file);
}

/* NULL: only through the cache. */
static struct io_file *direct_of(struct mover_copier *copier, size_t i) {
        if (!copier->is_direct_tried[i] && copier->n_direct < DIRECT_MAX) {
                copier->is_direct_tried[i] = true;
                copier->direct[i] = open_direct(copier->run[i], i == copier->into);
                copier->n_direct += copier->direct[i] != NULL;
        }
        return copier->direct[i];
}

static uint64_t in_page(uint64_t at) {
        return at & (PAGE - 1);
}

/* ---- runs ---- */

static uint64_t run_bytes(const struct mover_run *run) {
        return (uint64_t)run->n * SECTOR;
}

static int compare_runs(const void *a, const void *b) {
        const struct mover_run *x = a, *y = b;

        if (x->layer != y->layer)
                return (x->layer < y->layer) - (x->layer > y->layer);
        return (x->from_at > y->from_at) - (x->from_at < y->from_at);
}

static void keep_first(struct mover_copier *copier, struct err_note *kept, const struct mover_run *run,
                       const char *what, const struct image *image, const struct err_note *note) {
        if (kept->code)
                return;
        *kept = *note;
        (void)err_wrap(kept, "%s %s, block %" PRIu64, what, image->path,
                       copier->batch->blocks.data[run->of].block);
}

/* Ends the copying. */
static void fail(struct mover_copier *copier, const struct mover_run *run, const char *what,
                 const struct image *image, const struct err_note *note) {
        keep_first(copier, &copier->failure, run, what, image, note);
}

/* Of writing: without space for a part of it a block waits for another batch. */
static void fail_write(struct mover_copier *copier, const struct mover_run *run, const char *what,
                       const struct err_note *note) {
        if (note->code != ERR_NO_SPACE) {
                fail(copier, run, what, copier->run[copier->into], note);
                return;
        }
        copier->batch->blocks.data[run->of].is_short = true;
        keep_first(copier, &copier->batch->shortage, run, what, copier->run[copier->into], note);
}

/* The sectors are there.  Of a push nobody sees them here as long as the layers above cover them; of a pull
 * only that something was written is said for now. */
static void tell_target(struct mover_copier *copier, const struct mover_run *run, uint64_t offset,
                        uint64_t n) {
        struct image *target = copier->run[copier->into];
        struct untold is = {.block = copier->batch->blocks.data[run->of].block,
                            .first = run->first + (uint32_t)(offset / SECTOR),
                            .n = (uint32_t)(n / SECTOR)};
        bool is_later = copier->into > 0;
        struct err_note note;

        if (is_later)
                *vec_add(&copier->untold) = is;
        if (target->ops->wrote(target, is.block, is.first, is_later ? 0 : is.n, &note))
                fail(copier, run, "say what is new in", target, &note);
}

enum err mover_copier_tell(struct mover_copier *copier, struct image *target, struct err_note *note) {
        VEC_EACH (&copier->untold, each)
                if (target->ops->wrote(target, each->block, each->first, each->n, note))
                        return err_wrap(note, "say what is new in %s", target->path);
        mover_copier_forget(copier);
        return ERR_NONE;
}

void mover_copier_forget(struct mover_copier *copier) {
        copier->untold.n = 0;
}

/* ---- pieces: written run by run ---- */

/* The part of the run that lies in the piece. */
static uint64_t part_of(const struct piece *piece, const struct mover_run *run, uint64_t *ret_offset) {
        uint64_t begin = max_u64(piece->from_at, run->from_at);

        *ret_offset = begin - run->from_at;
        return min_u64(piece->from_at + piece->n, run->from_at + run_bytes(run)) - begin;
}

static void write_zeros(struct mover_copier *copier, const struct mover_run *run, uint64_t offset,
                        uint64_t n) {
        struct err_note note;

        if (image_zero_file(copier->run[copier->into]->file, n, run->to_at + offset, &note))
                fail_write(copier, run, "make zeros in", &note);
        else
                tell_target(copier, run, offset, n);
}

/* n bytes of data are to go to `at`: as many of them as go in one request, into which file. */
static void submit_write(struct mover_copier *copier, struct piece *piece, uint8_t *data, uint64_t n,
                         uint64_t at) {
        struct io_file *file = copier->run[copier->into]->file,
                       *direct = piece->is_aligned ? direct_of(copier, copier->into) : NULL;

        if (direct && in_page(at)) {
                n = min_u64(n, PAGE - in_page(at));
        } else if (direct && n >= PAGE) {
                n = round_down(n, PAGE);
                file = direct;
        }
        piece->vec = (struct iovec){data, n};
        piece->request = (struct io_request){
                .op = IO_OP_WRITE, .file = file, .vec = &piece->vec, .n_vec = 1, .at = at, .user = piece};
        io_submit(copier->queue, &piece->request);
}

/* Begins the next write of the piece; without one left the piece is idle. */
static void write_next(struct mover_copier *copier, struct piece *piece) {
        for (; piece->next < piece->last && !copier->failure.code; piece->next++) {
                const struct mover_run *run = &copier->batch->runs.data[piece->next];
                uint64_t offset, n = part_of(piece, run, &offset);
                uint8_t *data =
                        piece->memory + in_page(piece->from_at) + (run->from_at + offset - piece->from_at);

                if (copier->batch->blocks.data[run->of].is_short)
                        continue;
                if (piece->written == 0 && n >= HOLE_MIN && bytes_are_zero(data, n)) {
                        write_zeros(copier, run, offset, n);
                        continue;
                }
                submit_write(copier, piece, data + piece->written, n - piece->written,
                             run->to_at + offset + piece->written);
                return;
        }
        copier->idle[copier->n_idle++] = piece;
        copier->at_work -= piece->n;
}

/* One that is written to meanwhile may say that it holds what a failed sync has lost [D6]: that is not to go
 * where what it covers is. */
static void check_trust(struct mover_copier *copier, const struct mover_run *run) {
        const struct image *from = copier->run[run->layer];
        struct err_note note;

        if (!atomic_load(&from->has_failed))
                return;
        (void)err_set(&note, ERR_IO, "a sync of it failed");
        fail(copier, run, "read", from, &note);
}

static void finish_read(struct mover_copier *copier, struct piece *piece) {
        const struct mover_run *run = &copier->batch->runs.data[piece->first];

        piece->is_read = true;
        if (piece->request.result)
                fail(copier, run, "read", copier->run[run->layer], &piece->request.note);
        check_trust(copier, run);
        write_next(copier, piece);
}

static void finish_write(struct mover_copier *copier, struct piece *piece) {
        const struct mover_run *run = &copier->batch->runs.data[piece->next];
        uint64_t offset, n = part_of(piece, run, &offset);

        piece->written += piece->vec.iov_len;
        if (piece->request.result)
                fail_write(copier, run, "write to", &piece->request.note);
        else if (piece->written == n)
                tell_target(copier, run, offset, n);
        if (piece->request.result || piece->written == n) {
                piece->next++;
                piece->written = 0;
        }
        write_next(copier, piece);
}

static void reap(struct mover_copier *copier) {
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

static bool is_aligned(const struct mover_run *run) {
        uint64_t skip = (uint64_t)run->first * SECTOR;

        return is_multiple(run->from_at - skip, PAGE) && is_multiple(run->to_at - skip, PAGE);
}

/* Takes runs from `next` on: those of one layer that lie close together, up to the size of a piece. */
static void gather(struct mover_copier *copier, struct piece *piece) {
        const struct mover_run *runs = copier->batch->runs.data, *run = &runs[copier->next];
        uint64_t left = run_bytes(run) - copier->next_offset, at = run->from_at + copier->next_offset,
                 room = PIECE - in_page(at);

        *piece = (struct piece){.memory = piece->memory,
                                .first = copier->next,
                                .next = copier->next,
                                .from_at = at,
                                .n = min_u64(left, room),
                                .is_aligned = is_aligned(run)};
        if (left > room) {
                copier->next_offset += room;
                piece->last = copier->next + 1;
                return;
        }
        for (copier->next++; copier->next < copier->batch->runs.n; copier->next++) {
                const struct mover_run *more = &runs[copier->next];
                uint64_t end = piece->from_at + piece->n;

                if (more->layer != run->layer || more->from_at - end > GAP_MAX ||
                    more->from_at + run_bytes(more) - piece->from_at > room ||
                    is_aligned(more) != piece->is_aligned)
                        break;
                piece->n = more->from_at + run_bytes(more) - piece->from_at;
        }
        copier->next_offset = 0;
        piece->last = copier->next;
}

/* Past the cache whole pages are read: of a block that begins with one they are all in the block.  Only what
 * is a page at least is worth it. */
static void choose_read(struct mover_copier *copier, struct piece *piece, uint64_t n) {
        size_t layer = copier->batch->runs.data[piece->first].layer;
        uint64_t skip = in_page(piece->from_at), whole = round_up(skip + n, PAGE);
        struct io_file *direct = NULL;

        if (piece->is_aligned && n >= PAGE && piece->from_at - skip + whole <= copier->run[layer]->data_end)
                direct = direct_of(copier, layer);
        piece->vec = direct ? (struct iovec){piece->memory, whole} : (struct iovec){piece->memory + skip, n};
        piece->request = (struct io_request){.op = IO_OP_READ,
                                             .file = direct ? direct : copier->run[layer]->file,
                                             .vec = &piece->vec,
                                             .n_vec = 1,
                                             .at = piece->from_at - (direct ? skip : 0),
                                             .user = piece};
}

/* What lies behind the end of a file that was cut short reads as zeros. */
static void read_piece(struct mover_copier *copier, struct piece *piece) {
        uint64_t end = copier->run[copier->batch->runs.data[piece->first].layer]->data_end, n = 0;

        if (piece->from_at < end)
                n = min_u64(piece->n, end - piece->from_at);
        memset(piece->memory + in_page(piece->from_at) + n, 0, piece->n - n);
        if (n == 0) {
                piece->is_read = true;
                check_trust(copier, &copier->batch->runs.data[piece->first]);
                write_next(copier, piece);
                return;
        }
        choose_read(copier, piece, n);
        io_submit(copier->queue, &piece->request);
}

/* True: the next run is done with, its blocks are shared by both files now. */
static bool clone_next(struct mover_copier *copier) {
        const struct mover_run *run = &copier->batch->runs.data[copier->next];
        struct image *from = copier->run[run->layer];
        struct err_note note;
        uint32_t first, n;
        enum err e;

        if (!copier->may_clone || copier->next_offset || !mover_run_sharable(run, &first, &n) || n < run->n ||
            run->from_at + run_bytes(run) > from->data_end)
                return false;
        check_trust(copier, run);
        if (copier->failure.code)
                return true;
        e = io_clone_range(from->file, run->from_at, copier->run[copier->into]->file, run->to_at,
                           run_bytes(run), &note);
        if (e == ERR_UNSUPPORTED) {
                copier->may_clone = false;
                return false;
        }
        if (e)
                fail_write(copier, run, "share blocks with", &note);
        else
                tell_target(copier, run, 0, run_bytes(run));
        copier->has_cloned = true;
        copier->next++;
        return true;
}

/* [first, first + n) of the run, counted within the block. */
static struct mover_run part_of_run(struct mover_run run, uint32_t first, uint32_t n) {
        uint64_t skip = (uint64_t)(first - run.first) * SECTOR;

        run.from_at += skip;
        run.to_at += skip;
        run.first = first;
        run.n = n;
        return run;
}

/* Only whole pages can be shared: a run's odd ends become runs of their own, which are copied. */
static void cut_run(struct mover_batch *batch, size_t i) {
        const struct mover_run run = batch->runs.data[i];
        uint32_t first, n, end = run.first + run.n;

        if (!mover_run_sharable(&run, &first, &n))
                return;
        batch->runs.data[i] = part_of_run(run, first, n);
        if (run.first < first)
                *vec_add(&batch->runs) = part_of_run(run, run.first, first - run.first);
        if (first + n < end)
                *vec_add(&batch->runs) = part_of_run(run, first + n, end - first - n);
}

static void cut_runs(struct mover_batch *batch) {
        size_t n = batch->runs.n;

        for (size_t i = 0; i < n; i++)
                cut_run(batch, i);
}

static void begin_next(struct mover_copier *copier) {
        const struct mover_run *run = &copier->batch->runs.data[copier->next];

        if (copier->batch->blocks.data[run->of].is_short) {
                copier->next++;
                copier->next_offset = 0;
        } else if (!clone_next(copier)) {
                struct piece *piece = copier->idle[--copier->n_idle];

                gather(copier, piece);
                copier->at_work += piece->n;
                read_piece(copier, piece);
        }
}

enum err mover_copier_copy(struct mover_copier *copier, struct mover_batch *batch, struct image *const *run,
                           struct err_note *note) {
        copier->batch = batch;
        copier->run = run;
        copier->next = 0;
        copier->next_offset = 0;
        copier->failure.code = ERR_NONE;
        if (copier->may_clone)
                cut_runs(batch);
        if (batch->runs.n > 0)
                qsort(batch->runs.data, batch->runs.n, sizeof *batch->runs.data, compare_runs);
        while (copier->next < batch->runs.n && !copier->failure.code) {
                if (DEPTH - copier->n_idle < copier->depth && copier->at_work < AT_WORK_MAX)
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
