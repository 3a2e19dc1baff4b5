// SPDX-License-Identifier: Apache-2.0
/* How fast coalesces may go so that guests do not feel them.  Pure: it knows no clock and looks at nothing
 * but what it is handed, so it is tested as a table.
 *
 *      governor_begin(&governor, now, &guests)                    before something is moved
 *      if (governor_is_due(&governor, now))
 *              governor_judge(&governor, now, moved, &guests)     moved: bytes since the last time
 *      governor_window(&governor)                                 bytes a second until then; 0: rest
 *
 *   FREE ──a guest asks──> SETTLING ──> LOOKING ──> HOLDING ──guests feel it: narrower─┐
 *     ^                      nothing is moved          │   <──they do not: wider───────┘
 *     │                        ^                       │
 *     │                        └──── now and then, ────┘
 *     └── nobody has asked for a while ── from any
 *
 * What guests' requests take at rest is looked at, not guessed: nothing is moved for a moment, at first, then
 * every few seconds, and before the window is narrowed by a comparison with what is not quite fresh.  So a
 * guest who begins to do something slower by its nature is not taken for one who suffers.  Reads, writes and
 * flushes are compared each with their own kind, by the 99th percentile where there are enough of them; the
 * kind that suffers most counts.
 *
 * Promises:
 *   the window is GOVERNOR_FLOOR at least whenever something may be moved, and of any GOVERNOR_LOOK_EVERY_NS
 *   most is not rest: what is moved gets done, however guests suffer
 *   while guests do not suffer it grows until it holds nothing back
 *   without guests it is GOVERNOR_FREE_WINDOW
 *
 * Units: ns, bytes a second.  Errors: none.  Threads: its owner's.  Valid when begun.
 */
#ifndef SR_GOVERNOR_H
#define SR_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

#include "latency.h"

#define GOVERNOR_FLOOR         ((uint64_t)4 * 1024 * 1024)
#define GOVERNOR_FREE_WINDOW   UINT64_MAX
#define GOVERNOR_LOOK_EVERY_NS ((uint64_t)10 * 1000 * 1000 * 1000)

enum governor_state { GOVERNOR_FREE, GOVERNOR_SETTLING, GOVERNOR_LOOKING, GOVERNOR_HOLDING };
const char *governor_state_name(enum governor_state); /* "free", "looking", "holding" */

/* What was compared last; n 0: nothing yet. */
struct governor_verdict {
        enum latency_kind kind;
        unsigned percent; /* which percentile */
        uint64_t took_ns, at_rest_ns;
        uint64_t n; /* requests */
};

struct governor {
        enum governor_state state;
        uint64_t since_ns;            /* of the last judgement */
        uint64_t asked_ns;            /* a guest did something in the interval that ended then */
        uint64_t looked_ns;           /* the last look at rest ended */
        struct latency_counts before; /* all, as of since_ns */
        struct latency_counts rest;   /* at rest, older ones for less */
        struct latency_counts fresh;  /* of the look that is being taken */
        struct latency_counts busy;   /* since the last verdict */
        uint64_t busy_ns;             /* how long that is */
        bool is_suspected;            /* busy looked bad, and awaits a fresh look at rest */
        double window;                /* 0: none yet */
        double best;                  /* the fastest that was seen */
        struct governor_verdict verdict;
};

/* Also once more after nothing was moved for a while; what it has learned stays.  guests: all so far. */
void governor_begin(struct governor *, uint64_t now_ns, const struct latency_counts *guests);
bool governor_is_due(const struct governor *, uint64_t now_ns);
void governor_judge(struct governor *, uint64_t now_ns, uint64_t moved, const struct latency_counts *guests);
uint64_t governor_window(const struct governor *);
/* How long the rest still lasts; 0: it does not rest. */
uint64_t governor_rest_ns(const struct governor *, uint64_t now_ns);

#endif
