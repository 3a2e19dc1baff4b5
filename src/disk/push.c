// SPDX-License-Identifier: Apache-2.0
#include "push.h"

#include <inttypes.h>
#include <stdlib.h>

#include "mem.h"
#include "mover.h"

struct push {
        struct mover mover; /* the blocks; owned, its batch is the one that goes through the phases */
        struct image **run; /* borrowed from the mover */
        size_t n;
        enum push_phase phase;
        size_t layer;   /* that is cleared or punched next */
        bool *has_left; /* owned; one a layer: blocks of the batch left it */
};

/* ---- new ---- */

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

enum err push_new(struct image *const *run, size_t n, const struct mover_options *options, struct push **ret,
                  struct err_note *note) {
        AUTO(push_free) struct push *push = mem_new(struct push);

        push->has_left = mem_zero(n * sizeof *push->has_left);
        if (check_sizes(run, n, note) || mover_init(&push->mover, run, n, 0, options, note))
                return err_wrap(note, "push into %s", run[0]->path);
        push->run = push->mover.run;
        push->n = n;
        push->phase = mover_is_done(&push->mover) ? PUSH_EMPTY : PUSH_COPY;
        *ret = TAKE(push);
        return ERR_NONE;
}

void push_free(struct push *push) {
        mover_fini(&push->mover);
        free(push->has_left);
        free(push);
}

enum push_phase push_phase(const struct push *push) {
        return push->phase;
}
uint64_t push_bytes_total(const struct push *push) {
        return push->mover.bytes_total;
}
uint64_t push_bytes_done(const struct push *push) {
        return push->mover.bytes_done;
}

void push_pace(struct push *push, uint64_t batch_bytes, unsigned depth) {
        mover_pace(&push->mover, batch_bytes, depth);
}

/* ---- copy ---- */

static bool is_live(const struct push *push) {
        return push->mover.live && chain_is_moving(push->mover.live);
}

static enum err copy(struct push *push, struct err_note *note) {
        if (mover_copy(&push->mover, is_live(push), note))
                return note->code;
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

        VEC_EACH (&push->mover.moving, block)
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
        if (push->layer == push->n)
                push->phase = PUSH_PUBLISH;
        return ERR_NONE;
}

/* ---- publish, punch ---- */

/* First all chains find the blocks in the target, then the layers forget them; when the last reader that
 * found them there before has gone, nothing can resolve to their bytes any more [C3]. */
static void publish(struct push *push, struct chain *const *chains, size_t n_chains) {
        bool was_live = is_live(push);

        /* A change that had chosen the layer to go to would give the block back to it. */
        if (was_live)
                chain_pause_changes(push->mover.live);
        for (size_t i = 0; i < n_chains; i++)
                if (chain_passes(chains[i], push->run[0]))
                        chain_publish_moved(chains[i], push->run[0], push->run[push->n - 1],
                                            push->mover.moving.data, push->mover.moving.n);
        for (size_t i = 1; i < push->n; i++)
                if (push->has_left[i])
                        push->run[i]->ops->forget_left(push->run[i]);
        if (was_live)
                chain_resume_changes(push->mover.live, push->mover.moving.data, push->mover.moving.n);
        for (size_t i = 1; i < push->n; i++)
                if (push->has_left[i])
                        image_wait_readers(push->run[i]);
        mover_commit(&push->mover); /* [C6] */
        push->layer = 1;
        push->phase = PUSH_PUNCH;
}

static enum err punch(struct push *push, struct err_note *note) {
        for (; push->layer < push->n; push->layer++) {
                struct image *image = push->run[push->layer];

                if (push->has_left[push->layer] && image->ops->punch_left(image, note))
                        return note->code;
        }
        push->phase = mover_is_done(&push->mover) ? PUSH_EMPTY : PUSH_COPY;
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
