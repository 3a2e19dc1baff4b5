// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

#include <inttypes.h>
#include <string.h>

#include "convert_source.h"
#include "convert_target.h"
#include "mem.h"
#include "new_file.h"
#include "text.h"

enum {
        LANES = 12,                    /* blocks in memory at once */
        QUEUE_DEPTH = 64,              /* requests in flight */
        REQUEST_MAX = 1024 * 1024,     /* devices like this better than 2 MiB */
        GRANULE = 64 * 1024,           /* zeros shorter than this are written with what stands around them */
        SYNC_EVERY = 64 * 1024 * 1024, /* what is written is sent to the disk while the copy goes on */
        MEMORY_ALIGNMENT = 4096,
};

enum lane_state { LANE_FREE, LANE_READING, LANE_WRITING };

/* One block on its way. */
struct lane {
        enum lane_state state;
        uint64_t block;
        uint8_t *memory; /* owned; CONVERT_FRAME_HEAD bytes, then the block */
        struct convert_pieces pieces;
        struct chain_hold hold;
        bool is_held;
        unsigned pending;
        VEC(struct lane_request) requests; /* owned; stays where it is while any is pending */
};

struct lane_request {
        struct io_request request;
        struct iovec vec;
};

struct copy {
        struct io *io;                         /* borrowed */
        const struct convert_options *options; /* borrowed */
        struct convert_source source;
        struct convert_target target;
        struct io_queue *queue; /* owned */
        struct lane lanes[LANES];
        unsigned first, n_used, n_decided; /* lanes from first on are used, in the order of the disk; of these
                                            * the first n_decided have been read */
        uint64_t next_block;
        struct lane_request sync;
        bool sync_is_pending;
        uint64_t unsynced;
        uint64_t total; /* about how much is to be read */
        struct convert_result result;
        struct err_note failure; /* the first that went wrong; then nothing more is begun */
};

static void fail(struct copy *copy, const struct err_note *note) {
        if (!copy->failure.code)
                copy->failure = *note;
}

/* ---- requests ---- */

static void end_request(struct copy *copy, struct io_request *request) {
        struct lane *lane = request->user;

        if (request->result)
                fail(copy, &request->note);
        if (!lane) {
                copy->sync_is_pending = false;
                return;
        }
        if (--lane->pending == 0 && lane->is_held) {
                chain_hold_end(copy->source.chain, lane->hold);
                lane->is_held = false;
        }
}

static void reap(struct copy *copy, unsigned min) {
        struct io_request *done[QUEUE_DEPTH];
        unsigned n = io_reap(copy->queue, min, done, QUEUE_DEPTH);

        for (unsigned i = 0; i < n; i++)
                end_request(copy, done[i]);
}

static void submit(struct copy *copy, struct io_request *request) {
        while (io_in_flight(copy->queue) >= QUEUE_DEPTH)
                reap(copy, 1);
        io_submit(copy->queue, request);
}

static void plan_request(struct copy *copy, struct lane *lane, enum io_op op, struct io_file *file,
                         uint8_t *memory, uint64_t n, uint64_t at) {
        (void)copy;
        while (n > 0) {
                uint64_t part = min_u64(n, REQUEST_MAX);
                struct lane_request *r = vec_add(&lane->requests);

                r->vec = (struct iovec){memory, (size_t)part};
                r->request = (struct io_request){.op = op, .file = file, .n_vec = 1, .at = at, .user = lane};
                memory += part;
                at += part;
                n -= part;
        }
}

/* All that were planned, once the array of them no longer moves. */
static void submit_planned(struct copy *copy, struct lane *lane) {
        lane->pending = (unsigned)lane->requests.n;
        VEC_EACH (&lane->requests, r) {
                r->request.vec = &r->vec;
                submit(copy, &r->request);
        }
}

/* ---- reading ---- */

/* What no piece covers reads as zeros. */
static void clear_gaps(struct lane *lane) {
        uint8_t *data = lane->memory + CONVERT_FRAME_HEAD;
        uint32_t at = 0;

        VEC_EACH (&lane->pieces.list, piece) {
                memset(data + at, 0, piece->at - at);
                at = piece->at + piece->n;
        }
        memset(data + at, 0, IMAGE_BLOCK_SIZE - at);
}

static enum err begin_block(struct copy *copy, struct lane *lane, uint64_t block, struct err_note *note) {
        if (copy->source.chain) {
                lane->hold = chain_hold_begin(copy->source.chain);
                lane->is_held = true;
        }
        lane->block = block;
        lane->requests.n = 0;
        if (convert_source_pieces(&copy->source, block, &lane->pieces, note))
                return note->code;
        clear_gaps(lane);
        VEC_EACH (&lane->pieces.list, piece) {
                plan_request(copy, lane, IO_OP_READ, piece->file,
                             lane->memory + CONVERT_FRAME_HEAD + piece->at, piece->n, piece->file_at);
                copy->result.read += piece->n;
        }
        lane->state = LANE_READING;
        submit_planned(copy, lane);
        if (lane->pending == 0 && lane->is_held) {
                chain_hold_end(copy->source.chain, lane->hold);
                lane->is_held = false;
        }
        return ERR_NONE;
}

static enum err next_block(struct copy *copy, uint64_t *ret, struct err_note *note) {
        uint64_t n = div_up(copy->source.size, IMAGE_BLOCK_SIZE);

        if (copy->options->is_full && copy->target.format != CONVERT_VHD) {
                *ret = copy->next_block < n ? copy->next_block : UINT64_MAX;
                return ERR_NONE;
        }
        return convert_source_next(&copy->source, copy->next_block, ret, note);
}

static void read_ahead(struct copy *copy) {
        struct err_note note;

        while (copy->n_used < LANES && copy->next_block != UINT64_MAX && !copy->failure.code) {
                struct lane *lane = &copy->lanes[(copy->first + copy->n_used) % LANES];
                uint64_t block;

                if (next_block(copy, &block, &note)) {
                        fail(copy, &note);
                        return;
                }
                copy->next_block = block == UINT64_MAX ? UINT64_MAX : block + 1;
                if (block == UINT64_MAX)
                        return;
                copy->n_used++;
                if (begin_block(copy, lane, block, &note))
                        fail(copy, &note);
        }
}

/* ---- writing ---- */

/* The next run of what is not zeros in [*at, n), by granules: *at moves to its start, its end is returned; n
 * where there is none. */
static uint64_t next_run(const uint8_t *data, uint64_t *at, uint64_t n) {
        uint64_t end;

        while (*at < n && bytes_are_zero(data + *at, (size_t)min_u64(GRANULE, n - *at)))
                *at += GRANULE;
        *at = min_u64(*at, n);
        end = *at;
        while (end < n && !bytes_are_zero(data + end, (size_t)min_u64(GRANULE, n - end)))
                end += GRANULE;
        return min_u64(end, n);
}

static void plan_write(struct copy *copy, struct lane *lane, uint64_t from, uint64_t to, uint64_t file_at) {
        plan_request(copy, lane, IO_OP_WRITE, copy->target.data, lane->memory + CONVERT_FRAME_HEAD + from,
                     to - from, file_at + from);
        copy->result.written += to - from;
        copy->unsynced += to - from;
}

/* The head goes out with the run that touches it, or alone. */
static void plan_head(struct copy *copy, struct lane *lane, uint64_t *run_end, uint64_t run_at,
                      uint64_t file_at) {
        uint64_t n = CONVERT_FRAME_HEAD + (run_at == 0 ? *run_end : 0);

        plan_request(copy, lane, IO_OP_WRITE, copy->target.data, lane->memory, n,
                     file_at - CONVERT_FRAME_HEAD);
        copy->unsynced += n;
        if (run_at != 0)
                *run_end = 0;
        else
                copy->result.written += *run_end;
}

static void plan_block(struct copy *copy, struct lane *lane) {
        const uint8_t *data = lane->memory + CONVERT_FRAME_HEAD;
        uint64_t size = min_u64(IMAGE_BLOCK_SIZE, copy->source.size - lane->block * IMAGE_BLOCK_SIZE);
        uint64_t n = round_up(size, MEMORY_ALIGNMENT), at = 0, end, file_at;
        bool is_full = copy->options->is_full && copy->target.format != CONVERT_VHD;

        end = is_full ? n : next_run(data, &at, n);
        if (at == n)
                return; /* zeros only: nothing is allocated */
        if (convert_target_place(&copy->target, lane->block, lane->memory, &file_at)) {
                plan_head(copy, lane, &end, at, file_at);
                at = end;
                end = next_run(data, &at, n);
        }
        while (at < n) {
                plan_write(copy, lane, at, end, file_at);
                at = end;
                end = next_run(data, &at, n);
        }
}

/* Without this all would be left to the one sync at the end, and the disk idle until then. */
static void sync_meanwhile(struct copy *copy) {
        if (copy->options->cache != CONVERT_CACHED || copy->unsynced < SYNC_EVERY || copy->sync_is_pending)
                return;
        copy->unsynced = 0;
        copy->sync_is_pending = true;
        copy->sync.request = (struct io_request){.op = IO_OP_SYNC, .file = copy->target.plain};
        submit(copy, &copy->sync.request);
}

static enum err tell(struct copy *copy, struct err_note *note) {
        if (!copy->options->progress)
                return ERR_NONE;
        return copy->options->progress(copy->options->user, min_u64(copy->result.read, copy->total),
                                       copy->total, note);
}

/* Blocks that have been read, in their order: so the file is written in order too. */
static void decide(struct copy *copy) {
        struct err_note note;

        while (copy->n_decided < copy->n_used && !copy->failure.code) {
                struct lane *lane = &copy->lanes[(copy->first + copy->n_decided) % LANES];

                if (lane->pending)
                        return;
                copy->n_decided++;
                lane->requests.n = 0;
                plan_block(copy, lane);
                lane->state = LANE_WRITING;
                submit_planned(copy, lane);
                sync_meanwhile(copy);
                if (tell(copy, &note))
                        fail(copy, &note);
        }
}

static void retire(struct copy *copy) {
        while (copy->n_decided > 0 && copy->lanes[copy->first].pending == 0) {
                copy->lanes[copy->first].state = LANE_FREE;
                copy->first = (copy->first + 1) % LANES;
                copy->n_used--;
                copy->n_decided--;
        }
}

static enum err copy_blocks(struct copy *copy, struct err_note *note) {
        for (;;) {
                read_ahead(copy);
                decide(copy);
                retire(copy);
                if (copy->failure.code || (copy->n_used == 0 && copy->next_block == UINT64_MAX))
                        break;
                if (io_in_flight(copy->queue))
                        reap(copy, 1);
        }
        while (io_in_flight(copy->queue))
                reap(copy, 1);
        if (copy->failure.code)
                *note = copy->failure;
        return copy->failure.code;
}

/* ---- all of it ---- */

static void copy_fini(struct copy *copy) {
        if (copy->queue)
                io_queue_free(copy->queue);
        for (unsigned i = 0; i < LANES; i++) {
                if (copy->lanes[i].is_held)
                        chain_hold_end(copy->source.chain, copy->lanes[i].hold);
                free(copy->lanes[i].memory);
                vec_fini(&copy->lanes[i].pieces.list);
                vec_fini(&copy->lanes[i].requests);
        }
        convert_target_fini(&copy->target);
        convert_source_fini(&copy->source);
}
DEFINE_AUTO_IN_PLACE(struct copy, copy_fini);

static enum err check_space(struct copy *copy, const char *folder, struct err_note *note) {
        uint64_t need = copy->options->is_full ? copy->source.size : copy->total;
        struct io_space space;

        if (copy->options->ignore_space || io_space(copy->io, folder, &space, note) || need <= space.free)
                return ERR_NONE;
        return err_set(note, ERR_NO_SPACE, "%s has %s free, up to %s are needed (--force tries all the same)",
                       folder, text_size(space.free).s, text_size(need).s);
}

static enum err copy_run(struct copy *copy, const char *to, struct convert_result *ret,
                         struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};

        if (new_file_begin(copy->io, to, copy->options->may_replace ? NEW_FILE_REPLACE : 0, &made, note) ||
            convert_source_data(&copy->source, &copy->total, note) || check_space(copy, made.folder, note))
                return note->code;
        if (convert_target_open(copy->io, made.temporary, copy->source.size, copy->options, &copy->target,
                                note) ||
            io_queue_new(copy->io, QUEUE_DEPTH, &copy->queue, note))
                return note->code;
        for (unsigned i = 0; i < LANES; i++)
                copy->lanes[i].memory = mem_aligned(MEMORY_ALIGNMENT, CONVERT_FRAME_HEAD + IMAGE_BLOCK_SIZE);
        if (copy_blocks(copy, note) || convert_target_finish(&copy->target, note) ||
            new_file_commit(&made, note))
                return note->code;
        copy->result.size = copy->source.size;
        copy->result.uuid = copy->target.footer.uuid;
        *ret = copy->result;
        return ERR_NONE;
}

enum err convert_chain(struct io *io, struct chain *chain, const char *to,
                       const struct convert_options *options, struct convert_result *ret,
                       struct err_note *note) {
        AUTO(copy_fini) struct copy copy = {.io = io, .options = options};

        convert_source_of_chain(chain, &copy.source);
        return copy_run(&copy, to, ret, note);
}

enum err convert_raw(struct io *io, const char *from, const char *to, const struct convert_options *options,
                     struct convert_result *ret, struct err_note *note) {
        AUTO(copy_fini) struct copy copy = {.io = io, .options = options};

        if (convert_source_open(io, from, options->cache == CONVERT_DIRECT, &copy.source, note))
                return note->code;
        return copy_run(&copy, to, ret, note);
}
