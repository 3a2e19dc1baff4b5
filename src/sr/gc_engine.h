// SPDX-License-Identifier: Apache-2.0
/* What gc drives: how one coalesce is priced, begun, stepped and ended.  An ops table, so that what gc
 * decides can be tested without moving a byte.
 *
 * Promises of an engine: end is safe in any state and undoes nothing: what was moved stays moved, and the
 * next begin goes on from there.  A step is short (a batch at most).
 * Errors: ERR_BUSY names who is in the way; all else is a failure of that coalesce alone.
 * Threads: the owner of the SR.
 */
#ifndef SR_GC_ENGINE_H
#define SR_GC_ENGINE_H

#include "plan.h"
#include "sr.h"

/* How fast it goes: what moves in one go, and how much of that at once.  0: as the engine likes. */
struct gc_pace {
        uint64_t batch_bytes;
        unsigned depth; /* requests in flight */
};

/* One coalesce as gc wants it. */
struct gc_run {
        const struct uuid *nodes; /* borrowed; from the target upwards */
        unsigned n;
        bool is_leaf; /* the top is a visible leaf: ends in a pivot */
        enum plan_direction direction;
        struct gc_pace pace;
};

struct gc_progress {
        uint64_t bytes_total, bytes_done; /* to move; moved durably */
        const char *phase;                /* borrowed, static: "copy", "relink" */
};

struct gc_engine {
        enum err (*price)(struct sr *, const struct node *const *run, size_t n, struct plan_price *ret,
                          struct err_note *);
        enum err (*begin)(struct sr *, const struct gc_run *, void **ret, struct err_note *);
        /* Whether the next step needs the SR: the others touch nothing but their own files. */
        bool (*needs_turn)(void *coalesce);
        void (*pace)(void *coalesce, const struct gc_pace *); /* of the steps from now on */
        enum err (*step)(void *coalesce, bool *ret_is_done, struct err_note *);
        void (*progress)(void *coalesce, struct gc_progress *ret);
        void (*end)(void *coalesce);
};

extern const struct gc_engine gc_engine_coalesce; /* sr/coalesce */

#endif
