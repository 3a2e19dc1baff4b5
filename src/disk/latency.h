// SPDX-License-Identifier: Apache-2.0
/* How long requests took: counts by kind and duration, so that any share of them can be asked about.
 *
 *      if (latency_is_wanted(&latency)) began = now;                    where a request begins
 *      latency_add(&latency, LATENCY_READ, now - began);                where it ends
 *      latency_look(&latency, &now);  latency_since(&now, &before);     what has happened since the last look
 *      latency_percentile_ns(&now, LATENCY_READ, 99)
 *
 * Durations are counted in steps a quarter of a power of two wide, from 128 ns up: a percentile is exact to
 * that.  Counts only grow; a look while requests end is of some moment of each count.
 *
 * Cost: two readings of a clock and two additions to memory that few threads share; no lock, nothing is
 * allocated.  Where requests are so short that this would be felt some are passed over, by chance, and one
 * that is measured stands for those before it too: counts are then right to a few.
 *
 * Units: ns.  Errors: none.  Threads: add and look: any, at once; counts: their owner's.
 * Both structs are valid when zeroed.
 */
#ifndef DISK_LATENCY_H
#define DISK_LATENCY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum latency_kind {
        LATENCY_READ,
        LATENCY_WRITE,
        LATENCY_TRIM, /* and zeroing */
        LATENCY_FLUSH,
        LATENCY_BULK, /* reads and writes of more than LATENCY_BULK_OVER: how long these are says more */
};
enum {
        LATENCY_KINDS = LATENCY_BULK + 1,
        LATENCY_STEPS = 122, /* the last takes all that is longer than two minutes */
        LATENCY_SHARDS = 4,
        LATENCY_BULK_OVER = 128 * 1024,
        LATENCY_SHORT_NS = 16 * 1000, /* after one that is shorter some are passed over, */
        LATENCY_PASSED_MAX = 6,       /* at most so many */
};
const char *latency_kind_name(enum latency_kind); /* "read" */

struct latency {
        struct {
                _Alignas(64) _Atomic uint64_t n[LATENCY_KINDS][LATENCY_STEPS];
                _Atomic uint64_t sum_ns[LATENCY_KINDS];
                _Atomic unsigned to_pass, passed, dice;
        } shard[LATENCY_SHARDS]; /* a thread has one of them */
};
/* Whether to measure the read or write that begins now. */
bool latency_is_wanted(struct latency *);
void latency_add(struct latency *, enum latency_kind, uint64_t ns);

struct latency_counts {
        uint64_t n[LATENCY_KINDS][LATENCY_STEPS];
        uint64_t sum_ns[LATENCY_KINDS];
};
void latency_look(const struct latency *, struct latency_counts *ret);
void latency_counts_add(struct latency_counts *, const struct latency_counts *more);
/* What came after `before`, an earlier look at the same. */
void latency_since(struct latency_counts *, const struct latency_counts *before);
void latency_fade(struct latency_counts *); /* a quarter goes: the older counts for less */

uint64_t latency_n(const struct latency_counts *, enum latency_kind);
uint64_t latency_mean_ns(const struct latency_counts *, enum latency_kind); /* 0: of none */
/* So many of a hundred took no longer; 0: there were none. */
uint64_t latency_percentile_ns(const struct latency_counts *, enum latency_kind, unsigned percent);

/* Steps as they lie on the scale: for who shows them. */
unsigned latency_step_of(uint64_t ns);
uint64_t latency_step_end_ns(unsigned step); /* all of it is shorter; UINT64_MAX: of the last */

#endif
