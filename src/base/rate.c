// SPDX-License-Identifier: Apache-2.0
#include "rate.h"

#include <string.h>

enum { MARK_EVERY_NS = 300 * 1000 * 1000 };

void rate_begin(struct rate *rate, uint64_t now_ns, uint64_t done) {
        rate->now_ns = rate->marks[0].at_ns = now_ns;
        rate->done = rate->marks[0].done = done;
        rate->n_marks = 1;
}

void rate_add(struct rate *rate, uint64_t now_ns, uint64_t done) {
        rate->now_ns = now_ns;
        rate->done = done;
        if (rate->n_marks && now_ns - rate->marks[rate->n_marks - 1].at_ns < MARK_EVERY_NS)
                return;
        if (rate->n_marks == RATE_MARKS)
                memmove(rate->marks, rate->marks + 1, sizeof *rate->marks * --rate->n_marks);
        rate->marks[rate->n_marks].at_ns = now_ns;
        rate->marks[rate->n_marks++].done = done;
}

uint64_t rate_now(const struct rate *rate) {
        uint64_t ns = rate->now_ns - rate->marks[0].at_ns;

        if (rate->n_marks == 0 || rate->done < rate->marks[0].done || ns < MARK_EVERY_NS)
                return 0;
        return (uint64_t)((double)(rate->done - rate->marks[0].done) * 1e9 / (double)ns);
}

uint64_t rate_left_ns(const struct rate *rate, uint64_t total) {
        uint64_t now = rate_now(rate);

        if (total == 0 || now == 0 || rate->done > total)
                return UINT64_MAX;
        return (uint64_t)((double)(total - rate->done) * 1e9 / (double)now);
}
