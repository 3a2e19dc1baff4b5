// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <string.h>

enum { SHOW_EVERY_NS = 100 * 1000 * 1000, MARK_EVERY_NS = 300 * 1000 * 1000 };

void progress_begin(struct progress *p, const char *doing, uint64_t total) {
        p->doing = doing;
        p->done = 0;
        p->total = total;
        p->has_ended = false;
        p->began_ns = p->now_ns = p->shown_ns = io_now_ns(p->io);
        p->marks[0].at_ns = p->began_ns;
        p->marks[0].done = 0;
        p->n_marks = 1;
}

static void add_mark(struct progress *p) {
        if (p->now_ns - p->marks[p->n_marks - 1].at_ns < MARK_EVERY_NS)
                return;
        if (p->n_marks == PROGRESS_MARKS)
                memmove(p->marks, p->marks + 1, sizeof *p->marks * --p->n_marks);
        p->marks[p->n_marks].at_ns = p->now_ns;
        p->marks[p->n_marks++].done = p->done;
}

enum err progress_step(struct progress *p, uint64_t done, struct err_note *note) {
        if (p->is_cancelled && atomic_load_explicit(p->is_cancelled, memory_order_relaxed))
                return err_set(note, ERR_CANCELLED, "interrupted");
        p->done = done;
        p->now_ns = io_now_ns(p->io);
        add_mark(p);
        if (p->show && p->now_ns - p->shown_ns >= SHOW_EVERY_NS) {
                p->shown_ns = p->now_ns;
                p->show(p->user, p);
        }
        return ERR_NONE;
}

void progress_end(struct progress *p) {
        p->has_ended = true;
        p->now_ns = io_now_ns(p->io);
        if (p->show)
                p->show(p->user, p);
}

uint64_t progress_rate(const struct progress *p) {
        uint64_t ns = p->now_ns - p->marks[0].at_ns, bytes = p->done - p->marks[0].done;

        if (p->n_marks == 0 || p->done < p->marks[0].done || ns < MARK_EVERY_NS)
                return 0;
        return (uint64_t)((double)bytes * 1e9 / (double)ns);
}

uint64_t progress_left_ns(const struct progress *p) {
        uint64_t rate = progress_rate(p);

        if (p->total == 0 || rate == 0 || p->done > p->total)
                return UINT64_MAX;
        return (uint64_t)((double)(p->total - p->done) * 1e9 / (double)rate);
}
