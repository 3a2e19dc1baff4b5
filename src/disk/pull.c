// SPDX-License-Identifier: Apache-2.0
#include "pull.h"

#include "mem.h"
#include "mover_tally.h"

struct pull {
        struct mover mover; /* the blocks; owned */
        struct image *top;  /* borrowed from the mover */
        enum pull_phase phase;
};

enum err pull_new(struct image *const *run, size_t n, const struct mover_options *options, struct pull **ret,
                  struct err_note *note) {
        AUTO(pull_free) struct pull *pull = mem_new(struct pull);

        pull->top = run[n - 1];
        if (mover_init(&pull->mover, run, n, n - 1, options, note))
                return err_wrap(note, "pull into %s", pull->top->path);
        pull->phase = mover_is_done(&pull->mover) ? PULL_SYNC : PULL_COPY;
        *ret = TAKE(pull);
        return ERR_NONE;
}

void pull_free(struct pull *pull) {
        mover_fini(&pull->mover);
        free(pull);
}

enum pull_phase pull_phase(const struct pull *pull) {
        return pull->phase;
}
uint64_t pull_bytes_total(const struct pull *pull) {
        return pull->mover.bytes_total;
}
uint64_t pull_bytes_done(const struct pull *pull) {
        return pull->mover.bytes_done;
}

void pull_pace(struct pull *pull, uint64_t batch_bytes, unsigned depth) {
        mover_pace(&pull->mover, batch_bytes, depth);
}

static enum err copy(struct pull *pull, struct err_note *note) {
        if (mover_copy(&pull->mover, pull->mover.live != NULL, note))
                return note->code;
        pull->phase = PULL_SYNC;
        return ERR_NONE;
}

/* Data first, and only then its bits, in memory too: a sync that fails may take the data away, and a reader
 * must find it below then. */
static enum err sync_top(struct pull *pull, struct err_note *note) {
        if (pull->top->ops->flush(pull->top, note) || mover_tell(&pull->mover, note) ||
            pull->top->ops->flush(pull->top, note))
                return note->code;
        mover_commit(&pull->mover); /* [C6] */
        pull->phase = mover_is_done(&pull->mover) ? PULL_FULL : PULL_COPY;
        return ERR_NONE;
}

static enum err step(struct pull *pull, struct err_note *note) {
        switch (pull->phase) {
        case PULL_COPY:
                return copy(pull, note);
        case PULL_SYNC:
                return sync_top(pull, note);
        case PULL_FULL:
                break;
        }
        return ERR_NONE;
}

enum err pull_step(struct pull *pull, struct err_note *note) {
        return step(pull, note) ? err_wrap(note, "pull into %s", pull->top->path) : ERR_NONE;
}
