// SPDX-License-Identifier: Apache-2.0
#include "push.h"

#include <inttypes.h>
#include <stdlib.h>

#include "mem.h"
#include "push_batch.h"
#include "push_tally.h"

enum {
        BATCH_BLOCKS_MAX = 8192, /* of blocks with little in them; bounds what a flush brings down */
        BATCH_BYTES_DEFAULT = 32 * 1024 * 1024,
        SHORT_MAX = 64, /* blocks without a place before a batch goes with what it has */
};

/* A block that the layers hold yet.  Picks are moved in the order of the file that holds the newest of
 * them. */
struct pick {
        uint64_t key; /* layer from the top << 32 | sector in its file */
        uint32_t block;
        uint32_t n_sectors; /* to move, when it was looked at */
};

struct push {
        struct image **run; /* owned array, counted images */
        size_t n;
        uint64_t batch_bytes, blocks_max; /* of a batch */
        bool may_clone;
        struct chain *live;     /* borrowed, outlives us; or NULL */
        VEC(struct pick) picks; /* owned */
        size_t next;            /* all before are moved */
        uint64_t bytes_total, bytes_done;
        enum push_phase phase;

        /* the batch: picks[next … next + n_batch), as blocks */
        struct push_batch batch;    /* owned */
        struct push_copier *copier; /* owned; NULL until it is needed */
        VEC(uint64_t) moving;       /* owned; the blocks of the batch */
        uint64_t bytes_moving;
        size_t layer;   /* that is cleared or punched next */
        bool *has_left; /* owned; n: blocks of the batch left this layer */
};

/* ---- new ---- */

static void add_pick(void *user, const struct push_found *found) {
        struct push *push = user;

        *vec_add(&push->picks) =
                (struct pick){.key = (uint64_t)(push->n - 1 - found->layer) << 32 | found->where,
                              .block = (uint32_t)found->block,
                              .n_sectors = found->n_sectors};
        push->bytes_total += (uint64_t)found->n_sectors * SECTOR;
}

static int compare_picks(const void *a, const void *b) {
        const struct pick *x = a, *y = b;

        if (x->key != y->key)
                return x->key < y->key ? -1 : 1;
        return (x->block > y->block) - (x->block < y->block);
}

/* What lies past a layer's end cannot be seen through it: moved below it, it would be gone from the disk. */
static enum err check_sizes(struct image *const *run, size_t n, struct err_note *note) {
        for (size_t i = 0; i + 1 < n; i++)
                if (run[i]->size < run[n - 1]->size)
                        return err_set(note, ERR_INVALID,
                                       "%s has %" PRIu64 " bytes and %s above it %" PRIu64
                                       ": it must be grown first",
                                       run[i]->path, run[i]->size, run[n - 1]->path, run[n - 1]->size);
        return ERR_NONE;
}

enum err push_new(struct image *const *run, size_t n, const struct push_options *options, struct push **ret,
                  struct err_note *note) {
        AUTO(push_free) struct push *push = mem_new(struct push);

        push->batch_bytes = options && options->batch_bytes ? options->batch_bytes : BATCH_BYTES_DEFAULT;
        push->blocks_max = BATCH_BLOCKS_MAX;
        push->may_clone = !(options && options->never_clones);
        push->live = options ? options->live : NULL;
        push->run = mem_grow(NULL, n, sizeof *push->run);
        push->has_left = mem_zero(n * sizeof *push->has_left);
        for (push->n = 0; push->n < n; push->n++) {
                push->run[push->n] = run[push->n];
                run[push->n]->references++;
        }
        if (check_sizes(run, n, note) || push_tally(run, n, add_pick, push, note))
                return err_wrap(note, "push into %s", run[0]->path);
        if (push->picks.n > 0)
                qsort(push->picks.data, push->picks.n, sizeof *push->picks.data, compare_picks);
        push->phase = push->picks.n > 0 ? PUSH_COPY : PUSH_EMPTY;
        *ret = TAKE(push);
        return ERR_NONE;
}

void push_free(struct push *push) {
        for (size_t i = 0; i < push->n; i++)
                image_unref(push->run[i]);
        if (push->copier)
                push_copier_free(push->copier);
        push_batch_fini(&push->batch);
        vec_fini(&push->picks);
        vec_fini(&push->moving);
        free(push->has_left);
        free(push->run);
        free(push);
}

enum push_phase push_phase(const struct push *push) {
        return push->phase;
}
uint64_t push_bytes_total(const struct push *push) {
        return push->bytes_total;
}
uint64_t push_bytes_done(const struct push *push) {
        return push->bytes_done;
}

/* ---- copy ---- */

/* As many blocks as fill a batch, or as were found to fit.  Of those that find no place some are passed over:
 * others may have one already. */
static enum err choose(struct push *push, struct err_note *note) {
        size_t n_short = 0, n_chosen = 0;

        push_batch_reset(&push->batch);
        for (size_t i = push->next; i < push->picks.n && push->batch.space < push->batch_bytes &&
                                    n_chosen < push->blocks_max && n_short < SHORT_MAX;
             i++) {
                if (push_batch_add(&push->batch, push->run, push->n, push->picks.data[i].block, note))
                        return note->code;
                if (push->batch.blocks.data[push->batch.blocks.n - 1].is_short)
                        n_short++;
                else
                        n_chosen++;
        }
        return ERR_NONE;
}

/* The blocks that were copied come first among the picks, in their order; the short ones wait behind them.
 * The total follows what was found now. */
static void settle(struct push *push) {
        struct pick *picks = push->picks.data + push->next;
        VEC(struct pick) waiting = {0};
        size_t n = push->batch.blocks.n, kept = 0;

        push->moving.n = 0;
        push->bytes_moving = 0;
        for (size_t i = 0; i < n; i++) {
                const struct push_batch_block *copied = &push->batch.blocks.data[i];

                push->bytes_total += (uint64_t)copied->n_sectors * SECTOR;
                push->bytes_total -= (uint64_t)picks[i].n_sectors * SECTOR;
                picks[i].n_sectors = copied->n_sectors;
                if (copied->is_short) {
                        *vec_add(&waiting) = picks[i];
                        continue;
                }
                *vec_add(&push->moving) = copied->block;
                push->bytes_moving += (uint64_t)copied->n_sectors * SECTOR;
                picks[kept++] = picks[i];
        }
        VEC_EACH (&waiting, each)
                picks[kept++] = *each;
        vec_fini(&waiting);
}

/* ---- copy, from under a guest that writes ---- */

static bool is_live(const struct push *push) {
        return push->live && chain_is_moving(push->live);
}

/* One block, looked at and copied while nobody changes it. */
static enum err copy_block(struct push *push, struct pick *pick, bool *ret_is_short, struct err_note *note) {
        struct push_batch *batch = &push->batch;
        struct chain_block held;
        enum err e;

        push_batch_reset(batch);
        chain_hold_block(push->live, pick->block, &held);
        e = push_batch_add(batch, push->run, push->n, pick->block, note);
        if (!e)
                e = push_copy(push->copier, batch, push->run, note);
        *ret_is_short = !e && batch->blocks.data[0].is_short;
        chain_release_block(push->live, &held, !e && !*ret_is_short);
        if (e || !*ret_is_short)
                return e;
        push_batch_give_back(batch, push->run[0]);
        *note = batch->shortage;
        return ERR_NONE;
}

static void take_copied(struct push *push, struct pick *pick) {
        uint32_t n_sectors = push->batch.blocks.data[0].n_sectors;

        push->bytes_total += (uint64_t)n_sectors * SECTOR;
        push->bytes_total -= (uint64_t)pick->n_sectors * SECTOR;
        pick->n_sectors = n_sectors;
        *vec_add(&push->moving) = pick->block;
        push->bytes_moving += (uint64_t)n_sectors * SECTOR;
}

/* Block by block: each is held only for its own copy.  Where there is no space for one the batch ends. */
static enum err copy_live(struct push *push, struct err_note *note) {
        uint64_t space = 0;
        bool is_short = false;

        push->moving.n = 0;
        push->bytes_moving = 0;
        for (size_t i = push->next; i < push->picks.n && space < push->batch_bytes && !is_short; i++) {
                if (copy_block(push, &push->picks.data[i], &is_short, note))
                        return note->code;
                if (!is_short)
                        take_copied(push, &push->picks.data[i]);
                space += push->batch.space;
        }
        return push->moving.n == 0 ? note->code : ERR_NONE;
}

static enum err copy_batch(struct push *push, struct err_note *note) {
        if (choose(push, note) || push_copy(push->copier, &push->batch, push->run, note))
                return note->code;
        if (push->batch.shortage.code)
                push_batch_give_back(&push->batch, push->run[0]);
        settle(push);
        return ERR_NONE;
}

/* Where space is short, many blocks that are copied at once may each lack the rest: then as many as were
 * whole this time, or one.  What a batch gave back lets the next be larger. */
static enum err copy(struct push *push, struct err_note *note) {
        bool was_alone;

        if (!push->copier &&
            push_copier_new(push->run[0]->images->io, push->n, push->may_clone, &push->copier, note))
                return note->code;
        if (is_live(push)) {
                if (copy_live(push, note))
                        return note->code;
                push->phase = PUSH_SYNC;
                return ERR_NONE;
        }
        do {
                was_alone = push->blocks_max == 1;
                if (copy_batch(push, note))
                        return note->code;
                if (push->batch.shortage.code)
                        push->blocks_max = max_u64(push->moving.n, 1);
                else
                        push->blocks_max = min_u64(push->blocks_max * 2, BATCH_BLOCKS_MAX);
        } while (push->moving.n == 0 && !was_alone);
        if (push->moving.n == 0) {
                *note = push->batch.shortage;
                return note->code;
        }
        push->phase = PUSH_SYNC;
        return ERR_NONE;
}

/* ---- sync, clear ---- */

/* Before any clear is written: a clear that lands alone would lose what the target has only in memory. */
static enum err sync_target(struct push *push, struct err_note *note) {
        if (push->run[0]->ops->flush(push->run[0], note))
                return note->code;
        memset(push->has_left, 0, push->n * sizeof *push->has_left);
        push->layer = 1;
        push->phase = PUSH_CLEAR;
        return ERR_NONE;
}

/* Whether any of the batch's blocks is in the layer; they are on their way out of it then. */
static bool leave(struct push *push, size_t layer) {
        struct image *image = push->run[layer];
        uint64_t n_blocks = image_blocks(image);

        VEC_EACH (&push->moving, block)
                if (*block < n_blocks && image->ops->slot(image, *block) & SLOT_HELD) {
                        image->ops->leave(image, *block);
                        push->has_left[layer] = true;
                }
        return push->has_left[layer];
}

/* The deepest layer that holds any of the batch, and no other: its clears are durable before the next step
 * can write one above it. */
static enum err clear_one(struct push *push, struct err_note *note) {
        while (push->layer < push->n && !leave(push, push->layer))
                push->layer++;
        if (push->layer < push->n) {
                struct image *image = push->run[push->layer];

                if (image->ops->flush(image, note))
                        return note->code;
                push->layer++;
        }
        if (push->layer == push->n) {
                push->bytes_done += push->bytes_moving;
                push->phase = PUSH_PUBLISH;
        }
        return ERR_NONE;
}

/* ---- publish, punch ---- */

/* First all chains find the blocks in the target, then the layers forget them; when the last reader that
 * found them there before has gone, nothing can resolve to their bytes any more [C3]. */
static void publish(struct push *push, struct chain *const *chains, size_t n_chains) {
        bool was_live = is_live(push);

        /* A change that had chosen the layer to go to would give the block back to it. */
        if (was_live)
                chain_pause_changes(push->live);
        for (size_t i = 0; i < n_chains; i++)
                if (chain_passes(chains[i], push->run[0]))
                        chain_publish_moved(chains[i], push->run[0], push->run[push->n - 1],
                                            push->moving.data, push->moving.n);
        for (size_t i = 1; i < push->n; i++)
                if (push->has_left[i])
                        push->run[i]->ops->forget_left(push->run[i]);
        if (was_live)
                chain_resume_changes(push->live, push->moving.data, push->moving.n);
        for (size_t i = 1; i < push->n; i++)
                if (push->has_left[i])
                        image_wait_readers(push->run[i]);
        push->next += push->moving.n; /* [C6] never moved again */
        push->layer = 1;
        push->phase = PUSH_PUNCH;
}

static enum err punch(struct push *push, struct err_note *note) {
        for (; push->layer < push->n; push->layer++) {
                struct image *image = push->run[push->layer];

                if (push->has_left[push->layer] && image->ops->punch_left(image, note))
                        return note->code;
        }
        push->phase = push->next < push->picks.n ? PUSH_COPY : PUSH_EMPTY;
        return ERR_NONE;
}

static enum err step(struct push *push, struct chain *const *chains, size_t n_chains, struct err_note *note) {
        switch (push->phase) {
        case PUSH_COPY:
                return copy(push, note);
        case PUSH_SYNC:
                return sync_target(push, note);
        case PUSH_CLEAR:
                return clear_one(push, note);
        case PUSH_PUBLISH:
                publish(push, chains, n_chains);
                return ERR_NONE;
        case PUSH_PUNCH:
                return punch(push, note);
        case PUSH_EMPTY:
                break;
        }
        return ERR_NONE;
}

enum err push_step(struct push *push, struct chain *const *chains, size_t n_chains, struct err_note *note) {
        if (step(push, chains, n_chains, note))
                return err_wrap(note, "push into %s", push->run[0]->path);
        return ERR_NONE;
}

enum err push_settle(struct push *push, struct chain *const *chains, size_t n_chains, struct err_note *note) {
        while (push->phase == PUSH_CLEAR || push->phase == PUSH_PUBLISH)
                if (push_step(push, chains, n_chains, note))
                        return note->code;
        return ERR_NONE;
}
