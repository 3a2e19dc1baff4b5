// SPDX-License-Identifier: Apache-2.0
#include "target_retry.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bytes.h"
#include "mem.h"
#include "nap.h"

#define WAIT_FIRST_NS UINT64_C(200000000)
#define WAIT_MOST_NS  UINT64_C(15000000000)

struct target_retry {
        struct target target; /* first */
        struct io *io;        /* borrowed, outlives it; clock and dice */
        struct target *below; /* owned */
        struct target_retry_options options;
        _Atomic bool has_given_up; /* on something that was to be read */
};

static struct target_retry *retry_of(struct target *target) {
        return (struct target_retry *)target;
}

static const struct target_ops *ops_below(struct target *target) {
        return retry_of(target)->below->ops;
}

/* ---- whether, and when ----------------------------------------------------------------------- */

static bool may_pass(enum err failed) {
        return failed == ERR_IO || failed == ERR_BUSY || failed == ERR_CLOSED || failed == ERR_NO_SPACE;
}

/* One operation, from its first try to its end. */
struct attempt {
        struct target_retry *retry; /* borrowed */
        bool is_read;
        uint64_t began_ns; /* when it first failed */
        unsigned n_failed;
};

/* Twice as long each time, and half of it by the dice: many who lost the same server come back apart. */
static uint64_t wait_of(const struct attempt *attempt) {
        unsigned n = attempt->n_failed < 8 ? attempt->n_failed : 8;
        uint64_t wait = min_u64(WAIT_FIRST_NS << (n - 1), WAIT_MOST_NS);

        return wait / 2 + io_random_u64(attempt->retry->io) % (wait / 2);
}

static uint64_t patience_of(const struct attempt *attempt) {
        bool is_short = attempt->is_read && atomic_load(&attempt->retry->has_given_up);

        return attempt->retry->options.patience_ns / (is_short ? 60 : 1);
}

/* What has just failed is tried again when it returns true; else it is over, and the note says how long it
 * was tried. */
static bool again(struct attempt *attempt, struct err_note *note) {
        const struct target_retry_options *options = &attempt->retry->options;
        uint64_t now = io_now_ns(attempt->retry->io), wait;

        if (!may_pass(note->code))
                return false;
        if (attempt->n_failed++ == 0)
                attempt->began_ns = now;
        wait = wait_of(attempt);
        if (now - attempt->began_ns + wait > patience_of(attempt)) {
                if (attempt->is_read)
                        atomic_store(&attempt->retry->has_given_up, true);
                if (attempt->n_failed > 1)
                        (void)err_wrap(note, "tried %u times in %" PRIu64 " s", attempt->n_failed,
                                       (now - attempt->began_ns) / 1000000000);
                return false;
        }
        if (options->waits)
                options->waits(options->user, note->text, wait);
        return nap(attempt->retry->io, wait, options->stop);
}

#define TRY(attempt, call)                                                                                   \
        do {                                                                                                 \
                do {                                                                                         \
                        if ((call) == ERR_NONE)                                                              \
                                return ERR_NONE;                                                             \
                } while (again((attempt), note));                                                            \
                return note->code;                                                                           \
        } while (0)

/* ---- the operations -------------------------------------------------------------------------- */

static enum err retry_list(struct target *target, const char *prefix, struct target_list *ret,
                           struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target)};

        while (ops_below(target)->list(retry_of(target)->below, prefix, ret, note)) {
                target_list_fini(ret); /* half of a listing */
                if (!again(&attempt, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err retry_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n,
                           size_t *ret_n, struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target), .is_read = true};

        TRY(&attempt, ops_below(target)->read(attempt.retry->below, name, at, ret, n, ret_n, note));
}

static enum err retry_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target)};

        TRY(&attempt, ops_below(target)->size(attempt.retry->below, name, ret, note));
}

static enum err retry_put(struct target *target, const char *name, const struct iovec *data, unsigned n,
                          bool replace, struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target)};

        TRY(&attempt, ops_below(target)->put(attempt.retry->below, name, data, n,
                                             replace || attempt.n_failed > 0, note));
}

static enum err retry_remove(struct target *target, const char *name, struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target)};

        TRY(&attempt, ops_below(target)->remove(attempt.retry->below, name, note));
}

static enum err retry_settle(struct target *target, const char *prefix, struct err_note *note) {
        struct attempt attempt = {.retry = retry_of(target)};

        TRY(&attempt, ops_below(target)->settle(attempt.retry->below, prefix, note));
}

static void retry_free(struct target *target) {
        target_close(retry_of(target)->below);
        free(target);
}

/* Of one that has nothing to settle, there is nothing to try. */
static const struct target_ops retry_ops[2] = {
        {.kind = "patient",
         .list = retry_list,
         .read = retry_read,
         .size = retry_size,
         .put = retry_put,
         .remove = retry_remove,
         .free = retry_free},
        {.kind = "patient",
         .list = retry_list,
         .read = retry_read,
         .size = retry_size,
         .put = retry_put,
         .remove = retry_remove,
         .settle = retry_settle,
         .free = retry_free},
};

struct target *target_retry_new(struct io *io, struct target *below,
                                const struct target_retry_options *options) {
        struct target_retry *retry = mem_new(struct target_retry);

        retry->target.ops = &retry_ops[below->ops->settle != NULL];
        retry->target.where = mem_text(below->where);
        retry->io = io;
        retry->below = below;
        retry->options = *options;
        return &retry->target;
}
