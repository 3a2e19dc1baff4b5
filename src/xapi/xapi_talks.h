// SPDX-License-Identifier: Apache-2.0
/* The clients of `xe` that are being talked with: connections that HTTP has let go of, which are counted
 * here, and told when the daemon stops.
 *
 *      talks = xapi_talks_new()
 *      xapi_talks_add(talks, &talk)      … xapi_talks_strike(talks, &talk)
 *      xapi_talks_drain(talks)           all of them are told; none is added any more
 *      xapi_talks_free(talks)            waits until all are struck; their loops run, or nobody is there
 *
 * Errors: none; who does not fit is told so.  Threads: new, drain and free: any; add and strike: the talk's
 * loop's, where `drain` is called.
 */
#ifndef XAPI_XAPI_TALKS_H
#define XAPI_XAPI_TALKS_H

#include "loop.h"

enum { XAPI_TALKS_MAX = 1000 };

struct xapi_talks;

/* Held by who talks. */
struct xapi_talk {
        struct loop *loop;                 /* borrowed */
        void (*drain)(struct xapi_talk *); /* borrowed; in the loop: it is to end */

        struct xapi_talks *list; /* borrowed; from here on the list's own */
        bool is_listed, is_posted;
        struct xapi_talk *prev, *follow; /* borrowed */
};

struct xapi_talks *xapi_talks_new(void);
/* False: there are too many, or no more are wanted. */
bool xapi_talks_add(struct xapi_talks *, struct xapi_talk *);
/* False: `drain` is on its way, which finds the talk still there, and strikes it again.  One that was never
 * added is fine. */
bool xapi_talks_strike(struct xapi_talks *, struct xapi_talk *);
void xapi_talks_drain(struct xapi_talks *);
void xapi_talks_free(struct xapi_talks *);
DEFINE_AUTO(struct xapi_talks *, xapi_talks_free);

#endif
