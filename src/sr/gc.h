// SPDX-License-Identifier: Apache-2.0
/* Does what sr/plan says: garbage, then coalesces, of several trees by turns, under one limit.
 *
 *      gc_new(sr, &options, &gc, note)
 *      while (gc_step(gc, &turn, note) == ERR_NONE && turn.what != GC_IDLE) …
 *      gc_free(gc)
 *
 * Whoever calls decides when to take the next step, so anything can come in between; a step moves a batch at
 * most.  Between two steps everything may be asked, set, paused or ended; what was moved stays moved.
 *
 * Promises:
 *   garbage goes before a coalesce begins; of one tree at most one coalesce runs
 *   what fails, fails for its tree alone: the error is kept, shown and waited out, each time twice as long
 *   (FAILURE_FIRST_S to FAILURE_LAST_S); somebody who is merely in the way is asked again sooner
 *   over any while not more than limit bytes a second are moved, give or take a batch
 *   while users of the SR's disks wait longer than they would, less is moved, never nothing (governor.h)
 *   outside the windows nothing runs and no claim is held; garbage goes
 *   paused, nothing runs and no claim is held; it lasts until resumed, in later processes too
 *   what ended is in the history, with its duration and result
 *
 * Errors: of gc_step only what concerns the SR as a whole (it cannot be scanned).  What could not be written
 * to history or failures is lost, and said by gc_trouble.
 * Threads: the owner of the SR; between rest and resume others may ask and set, and not step.
 * Ownership: the SR outlives its gc.
 */
#ifndef SR_GC_H
#define SR_GC_H

#include "gc_engine.h"
#include "gc_rows.h"
#include "governor.h"

struct gc;

enum gc_event_kind {
        GC_EVENT_GARBAGE, /* n files, bytes: are gone */
        GC_EVENT_BEGINS,
        GC_EVENT_PHASE,
        GC_EVENT_DONE,
        GC_EVENT_FAILED,
        GC_EVENT_STOPPED, /* paused, or made way for somebody: goes on another time */
};
struct gc_event {
        enum gc_event_kind kind;
        const struct uuid *run; /* borrowed; from the target upwards */
        size_t n;               /* of nodes; of garbage: of files */
        bool is_leaf;
        uint64_t bytes;
        const char *phase;          /* borrowed, static */
        const struct err_note *why; /* borrowed; of what failed or was stopped; else NULL */
};
typedef void (*gc_tell)(void *user, const struct gc_event *);

struct gc_options {
        const struct gc_engine *engine; /* borrowed; NULL: sr/coalesce */
        unsigned max_running;           /* 0: 4 */
        gc_tell tell;                   /* may be NULL */
        void *user;                     /* borrowed; handed to tell */
        bool tries_failed;              /* what failed before it was made is tried once more at once */
        /* Around a step that does not need the SR: others may use it meanwhile.  Both may be NULL. */
        void (*rest)(void *user);
        void (*resume)(void *user);
};

/* ERR_BUSY where the SR has one already. */
MUST_USE enum err gc_new(struct sr *, const struct gc_options *, struct gc **ret, struct err_note *);
struct gc *gc_of(const struct sr *); /* or NULL */
void gc_free(struct gc *);           /* what runs is stopped */
DEFINE_AUTO(struct gc *, gc_free);

enum gc_what {
        GC_WORKED,
        GC_WAITS, /* for the limit, or for guests: wait_ns */
        GC_IDLE,  /* nothing is ready; what failed is due in wait_ns (UINT64_MAX: nothing is) */
        GC_PAUSED,
        /* outside the windows, and there is something to do: they open in wait_ns; UINT64_MAX: not within two
         * weeks */
        GC_SHUT,
};
struct gc_turn {
        enum gc_what what;
        uint64_t wait_ns;
};
MUST_USE enum err gc_step(struct gc *, struct gc_turn *ret, struct err_note *);
/* Something has changed in the SR: there may be more to do. */
void gc_look_again(struct gc *);
/* Ends what runs, and begins no more until the next look. */
void gc_stop(struct gc *);

const struct err_note *gc_trouble(const struct gc *); /* code ERR_NONE: none */

/* All that this gc has moved or will have, as far as it is known now: for one bar. */
struct gc_sums {
        uint64_t bytes_total, bytes_done;
        unsigned n_running, n_done, n_failed, n_garbage;
        uint64_t bytes_freed; /* by garbage, as far as files took them */
};
struct gc_sums gc_sums(const struct gc *);

/* ---- what there is ---- */

/* A candidate, or a coalesce that runs. */
struct gc_item {
        enum plan_kind kind;
        VEC(struct uuid) run; /* owned; from the target upwards */
        struct uuid tree;     /* its root */
        bool is_leaf;
        unsigned layers; /* that go */
        enum plan_direction direction;
        enum plan_state state;
        const char *phase; /* borrowed, static; "" where it does not run */
        uint64_t bytes_total, bytes_done;
        uint64_t rate;    /* bytes a second; 0: not known */
        uint64_t left_ns; /* UINT64_MAX: not known */
        uint64_t space_bytes, freed_bytes;
        int64_t began; /* unix seconds; 0: it does not run */
        char reason[PLAN_REASON_SIZE];
};
/* How what runs is held back. */
struct gc_held {
        uint64_t allowed; /* bytes a second, by all that limits them; 0: any number */
        enum governor_state guests;
        /* bytes a second; GOVERNOR_FREE_WINDOW: any number; 0: it rests */
        uint64_t guests_window;
        struct governor_verdict verdict; /* n 0: none */
        int64_t opens_at; /* unix seconds; of the windows; 0: one is open, INT64_MAX: not known */
};
/* "held back to 12 MiB/s for guests: p99 of a read is 1.3 ms, at rest 0.4 ms"; "" where it is not. */
struct gc_held_text {
        char s[200];
};
struct gc_held_text gc_held_text(const struct gc_held *);

struct gc_status {
        struct gc_settings settings;
        struct gc_held held;
        VEC(struct gc_item) items; /* owned, and the run of each; in the plan's order */
};
void gc_status_fini(struct gc_status *);
DEFINE_AUTO_IN_PLACE(struct gc_status, gc_status_fini);

/* Of the gc that the SR has, if it has one.  engine as in gc_options. */
MUST_USE enum err gc_status(struct sr *, const struct gc_engine *, struct gc_status *ret, struct err_note *);

/* Whether the SR has a gc now or not; what runs hears of it at its next step. */
MUST_USE enum err gc_settings_of(struct sr *, struct gc_settings *ret, struct err_note *);
MUST_USE enum err gc_set(struct sr *, const struct gc_settings *, struct err_note *);
MUST_USE enum err gc_history_of(struct sr *, struct gc_history *ret, struct err_note *);

#endif
