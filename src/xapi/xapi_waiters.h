// SPDX-License-Identifier: Apache-2.0
/* Calls that wait until something changes, each known by its loop; none of them holds a thread.
 *
 *      xapi_waiters_add(waiters, &waiter)      in the loop's thread, of waiter->loop
 *        waiter->wake(waiter)                  in the loop's thread, once; it is not in the list any more
 *      xapi_waiters_remove(waiters, &waiter)   in the loop's thread; wake is not called after it
 *
 * Errors: none.  Threads: add, remove and wake: the loop's; changes come from any.
 */
#ifndef XAPI_XAPI_WAITERS_H
#define XAPI_XAPI_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "objects.h"

struct xapi_waiters;

struct xapi_waiter {
        struct loop *loop;                  /* borrowed */
        void (*wake)(struct xapi_waiter *); /* borrowed */
        uint64_t generation;                /* what it knows; another one wakes it */
        uint64_t until_ns;                  /* by the io's clock; then it is woken in any case */

        /* Kept by the list. */
        struct xapi_waiters *waiters;     /* borrowed */
        struct xapi_post *post;           /* shared, counted: with what was posted; NULL: it does not wait */
        struct loop_timer *timer;         /* owned */
        struct xapi_waiter *next, **self; /* borrowed; self: what points here */
};

struct xapi_waiters *xapi_waiters_new(struct objects *);
void xapi_waiters_free(struct xapi_waiters *); /* nobody waits */
DEFINE_AUTO(struct xapi_waiters *, xapi_waiters_free);

void xapi_waiters_add(struct xapi_waiters *, struct xapi_waiter *);
void xapi_waiters_wake(struct xapi_waiters *); /* any thread: all of them, as if something had changed */
void xapi_waiters_remove(struct xapi_waiters *, struct xapi_waiter *); /* one that does not wait: nothing */

#endif
