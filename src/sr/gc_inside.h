// SPDX-License-Identifier: Apache-2.0
/* The inside of a struct gc, for gc.c, gc_pace.c and gc_status.c.
 *
 * Errors: as gc.h says.  Threads: the owner of the SR.
 */
#ifndef SR_GC_INSIDE_H
#define SR_GC_INSIDE_H

#include "gc.h"
#include "gc_look.h"
#include "governor.h"
#include "rate.h"
#include "sr_state.h"

struct gc_running {
        unsigned number;      /* from 1, never given twice */
        void *coalesce;       /* owned; the engine's */
        VEC(struct uuid) run; /* owned; from the target upwards */
        struct uuid tree;     /* its root as it was when it began */
        bool is_leaf;
        enum plan_direction direction;
        int64_t began; /* unix seconds */
        uint64_t began_ns;
        struct rate rate;
        struct gc_progress progress; /* as it was after the last step */
};

struct gc {
        struct sr *sr;             /* borrowed, outlives us */
        struct gc_options options; /* engine filled in */
        struct gc_settings settings;
        VEC(struct gc_running) running; /* owned, and what each holds */
        struct gc_failures failures;    /* as they are in the catalog, but for again_at */
        struct gc_failures waits;       /* who was in the way */
        struct sr_notices held;         /* garbage that could not go when it was last tried */
        struct gc_prices prices;
        struct err_note trouble;
        unsigned last_number;
        size_t turn;       /* of the running ones */
        bool must_look;    /* there may be something to begin */
        int64_t looked_at; /* unix seconds */
        /* bytes that may be moved now under the limit; below zero: too many were */
        double allowance;
        uint64_t refilled_ns;
        struct governor governor;
        bool was_idle;   /* the governor begins anew */
        uint64_t judged; /* moved, as of its last judgement */
        /* unix seconds; of the windows, INT64_MAX: nobody knows; 0: one is open */
        int64_t opens_at;
        int64_t shut_at;       /* unix seconds; when that was found */
        uint64_t window_limit; /* of the one that is open; 0: none */
        unsigned n_shut;       /* coalesces that wait for nothing else, as of the last look */
        uint64_t moved;        /* by coalesces that have ended */
        uint64_t ready;        /* to be moved by those that are ready, as of the last look */
        unsigned n_done, n_failed, n_garbage;
        uint64_t bytes_freed;
};

/* What the plan is asked with. */
struct gc_asked {
        VEC(struct gc_claim) claims;       /* owned */
        VEC(struct plan_failure) failures; /* owned */
};
static inline void gc_asked_fini(struct gc_asked *asked) {
        vec_fini(&asked->claims);
        vec_fini(&asked->failures);
}
DEFINE_AUTO_IN_PLACE(struct gc_asked, gc_asked_fini);

/* Whether its windows keep coalesces from running now; and for how long (UINT64_MAX: not known). */
bool gc_is_shut(struct gc *);
uint64_t gc_shut_ns(struct gc *);
const char *gc_shut_text(struct gc *, char *room, size_t n);

/* Looks what guests felt since the last time, where it is time for that. */
void gc_govern(struct gc *);
uint64_t gc_guests_window(const struct gc *); /* GOVERNOR_FREE_WINDOW: they are spared nothing */
uint64_t gc_allowed(const struct gc *);       /* bytes a second; 0: any number, or none while it rests */
struct gc_pace gc_pace(const struct gc *);
uint64_t gc_wait(struct gc *);   /* ns before the next step */
void gc_reset_pace(struct gc *); /* the settings are others now */

/* One to ask with, beside the one that the SR has. */
MUST_USE enum err gc_make(struct sr *, const struct gc_options *, struct gc **ret, struct err_note *);
MUST_USE enum err gc_ask(struct gc *, struct gc_view *ret, struct err_note *);

#endif
