// SPDX-License-Identifier: Apache-2.0
/* Threads that each run a loop, one a core: what the connections of all protocols share.
 *
 *      reactors_new(io, 0, &reactors, note)            their threads run
 *      reactor = reactors_least_busy(reactors)         where the next connection goes
 *      reactor_enter(reactor) ... reactor_leave(reactor)       so that it is known how many each has
 *      loop_post(reactor_loop(reactor), call, user)    work for its thread
 *      reactors_free(reactors)                         nothing is left in their loops
 *
 * A reactor never waits for a disk.  While work comes closer together than it would take to wake it, and none
 * is with other threads (loop_n_away), it stays awake for it.
 *
 * Errors: those of making a loop; ERR_NO_MEMORY, a thread cannot be had.
 * Threads: any, but reactors_new and reactors_free: one.
 */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include "loop.h"

struct reactor;
struct reactors;

enum { REACTORS_MAX = 64 };

MUST_USE enum err reactors_new(struct io *, unsigned n, struct reactors **ret,
                               struct err_note *); /* 0: one a core */
void reactors_free(struct reactors *);
DEFINE_AUTO(struct reactors *, reactors_free);

unsigned reactors_n(const struct reactors *);
struct reactor *reactors_at(const struct reactors *, unsigned i);
struct reactor *reactors_least_busy(const struct reactors *);

struct loop *reactor_loop(const struct reactor *);
void reactor_enter(struct reactor *); /* one connection more */
void reactor_leave(struct reactor *);
unsigned reactor_n(const struct reactor *);
/* Has its thread make the call, and waits for it: not by a reactor's thread. */
void reactor_call(struct reactor *, loop_call, void *user);

#endif
