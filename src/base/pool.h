// SPDX-License-Identifier: Apache-2.0
/* Threads for jobs that may wait long, for a disk, for somebody's turn: as many as are needed at once,
 * n_max at most; what is more waits, first come, first served.
 *
 *      pool_new(32)
 *      pool_add(pool, &job)            … job.run(job.user), in one of the threads
 *      pool_free(pool)                 waits until all that was added has run
 *
 * A job never waits for another job that was added later: with all threads waiting so, nobody would go on.
 *
 * Errors: none; where no thread can be had, those that are there do the work, or the one that adds it.
 * Threads: any; new and free: one.  Ownership: a job is the caller's, who leaves it alone from add until
 * it runs; from then on it is his again.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct pool;

struct pool_job {
        void (*run)(void *user); /* borrowed */
        void *user;              /* borrowed; handed to run */
        struct pool_job *next;   /* borrowed; the pool's */
};

struct pool *pool_new(unsigned n_max); /* 0: a job runs within pool_add, for tests */
/* pool_call refuses when so many wait. */
struct pool *pool_new_bounded(unsigned n_max, size_t n_waiting_max);
void pool_free(struct pool *);
DEFINE_AUTO(struct pool *, pool_free);

void pool_add(struct pool *, struct pool_job *);
/* The same with a job of the pool's own, user borrowed until it has run.  False: as many wait as may. */
MUST_USE bool pool_call(struct pool *, void (*run)(void *user), void *user);

#endif
