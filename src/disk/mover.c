// SPDX-License-Identifier: Apache-2.0
#include "mover.h"

#include <stdlib.h>

#include "chain_move.h"
#include "mem.h"
#include "mover_tally.h"

enum {
        BATCH_BLOCKS_MAX = 8192, /* of blocks with little in them; bounds what a flush brings down */
        BATCH_BYTES_DEFAULT = 32 * 1024 * 1024,
        SHARED_TIMES = 32, /* a batch of blocks that are shared, and so take no space, is so much larger */
        SHORT_MAX = 64,    /* blocks without a place before a batch goes with what it has */
};

/* ---- init ---- */

/* A block of which nothing is to be copied must still leave its layers, if it is to leave them. */
static void add_pick(void *user, const struct mover_found *found) {
        struct mover *mover = user;

        if (mover->into > 0 && found->n_sectors == 0)
                return;
        *vec_add(&mover->picks) =
                (struct mover_pick){.key = (uint64_t)(mover->n - 1 - found->layer) << 32 | found->where,
                                    .block = (uint32_t)found->block,
                                    .n_sectors = found->n_sectors};
        mover->bytes_total += (uint64_t)found->n_sectors * SECTOR;
}

static int compare_picks(const void *a, const void *b) {
        const struct mover_pick *x = a, *y = b;

        if (x->key != y->key)
                return x->key < y->key ? -1 : 1;
        return (x->block > y->block) - (x->block < y->block);
}

enum err mover_init(struct mover *mover, struct image *const *run, size_t n, size_t into,
                    const struct mover_options *options, struct err_note *note) {
        static const struct mover_options none;

        if (!options)
                options = &none;
        *mover = (struct mover){.into = into,
                                .batch_bytes =
                                        options->batch_bytes ? options->batch_bytes : BATCH_BYTES_DEFAULT,
                                .blocks_max = BATCH_BLOCKS_MAX,
                                .may_clone = !options->never_clones,
                                .live = options->live};
        mover->run = mem_grow(NULL, n, sizeof *mover->run);
        for (mover->n = 0; mover->n < n; mover->n++)
                mover->run[mover->n] = image_ref(run[mover->n]);
        if (mover_tally(run, n, into, add_pick, mover, note))
                return note->code;
        if (mover->picks.n > 0)
                qsort(mover->picks.data, mover->picks.n, sizeof *mover->picks.data, compare_picks);
        return ERR_NONE;
}

void mover_fini(struct mover *mover) {
        for (size_t i = 0; i < mover->n; i++)
                image_unref(mover->run[i]);
        if (mover->copier)
                mover_copier_free(mover->copier);
        mover_batch_fini(&mover->batch);
        vec_fini(&mover->picks);
        vec_fini(&mover->moving);
        free(mover->run);
}

void mover_pace(struct mover *mover, uint64_t batch_bytes, unsigned depth) {
        mover->batch_bytes = batch_bytes ? batch_bytes : BATCH_BYTES_DEFAULT;
        mover->depth = depth;
}

bool mover_is_done(const struct mover *mover) {
        return mover->next == mover->picks.n;
}

/* ---- a batch ---- */

/* What was copied of a block whose rest found no space.  Of a pull the top has it from then on. */
static void give_back(struct mover *mover) {
        if (mover->into == 0)
                mover_batch_give_back(&mover->batch, mover->run[0]);
}

static void begin_batch(struct mover *mover) {
        mover->moving.n = 0;
        mover->bytes_moving = 0;
}

/* The total follows what was found now. */
static void count(struct mover *mover, struct mover_pick *pick, uint32_t n_sectors) {
        mover->bytes_total += (uint64_t)n_sectors * SECTOR;
        mover->bytes_total -= (uint64_t)pick->n_sectors * SECTOR;
        pick->n_sectors = n_sectors;
}

static void take(struct mover *mover, const struct mover_pick *pick) {
        *vec_add(&mover->moving) = pick->block;
        mover->bytes_moving += (uint64_t)pick->n_sectors * SECTOR;
}

/* What is shared takes no space, and syncs are all that it costs: the fewer batches the better.  Not where
 * the batch is to be small: somebody has set a limit. */
static bool is_full(const struct mover *mover) {
        const struct mover_batch *batch = &mover->batch;
        bool is_shared = mover_copier_shares(mover->copier) && mover->batch_bytes >= BATCH_BYTES_DEFAULT;

        return batch->space - (is_shared ? batch->sharable : 0) >= mover->batch_bytes ||
               batch->space >= mover->batch_bytes * (is_shared ? SHARED_TIMES : 1);
}

/* As many blocks as fill a batch, or as were found to fit.  Of those that find no place some are passed over:
 * others may have one already. */
static enum err choose(struct mover *mover, struct err_note *note) {
        size_t n_short = 0, n_chosen = 0;

        mover_batch_reset(&mover->batch);
        for (size_t i = mover->next;
             i < mover->picks.n && !is_full(mover) && n_chosen < mover->blocks_max && n_short < SHORT_MAX;
             i++) {
                if (mover_batch_add(&mover->batch, mover->run, mover->n, mover->into,
                                    mover->picks.data[i].block, note))
                        return note->code;
                if (mover->batch.blocks.data[mover->batch.blocks.n - 1].is_short)
                        n_short++;
                else
                        n_chosen++;
        }
        return ERR_NONE;
}

/* The blocks that were copied come first among the picks, in their order; the short ones wait behind them. */
static void settle(struct mover *mover) {
        struct mover_pick *picks = mover->picks.data + mover->next;
        VEC(struct mover_pick) waiting = {0};
        size_t n = mover->batch.blocks.n, kept = 0;

        begin_batch(mover);
        for (size_t i = 0; i < n; i++) {
                const struct mover_batch_block *copied = &mover->batch.blocks.data[i];

                count(mover, &picks[i], copied->n_sectors);
                if (copied->is_short) {
                        *vec_add(&waiting) = picks[i];
                        continue;
                }
                take(mover, &picks[i]);
                picks[kept++] = picks[i];
        }
        VEC_EACH (&waiting, each)
                picks[kept++] = *each;
        vec_fini(&waiting);
}

static enum err copy_batch(struct mover *mover, struct err_note *note) {
        if (choose(mover, note) || mover_copier_copy(mover->copier, &mover->batch, mover->run, note))
                return note->code;
        if (mover->batch.shortage.code)
                give_back(mover);
        settle(mover);
        return ERR_NONE;
}

/* Where space is short, many blocks that are copied at once may each lack the rest: then as many as were
 * whole this time, or one.  What a batch gave back lets the next be larger. */
static enum err copy_frozen(struct mover *mover, struct err_note *note) {
        bool was_alone;

        do {
                was_alone = mover->blocks_max == 1;
                if (copy_batch(mover, note))
                        return note->code;
                if (mover->batch.shortage.code)
                        mover->blocks_max = max_u64(mover->moving.n, 1);
                else
                        mover->blocks_max = min_u64(mover->blocks_max * 2, BATCH_BLOCKS_MAX);
        } while (mover->moving.n == 0 && !was_alone);
        if (mover->moving.n == 0) {
                *note = mover->batch.shortage;
                return note->code;
        }
        return ERR_NONE;
}

/* ---- a batch, from under a guest that writes ---- */

/* One block, looked at and copied while nobody changes it. */
static enum err copy_block(struct mover *mover, const struct mover_pick *pick, bool *ret_is_short,
                           struct err_note *note) {
        struct mover_batch *batch = &mover->batch;
        struct chain_block held;
        enum err e;

        mover_batch_reset(batch);
        chain_hold_block(mover->live, pick->block, &held);
        e = mover_batch_add(batch, mover->run, mover->n, mover->into, pick->block, note);
        if (!e)
                e = mover_copier_copy(mover->copier, batch, mover->run, note);
        *ret_is_short = !e && batch->blocks.data[0].is_short;
        chain_release_block(mover->live, &held, mover->into == 0 && !e && !*ret_is_short);
        if (e || !*ret_is_short)
                return e;
        give_back(mover);
        *note = batch->shortage;
        return ERR_NONE;
}

/* Block by block: each is held only for its own copy.  Where there is no space for one the batch ends. */
static enum err copy_live(struct mover *mover, struct err_note *note) {
        uint64_t space = 0;
        bool is_short = false;

        begin_batch(mover);
        for (size_t i = mover->next; i < mover->picks.n && space < mover->batch_bytes && !is_short; i++) {
                struct mover_pick *pick = &mover->picks.data[i];

                if (copy_block(mover, pick, &is_short, note))
                        return note->code;
                if (!is_short) {
                        count(mover, pick, mover->batch.blocks.data[0].n_sectors);
                        take(mover, pick);
                }
                space += mover->batch.space;
        }
        return mover->moving.n == 0 ? note->code : ERR_NONE;
}

enum err mover_copy(struct mover *mover, bool is_live, struct err_note *note) {
        if (!mover->copier && mover_copier_new(mover->run[0]->images->io, mover->n, mover->into,
                                               mover->may_clone, &mover->copier, note))
                return note->code;
        mover_copier_pace(mover->copier, mover->depth);
        mover_copier_forget(mover->copier);
        return is_live ? copy_live(mover, note) : copy_frozen(mover, note);
}

enum err mover_tell(struct mover *mover, struct err_note *note) {
        return mover->copier ? mover_copier_tell(mover->copier, mover->run[mover->into], note) : ERR_NONE;
}

void mover_commit(struct mover *mover) {
        mover->next += mover->moving.n; /* [C6] never moved again */
        mover->bytes_done += mover->bytes_moving;
        begin_batch(mover);
}
