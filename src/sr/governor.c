// SPDX-License-Identifier: Apache-2.0
#include "governor.h"

#include <stddef.h>

#define MS ((uint64_t)1000 * 1000)

#define INTERVAL_NS  (250 * MS)
#define SETTLE_NS    (50 * MS)            /* what was under way when the rest began is not of the rest */
#define LOOK_MOST_NS (600 * MS)           /* of a look, where hardly anybody asks */
#define BUSY_MOST_NS (1000 * MS)          /* before few requests must do for a verdict */
#define FRESH_NS     (2000 * MS)          /* how long a look can be narrowed by */
#define IDLE_NS      (2000 * MS)          /* without a request: nobody is there */
#define SLACK_NS     (5 * (uint64_t)1000) /* a longer wait that is not one of the disk */
#define FIRST_WINDOW (4 * GOVERNOR_FLOOR)

enum { FEW = 8, ENOUGH = 20, MANY = 100 };

/* How much longer requests may take than at rest: above BAD it narrows, below GOOD it widens. */
static const double GOOD = 1.2, BAD = 1.4;
static const double NARROW_MOST = 0.5, NARROW_SOME = 0.75, NARROW_LEAST = 0.9;
enum { WIDEN_PARTS = 8 };

const char *governor_state_name(enum governor_state state) {
        switch (state) {
        case GOVERNOR_FREE:
                return "free";
        case GOVERNOR_SETTLING:
        case GOVERNOR_LOOKING:
                return "looking";
        case GOVERNOR_HOLDING:
                return "holding";
        }
        return "";
}

/* ---- comparing ---- */

static const enum latency_kind kinds[] = {LATENCY_READ, LATENCY_WRITE, LATENCY_FLUSH};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static uint64_t n_compared(const struct latency_counts *counts) {
        uint64_t n = 0;

        for (unsigned i = 0; i < N_KINDS; i++)
                n += latency_n(counts, kinds[i]);
        return n;
}

static bool has_any(const struct latency_counts *counts) {
        return n_compared(counts) || latency_n(counts, LATENCY_TRIM) || latency_n(counts, LATENCY_BULK);
}

/* Of few requests the slowest say nothing. */
static unsigned percent_for(uint64_t n) {
        return n >= MANY ? 99 : n >= ENOUGH ? 90 : 50;
}

static double ratio_of(const struct governor_verdict *verdict) {
        return (double)verdict->took_ns / (double)(verdict->at_rest_ns + SLACK_NS);
}

/* False: of no kind are there enough, both at rest and now. */
static bool compare(struct governor *governor, double *ret_ratio) {
        bool has = false;

        *ret_ratio = 0;
        for (unsigned i = 0; i < N_KINDS; i++) {
                enum latency_kind kind = kinds[i];
                uint64_t n = latency_n(&governor->busy, kind), at_rest = latency_n(&governor->rest, kind),
                         least = n < at_rest ? n : at_rest;
                unsigned percent = percent_for(least);
                struct governor_verdict verdict = {.kind = kind, .percent = percent, .n = n};

                if (least < FEW)
                        continue;
                verdict.took_ns = latency_percentile_ns(&governor->busy, kind, percent);
                verdict.at_rest_ns = latency_percentile_ns(&governor->rest, kind, percent);
                if (has && ratio_of(&verdict) <= *ret_ratio)
                        continue;
                has = true;
                *ret_ratio = ratio_of(&verdict);
                governor->verdict = verdict;
        }
        return has;
}

/* Of the kind that suffers most. */
static bool are_most_slow(const struct governor *governor) {
        enum latency_kind kind = governor->verdict.kind;

        return (double)latency_percentile_ns(&governor->busy, kind, 50) >
               GOOD * (double)(latency_percentile_ns(&governor->rest, kind, 50) + SLACK_NS);
}

/* ---- states ---- */

static void forget_busy(struct governor *governor) {
        governor->busy = (struct latency_counts){0};
        governor->busy_ns = 0;
        governor->is_suspected = false;
}

/* What goes at once when nobody is there tells nothing of what did when somebody was. */
static void go_free(struct governor *governor) {
        governor->state = GOVERNOR_FREE;
        governor->rest = (struct latency_counts){0};
        governor->verdict = (struct governor_verdict){0};
        forget_busy(governor);
}

static double bounded(const struct governor *governor, double window) {
        double most = governor->best > (double)GOVERNOR_FLOOR ? 2 * governor->best : 2 * (double)FIRST_WINDOW;

        if (window > most)
                window = most;
        return window > (double)GOVERNOR_FLOOR ? window : (double)GOVERNOR_FLOOR;
}

/* By less where only some requests are slow: chance alone can have made them so. */
static void narrow(struct governor *governor, double ratio) {
        double by = BAD / ratio, from = governor->window,
               most = are_most_slow(governor) ? NARROW_MOST : NARROW_SOME;

        if (by < most)
                by = most;
        if (by > NARROW_LEAST)
                by = NARROW_LEAST;
        /* What is wider than what was ever moved holds nothing back. */
        if (governor->best > 0 && from > governor->best)
                from = governor->best;
        governor->window = bounded(governor, from * by);
}

static void widen(struct governor *governor) {
        double step = governor->window / WIDEN_PARTS, least = (double)GOVERNOR_FLOOR / 4;

        if (step < least)
                step = least;
        governor->window = bounded(governor, governor->window + step);
}

static void look(struct governor *governor) {
        governor->state = GOVERNOR_SETTLING;
        governor->fresh = (struct latency_counts){0};
}

/* Whether guests do what they did: of each kind that was seen twice most take as long. */
static bool is_as_before(const struct latency_counts *rest, const struct latency_counts *fresh) {
        for (unsigned i = 0; i < N_KINDS; i++) {
                uint64_t old = latency_percentile_ns(rest, kinds[i], 50),
                         now = latency_percentile_ns(fresh, kinds[i], 50);

                if (latency_n(fresh, kinds[i]) >= FEW && latency_n(rest, kinds[i]) >= FEW &&
                    (now * 2 > old * 3 + SLACK_NS || old * 2 > now * 3 + SLACK_NS))
                        return false;
        }
        return true;
}

/* The last looks together say more of the slowest than one does; but older ones hide a change. */
static void learn(struct governor *governor) {
        if (!is_as_before(&governor->rest, &governor->fresh))
                governor->rest = (struct latency_counts){0};
        latency_fade(&governor->rest);
        latency_counts_add(&governor->rest, &governor->fresh);
}

static void hold(struct governor *governor, uint64_t now_ns) {
        governor->state = GOVERNOR_HOLDING;
        governor->looked_ns = now_ns;
        if (governor->window <= 0)
                governor->window = governor->best > 0 ? governor->best / 2 : (double)FIRST_WINDOW;
        governor->window = bounded(governor, governor->window);
}

static bool is_enough(const struct governor *governor) {
        return n_compared(&governor->busy) >= ENOUGH || governor->busy_ns >= BUSY_MOST_NS;
}

static void judge_held(struct governor *governor, uint64_t now_ns) {
        uint64_t age_ns = now_ns - governor->looked_ns;
        double ratio;

        if (governor->busy_ns < INTERVAL_NS || !is_enough(governor))
                return;
        if (!compare(governor, &ratio)) /* so few that nobody can be said to suffer */
                ratio = n_compared(&governor->busy) ? 0 : GOOD;
        if (ratio > BAD && !are_most_slow(governor) && governor->busy_ns < BUSY_MOST_NS)
                return; /* more will say whether it is chance */
        if (ratio > BAD && age_ns >= FRESH_NS) {
                governor->is_suspected = true;
                look(governor);
                return;
        }
        if (ratio > BAD)
                narrow(governor, ratio);
        else if (ratio < GOOD)
                widen(governor);
        forget_busy(governor);
        if (age_ns >= GOVERNOR_LOOK_EVERY_NS)
                look(governor);
}

/* What looked bad is compared once more, with what requests take at rest now. */
static void end_look(struct governor *governor, uint64_t now_ns) {
        double ratio;

        learn(governor);
        hold(governor, now_ns);
        if (governor->is_suspected && compare(governor, &ratio) && ratio > BAD)
                narrow(governor, ratio);
        forget_busy(governor);
}

/* ---- verbs ---- */

void governor_begin(struct governor *governor, uint64_t now_ns, const struct latency_counts *guests) {
        go_free(governor);
        governor->since_ns = governor->asked_ns = now_ns;
        governor->before = *guests;
}

bool governor_is_due(const struct governor *governor, uint64_t now_ns) {
        return now_ns - governor->since_ns >=
               (governor->state == GOVERNOR_SETTLING ? SETTLE_NS : INTERVAL_NS);
}

static void judge(struct governor *governor, uint64_t now_ns, uint64_t lasted_ns,
                  const struct latency_counts *seen) {
        switch (governor->state) {
        case GOVERNOR_FREE:
                if (has_any(seen))
                        look(governor);
                break;
        case GOVERNOR_SETTLING:
                governor->state = GOVERNOR_LOOKING;
                governor->looked_ns = now_ns; /* of its beginning, until it ends */
                break;
        case GOVERNOR_LOOKING:
                latency_counts_add(&governor->fresh, seen);
                if (n_compared(&governor->fresh) >= MANY || now_ns - governor->looked_ns >= LOOK_MOST_NS)
                        end_look(governor, now_ns);
                break;
        case GOVERNOR_HOLDING:
                latency_counts_add(&governor->busy, seen);
                governor->busy_ns += lasted_ns;
                judge_held(governor, now_ns);
                break;
        }
}

void governor_judge(struct governor *governor, uint64_t now_ns, uint64_t moved,
                    const struct latency_counts *guests) {
        uint64_t lasted_ns = now_ns - governor->since_ns;
        struct latency_counts seen = *guests;
        double rate = lasted_ns ? (double)moved * 1e9 / (double)lasted_ns : 0;

        latency_since(&seen, &governor->before);
        governor->before = *guests;
        governor->since_ns = now_ns;
        if (rate > governor->best)
                governor->best = rate;
        if (has_any(&seen))
                governor->asked_ns = now_ns;
        else if (now_ns - governor->asked_ns >= IDLE_NS)
                go_free(governor);
        judge(governor, now_ns, lasted_ns, &seen);
}

uint64_t governor_window(const struct governor *governor) {
        if (governor->state == GOVERNOR_FREE)
                return GOVERNOR_FREE_WINDOW;
        return governor->state == GOVERNOR_HOLDING ? (uint64_t)governor->window : 0;
}

uint64_t governor_rest_ns(const struct governor *governor, uint64_t now_ns) {
        uint64_t lasts_ns = governor->state == GOVERNOR_SETTLING  ? SETTLE_NS
                            : governor->state == GOVERNOR_LOOKING ? INTERVAL_NS
                                                                  : 0;
        uint64_t past_ns = now_ns - governor->since_ns;

        return past_ns < lasts_ns ? lasts_ns - past_ns : 0;
}
