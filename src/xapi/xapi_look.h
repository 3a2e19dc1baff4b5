// SPDX-License-Identifier: Apache-2.0
/* Which of an SR's nodes are other than they were when they were looked at before, and what they are now.
 *
 *      xapi_look_at(seen, host, sr, &look)     with the SR's turn: what differs
 *      … the objects follow …
 *      xapi_seen_take(seen, &look)             this is what was seen; left out, the next look finds it again
 *      xapi_look_fini(&look)
 *
 * Of each node only a number made of all that its record follows from is kept, so a look at an SR in which
 * nothing changed costs little, whatever its size.
 *
 * Errors: none.  Threads: look: the owner of the SR; one at a time for each seen.
 */
#ifndef XAPI_XAPI_LOOK_H
#define XAPI_XAPI_LOOK_H

#include <jansson.h>

#include "host.h"
#include "map.h"

struct xapi_seen {
        struct map nodes; /* uuid -> struct seen_node, owned */
        uint64_t n_looks;
        uint64_t members; /* a number made of all their uuids */
        json_t *refs;     /* shared, counted; of all of them; NULL: not looked yet */
        json_t *sr;       /* shared, counted; what the SR was; likewise */
};
void xapi_seen_fini(struct xapi_seen *);

struct xapi_look {
        json_t *changed; /* owned; reference -> fields of class VDI */
        json_t *refs;    /* shared, counted; of all nodes */
        json_t *sr;      /* shared, counted; fields of class SR */
        bool is_sr_same;
        uint64_t members;
        VEC(struct xapi_mark {
                struct uuid uuid;
                uint64_t number;
        })
        marks;                 /* owned; of those that changed */
        VEC(struct uuid) gone; /* owned; that were there before */
};
void xapi_look_fini(struct xapi_look *);
DEFINE_AUTO_IN_PLACE(struct xapi_look, xapi_look_fini);

void xapi_look_at(struct xapi_seen *, const struct host *, const struct host_sr *, struct xapi_look *ret);
bool xapi_look_is_same(const struct xapi_look *); /* nothing differs */
void xapi_seen_take(struct xapi_seen *, struct xapi_look *);

#endif
