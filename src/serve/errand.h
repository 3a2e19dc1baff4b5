// SPDX-License-Identifier: Apache-2.0
/* Something that may wait, done for a loop that may not: run in a thread of a pool, and told of in the
 * loop's.
 *
 *      errand_begin(errand, pool, loop)
 *        errand->run(user)             in a thread
 *        errand->ended(user)           in the loop's, afterwards
 *
 * Errors: none.  Threads: the loop's, for begin and ended.  Ownership: an errand and what run uses are
 * left alone by the loop's thread from begin until ended.
 */
#ifndef SERVE_ERRAND_H
#define SERVE_ERRAND_H

#include "loop.h"
#include "pool.h"

struct errand {
        void (*run)(void *user);   /* borrowed */
        void (*ended)(void *user); /* borrowed */
        void *user;                /* borrowed; handed to both */
        struct pool_job job;       /* ours, as what follows */
        struct loop *loop;         /* borrowed */
};

void errand_begin(struct errand *, struct pool *, struct loop *);

#endif
