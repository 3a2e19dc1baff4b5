// SPDX-License-Identifier: Apache-2.0
/* A reactor: waits for descriptors and timers, and calls back; one thread runs it.
 *
 *      loop_new(io, &loop, note);
 *      watch = loop_watch(loop, fd, LOOP_READ, on_ready, user);
 *      loop_run(loop);                 until loop_stop
 *      loop_unwatch(watch);
 *      loop_free(loop);
 *
 * A callback is short and never waits; while it runs everything else of the loop stands still.  It may add,
 * change and remove any watch or timer, its own too: one that was removed is not called any more, whatever
 * was ready.  Timers fire in the order of their times, never early, and once.
 *
 * Time is that of the io, in nanoseconds.  Bounded: LOOP_WATCHES_MAX descriptors.
 *
 * Errors: ERR_IO where the kernel refuses a descriptor; ERR_TOO_LARGE.  What is ready is no error: the
 * callback reads or writes and learns it then.
 * Threads: the one that runs the loop, for all but loop_post and loop_stop: any.  Before loop_run is called,
 * the one that made it.
 * Ownership: descriptors are the caller's, and closed by him after loop_unwatch.  What is left at loop_free
 * is released without a call.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"

struct loop;
struct loop_watch;
struct loop_timer;

enum { LOOP_WATCHES_MAX = 65536 };

/* LOOP_GONE is told to every watch, whatever it asked for: the other side hung up, or the descriptor failed.
 */
enum loop_events { LOOP_READ = 1 << 0, LOOP_WRITE = 1 << 1, LOOP_GONE = 1 << 2 };

typedef void (*loop_ready)(void *user, unsigned events);
typedef void (*loop_call)(void *user);

MUST_USE enum err loop_new(struct io *, struct loop **ret, struct err_note *);
void loop_free(struct loop *);
DEFINE_AUTO(struct loop *, loop_free);

struct io *loop_io(const struct loop *);

/* ---- descriptors ---- */

MUST_USE enum err loop_watch(struct loop *, int fd, unsigned events, loop_ready, void *user,
                             struct loop_watch **ret, struct err_note *);
void loop_want(struct loop_watch *, unsigned events); /* 0: only LOOP_GONE */
void loop_unwatch(struct loop_watch *);               /* the watch is gone */

/* ---- timers ---- */

struct loop_timer *loop_after(struct loop *, uint64_t ns, loop_call, void *user);
void loop_cancel(struct loop_timer *);     /* one that has not fired */
uint64_t loop_due_ns(const struct loop *); /* when the next fires, by the io's clock; UINT64_MAX: none */

/* ---- running ---- */

void loop_run(struct loop *);
/* One round: waits at most `ns` (UINT64_MAX: as long as it takes), calls what is ready or due.  For callers
 * that look at something else between rounds; a signal ends the wait.  Whether anything was called. */
bool loop_round(struct loop *, uint64_t ns);
/* Up to how long a round waits awake, looking again and again, before it sleeps; 0, as at first: it sleeps at
 * once.  Who sleeps is woken late, on a virtual machine by as much as a request takes.  It is done only while
 * waits are shorter than that, so a loop that has little to do does sleep. */
void loop_set_awake(struct loop *, uint64_t max_ns);
/* How many things other threads are doing for this loop just now, counted by who gave them: while there are
 * any it does not stay awake, since the processor is theirs.  The loop's thread's. */
unsigned *loop_n_away(struct loop *);
void loop_stop(struct loop *); /* any thread; loop_run returns after the round that it is in */
/* Any thread: call is made by the loop's, in the order of posting. */
void loop_post(struct loop *, loop_call, void *user);

#endif
