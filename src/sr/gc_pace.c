// SPDX-License-Identifier: Apache-2.0
/* How fast what gc runs may go, and when: the limit, what guests feel, the windows. */
#include <stdio.h>

#include "gc_inside.h"
#include "text.h"

#define SECOND_NS      ((uint64_t)1000000000)
#define BATCH_AT_LEAST (1 * (uint64_t)MIB)
#define BATCH          (32 * (uint64_t)MIB)
/* While guests are spared: batches a second, so that none is a long burst, and how much a request in flight
 * moves a second. */
enum { SPARING_BATCHES = 8, SPARING_DEPTH_MAX = 16 };
#define SPARING_OF_DEPTH (32 * (uint64_t)MIB)

/* ---- windows ---- */

/* Cheap enough for each step. */
static void look_at_windows(struct gc *gc) {
        int64_t now = sr_now(gc->sr);

        if (windows_are_open(&gc->settings.windows, window_moment_of(now), &gc->window_limit)) {
                gc->must_look |= gc->opens_at != 0;
                gc->opens_at = 0;
                return;
        }
        if (gc->opens_at == 0 || now >= gc->opens_at || now < gc->shut_at)
                gc->opens_at = windows_next_open(&gc->settings.windows, now, window_moment_of);
        gc->shut_at = now;
}

bool gc_is_shut(struct gc *gc) {
        look_at_windows(gc);
        return gc->opens_at != 0;
}

uint64_t gc_shut_ns(struct gc *gc) {
        int64_t now = sr_now(gc->sr);

        if (gc->opens_at == INT64_MAX)
                return UINT64_MAX;
        return gc->opens_at > now ? (uint64_t)(gc->opens_at - now) * SECOND_NS : 0;
}

const char *gc_shut_text(struct gc *gc, char *room, size_t n) {
        uint64_t ns = gc_shut_ns(gc);

        if (ns == UINT64_MAX)
                (void)snprintf(room, n, "outside its window, which does not open within two weeks");
        else
                (void)snprintf(room, n, "outside its window: opens in %s", text_duration(ns).s);
        return room;
}

/* ---- guests ---- */

void gc_govern(struct gc *gc) {
        uint64_t now = io_now_ns(gc->sr->io), moved = gc_sums(gc).bytes_done;
        struct latency_counts guests;

        if (gc->settings.ignores_guests || (!gc->was_idle && !governor_is_due(&gc->governor, now)))
                return;
        sr_latency(gc->sr, &guests);
        if (gc->was_idle)
                governor_begin(&gc->governor, now, &guests);
        else
                governor_judge(&gc->governor, now, moved > gc->judged ? moved - gc->judged : 0, &guests);
        gc->judged = moved;
        gc->was_idle = false;
}

uint64_t gc_guests_window(const struct gc *gc) {
        return gc->settings.ignores_guests || gc->was_idle ? GOVERNOR_FREE_WINDOW
                                                           : governor_window(&gc->governor);
}

/* ---- how fast ---- */

static uint64_t least_of(uint64_t limit, uint64_t other) {
        return limit == 0 || (other && other < limit) ? other : limit;
}

/* Bytes a second that the settings allow now; 0: any number. */
static uint64_t limit_of(const struct gc *gc) {
        return least_of(gc->settings.limit, gc->window_limit);
}

/* The same with what guests are spared; not while it rests. */
uint64_t gc_allowed(const struct gc *gc) {
        uint64_t window = gc_guests_window(gc);

        return least_of(limit_of(gc), window == GOVERNOR_FREE_WINDOW ? 0 : window);
}

struct gc_pace gc_pace(const struct gc *gc) {
        uint64_t window = gc_guests_window(gc), limit = limit_of(gc);
        struct gc_pace pace = {.batch_bytes = BATCH};

        /* So that a limit is kept within a second, not within a batch. */
        if (limit && limit < BATCH)
                pace.batch_bytes = max_u64(limit, BATCH_AT_LEAST);
        if (window == GOVERNOR_FREE_WINDOW)
                return pace;
        pace.batch_bytes = min_u64(pace.batch_bytes, max_u64(window / SPARING_BATCHES, BATCH_AT_LEAST));
        pace.depth = (unsigned)min_u64(window / SPARING_OF_DEPTH + 1, SPARING_DEPTH_MAX);
        return pace;
}

void gc_reset_pace(struct gc *gc) {
        gc->allowance = 0;
        gc->refilled_ns = io_now_ns(gc->sr->io);
        gc->opens_at = 0;
        gc->must_look = true;
}

/* At most a quarter of a second is saved up.  What went without any limit is not owed to one. */
uint64_t gc_wait(struct gc *gc) {
        uint64_t now = io_now_ns(gc->sr->io), limit = gc_allowed(gc);
        uint64_t rest = gc_guests_window(gc) == 0 ? governor_rest_ns(&gc->governor, now) : 0;
        double most = (double)limit / 4;

        if (limit == 0)
                gc->allowance = 0;
        gc->allowance += (double)limit * (double)(now - gc->refilled_ns) / 1e9;
        gc->refilled_ns = now;
        if (gc->allowance > most)
                gc->allowance = most;
        if (rest || limit == 0 || gc->allowance >= 0)
                return rest;
        return (uint64_t)(-gc->allowance * 1e9 / (double)limit) + 1;
}
