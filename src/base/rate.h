// SPDX-License-Identifier: Apache-2.0
/* How fast something goes now: bytes a second over the last few seconds; and how long the rest will take, by
 * the last minute: what is left takes longer than a few seconds, and is as fast as they were only by chance.
 *
 *      rate_begin(&rate, now);   rate_add(&rate, now, done);   rate_now(&rate);
 *
 * It knows no clock: moments are ns from whatever beginning, never running backwards.  Valid when zeroed.
 * Errors: none.  Threads: its owner's.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdint.h>

enum { RATE_MARKS = 16 };

/* Where it was at moments of the past, oldest first, some way apart. */
struct rate_past {
        struct {
                uint64_t at_ns, done;
        } marks[RATE_MARKS];
        unsigned n_marks;
};

struct rate {
        struct rate_past seconds, minute;
        uint64_t now_ns, done;
};

void rate_begin(struct rate *, uint64_t now_ns, uint64_t done);
void rate_add(struct rate *, uint64_t now_ns, uint64_t done); /* done: all that is done so far */

uint64_t rate_now(const struct rate *);                     /* bytes a second; 0: too early to say */
uint64_t rate_left_ns(const struct rate *, uint64_t total); /* UINT64_MAX: cannot be told */

#endif
