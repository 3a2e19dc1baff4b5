// SPDX-License-Identifier: Apache-2.0
/* What the parts of sync.h share: what is to be sent (sync.c), and how one point is (sync_send.c).
 * Threads: one at a time. */
#ifndef VAULT_SYNC_INSIDE_H
#define VAULT_SYNC_INSIDE_H

#include <stdatomic.h>

#include "origin.h"
#include "reading.h"
#include "sync.h"

enum sync_state {
        SYNC_UNWANTED,
        SYNC_THERE,   /* the other vault has a good copy */
        SYNC_MISSING, /* to be sent */
        SYNC_SENT,
        SYNC_LEFT, /* wanted, and not to be had: sync_left says why */
};

struct sync_point {
        struct origin origin;
        struct vault_name copy; /* what it is called in `to`; null: no good one is there */
        bool is_damaged;        /* in `from`, as far as that is recorded */
        enum sync_state state;
        uint64_t bytes, through; /* SYNC_MISSING: see sync_todo, if its parent goes before it */
};

struct sync {
        struct vault *from, *to; /* borrowed, outlive it */
        struct sync_options options;
        struct points points;        /* owned; of from; oldest first */
        VEC(struct sync_point) rows; /* owned; of each of them */
        struct reading reading;      /* of those that are missing */
        VEC(struct sync_left) left;  /* owned, and each why */
        size_t next;                 /* the one that sync_todo told of */
        atomic_bool is_of_source;    /* the last error is what a point's own bytes in `from` gave */
        struct sync_count count;
};

static inline const struct point *sync_point_at(const struct sync *sync, size_t i) {
        return &sync->points.list.data[i];
}

/* ---- sync_send.c ---- */

/* Fills in the row's bytes and through. */
MUST_USE enum err sync_measure(struct sync *, size_t i, struct err_note *);
MUST_USE enum err sync_send(struct sync *, size_t i, struct err_note *);

#endif
