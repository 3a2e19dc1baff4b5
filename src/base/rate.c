// SPDX-License-Identifier: Apache-2.0
#include "rate.h"

#include <string.h>

#define MS              ((uint64_t)1000 * 1000)
#define SECONDS_MARK_NS (300 * MS)
#define MINUTE_MARK_NS  (4000 * MS)

static void begin(struct rate_past *past, uint64_t now_ns, uint64_t done) {
        past->marks[0].at_ns = now_ns;
        past->marks[0].done = done;
        past->n_marks = 1;
}

static void add(struct rate_past *past, uint64_t every_ns, uint64_t now_ns, uint64_t done) {
        if (past->n_marks && now_ns - past->marks[past->n_marks - 1].at_ns < every_ns)
                return;
        if (past->n_marks == RATE_MARKS)
                memmove(past->marks, past->marks + 1, sizeof *past->marks * --past->n_marks);
        past->marks[past->n_marks].at_ns = now_ns;
        past->marks[past->n_marks++].done = done;
}

void rate_begin(struct rate *rate, uint64_t now_ns, uint64_t done) {
        rate->now_ns = now_ns;
        rate->done = done;
        begin(&rate->seconds, now_ns, done);
        begin(&rate->minute, now_ns, done);
}

void rate_add(struct rate *rate, uint64_t now_ns, uint64_t done) {
        rate->now_ns = now_ns;
        rate->done = done;
        add(&rate->seconds, SECONDS_MARK_NS, now_ns, done);
        add(&rate->minute, MINUTE_MARK_NS, now_ns, done);
}

/* Bytes a second since the oldest mark. */
static double rate_since(const struct rate *rate, const struct rate_past *past) {
        uint64_t ns = rate->now_ns - past->marks[0].at_ns;

        if (past->n_marks == 0 || rate->done < past->marks[0].done || ns < SECONDS_MARK_NS)
                return 0;
        return (double)(rate->done - past->marks[0].done) * 1e9 / (double)ns;
}

uint64_t rate_now(const struct rate *rate) {
        return (uint64_t)rate_since(rate, &rate->seconds);
}

/* What stands still for seconds has no time left that could be told. */
uint64_t rate_left_ns(const struct rate *rate, uint64_t total) {
        double of_minute = rate_since(rate, &rate->minute);

        if (total == 0 || rate_now(rate) == 0 || of_minute == 0 || rate->done > total)
                return UINT64_MAX;
        return (uint64_t)((double)(total - rate->done) * 1e9 / of_minute);
}
