// SPDX-License-Identifier: Apache-2.0
/* Threads that work on slots, many at once, and finish them one at a time in the order in which they were
 * given: a bounded queue before the work, and one behind it that puts things in order again.
 *
 *      crew_new(&options, &crew, note)
 *      crew_next(crew, wait_ns, &slot, note)   … fill it …   crew_give(crew)
 *      crew_wait(crew, wait_ns, &is_idle, note)
 *      crew_free(crew)
 *
 *   FREE ──next──> FILLING ──give──> GIVEN ──a thread──> AT WORK ──> WORKED ──in its turn──> FREE
 *
 * A slot is a struct of the caller's with all the memory that its work needs, so nothing is allocated on the
 * way; how much is in flight is how many slots there are.
 *
 * Errors: the first of work or finish, from then on of next and wait too, and nothing is worked on any more.
 * Threads: next, give and wait: one at a time; work: several at once; finish: one at a time.
 * Ownership: slots are the caller's, who leaves alone what he has given until its finish.
 */
#ifndef VAULT_CREW_H
#define VAULT_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"

struct crew;

struct crew_options {
        /* thread: its number, below n_threads; for what each has of its own. */
        enum err (*work)(void *user, unsigned thread, void *slot, struct err_note *); /* borrowed */
        enum err (*finish)(void *user, void *slot, struct err_note *); /* borrowed; NULL: nothing to do */
        void *user;                                                    /* borrowed; handed to both */
        unsigned n_threads;                                            /* at least one */
        void *slots; /* borrowed; n_slots structs in a row */
        size_t slot_size;
        unsigned n_slots; /* at least one */
};

#define CREW_FOREVER UINT64_MAX

unsigned crew_cores(void); /* of this machine */

MUST_USE enum err crew_new(const struct crew_options *, struct crew **ret, struct err_note *);
void crew_free(struct crew *); /* what is at work ends, the rest is not begun */
DEFINE_AUTO(struct crew *, crew_free);

/* A free slot, once there is one; NULL where there was none in time.  The same until it is given. */
MUST_USE enum err crew_next(struct crew *, uint64_t wait_ns, void **ret_slot, struct err_note *);
void crew_give(struct crew *);
/* Whether all that was given is finished, once it is so or the time is over. */
MUST_USE enum err crew_wait(struct crew *, uint64_t wait_ns, bool *ret_is_idle, struct err_note *);

#endif
