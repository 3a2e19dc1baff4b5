// SPDX-License-Identifier: Apache-2.0
/* What sr/plan is asked with, gathered from an SR, and its answer.
 *
 * Looks at the last scan, the leases, the chains of this process and the space there is; prices each
 * candidate through an engine, and remembers prices by the state of the files, so that looking again costs
 * no reading.  Changes nothing; works on an SR that is read-only.
 *
 * Errors: those of the catalog and of io_space; what cannot be priced is a candidate that failed.
 * Threads: the owner of the SR.  Ownership: a view borrows nodes of the SR's tree until its next scan.
 */
#ifndef SR_GC_LOOK_H
#define SR_GC_LOOK_H

#include "gc_engine.h"
#include "gc_rows.h"

/* A node that a coalesce of ours has. */
struct gc_claim {
        struct uuid node;
        unsigned coalesce; /* from 1 */
};

/* Prices as they were for files that have not changed since. */
struct gc_priced {
        struct uuid target, top;
        size_t n;
        uint64_t state; /* of the files, as stat sees them */
        struct plan_price price;
};
struct gc_prices {
        VEC(struct gc_priced) list; /* owned */
};
void gc_prices_fini(struct gc_prices *);

struct gc_look_options {
        const struct gc_engine *engine; /* borrowed */
        const struct gc_claim *claims;  /* borrowed */
        size_t n_claims;
        const struct plan_failure *failures; /* borrowed */
        size_t n_failures;
        bool is_paused;
        const char *shut;              /* borrowed; why coalesces may not run now; NULL: they may */
        struct gc_prices *prices;      /* borrowed; may be NULL */
        const struct sr_notices *held; /* borrowed; garbage that could not go; may be NULL */
};

struct gc_view {
        VEC(struct plan_node) nodes; /* owned; in the order of the SR's tree */
        VEC(char *) texts;           /* owned; what nodes point at */
        struct plan_policy policy;
        struct plan plan;
};
void gc_view_fini(struct gc_view *);
DEFINE_AUTO_IN_PLACE(struct gc_view, gc_view_fini);

MUST_USE enum err gc_look(struct sr *, const struct gc_look_options *, struct gc_view *ret,
                          struct err_note *);

#endif
