// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

enum { SHOW_EVERY_NS = 100 * 1000 * 1000 };

void progress_begin(struct progress *p, const char *doing, uint64_t total) {
        p->doing = doing;
        p->done = 0;
        p->total = total;
        p->has_ended = false;
        p->began_ns = p->now_ns = p->shown_ns = io_now_ns(p->io);
        rate_begin(&p->rate, p->began_ns, 0);
}

enum err progress_step(struct progress *p, uint64_t done, struct err_note *note) {
        if (p->is_cancelled && atomic_load_explicit(p->is_cancelled, memory_order_relaxed))
                return err_set(note, ERR_CANCELLED, "interrupted");
        p->done = done;
        p->now_ns = io_now_ns(p->io);
        rate_add(&p->rate, p->now_ns, done);
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

void progress_say(struct progress *p, const char *line) {
        if (p->say)
                p->say(p->user, line);
}

uint64_t progress_rate(const struct progress *p) {
        return rate_now(&p->rate);
}

uint64_t progress_left_ns(const struct progress *p) {
        return rate_left_ns(&p->rate, p->total);
}
