// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "gc_inside.h"
#include "text.h"

void gc_status_fini(struct gc_status *status) {
        VEC_EACH (&status->items, each) {
                vec_fini(&each->run);
        }
        vec_fini(&status->items);
}

/* ---- how it is held back ---- */

static struct gc_held held_of(struct gc *gc) {
        struct gc_held held = {.allowed = gc_allowed(gc), .guests_window = gc_guests_window(gc)};

        if (held.guests_window != GOVERNOR_FREE_WINDOW) {
                held.guests = gc->governor.state;
                held.verdict = gc->governor.verdict;
        }
        if (gc_is_shut(gc))
                held.opens_at = gc->opens_at;
        return held;
}

/* Of less than a second it has only tenths. */
static struct text text_of_short(uint64_t ns) {
        struct text text = text_duration(ns);

        if (ns < 1000 * 1000)
                (void)snprintf(text.s, sizeof text.s, "%u us", (unsigned)(ns / 1000));
        else if (ns < 1000 * 1000 * 1000)
                (void)snprintf(text.s, sizeof text.s, "%.1f ms", (double)ns / 1e6);
        return text;
}

struct gc_held_text gc_held_text(const struct gc_held *held) {
        const struct governor_verdict *verdict = &held->verdict;
        struct gc_held_text text = {""};
        char speed[60] = "to a rest";

        if (held->guests_window == GOVERNOR_FREE_WINDOW)
                return text;
        if (held->guests_window)
                (void)snprintf(speed, sizeof speed, "to %s/s", text_size(held->guests_window).s);
        if (verdict->n)
                (void)snprintf(text.s, sizeof text.s,
                               "held back %s for guests: p%u of a %s is %s, at rest %s", speed,
                               verdict->percent, latency_kind_name(verdict->kind),
                               text_of_short(verdict->took_ns).s, text_of_short(verdict->at_rest_ns).s);
        else
                (void)snprintf(text.s, sizeof text.s, "held back %s for guests", speed);
        return text;
}

/* ---- what there is ---- */

static void add_running(const struct gc_running *running, uint64_t now_ns, struct gc_status *status) {
        struct gc_item *item = vec_add(&status->items);
        struct rate rate = running->rate;

        /* What stands still since the last step gets slower with each look. */
        rate_add(&rate, now_ns, running->progress.bytes_done);

        item->kind = PLAN_COALESCE;
        VEC_EACH (&running->run, each) {
                *vec_add(&item->run) = *each;
        }
        item->tree = running->tree;
        item->is_leaf = running->is_leaf;
        item->layers = (unsigned)running->run.n - 1;
        item->direction = running->direction;
        item->state = PLAN_RUNNING;
        item->phase = running->progress.phase;
        item->bytes_total = running->progress.bytes_total;
        item->bytes_done = running->progress.bytes_done;
        (void)snprintf(item->reason, sizeof item->reason, "%s", gc_held_text(&status->held).s);
        item->rate = rate_now(&rate);
        item->left_ns = rate_left_ns(&rate, item->bytes_total);
        item->began = running->began;
}

/* What is ready would go as fast as the last ones did; what waits, nobody knows when it will. */
static void add_candidate(const struct gc_view *view, const struct plan_candidate *candidate,
                          uint64_t past_rate, struct gc_status *status) {
        struct gc_item *item = vec_add(&status->items);

        item->kind = candidate->kind;
        VEC_EACH (&candidate->run, at) {
                *vec_add(&item->run) = view->nodes.data[*at].uuid;
        }
        item->tree = view->nodes.data[candidate->tree].uuid;
        item->is_leaf = candidate->is_leaf;
        item->layers = (unsigned)candidate->run.n - (candidate->kind == PLAN_COALESCE);
        item->direction = candidate->direction;
        item->state = candidate->state;
        item->phase = "";
        item->bytes_total = candidate->bytes_total;
        item->space_bytes = candidate->space_bytes;
        item->freed_bytes = candidate->freed_bytes;
        item->left_ns = UINT64_MAX;
        if (candidate->state == PLAN_READY && past_rate)
                item->left_ns = (uint64_t)((double)candidate->bytes_total * 1e9 / (double)past_rate);
        memcpy(item->reason, candidate->reason, sizeof item->reason);
}

/* Garbage, then what runs, then the rest as the plan has it. */
static void add_all(const struct gc *gc, const struct gc_view *view, uint64_t past_rate,
                    struct gc_status *status) {
        VEC_EACH (&view->plan.list, each) {
                if (each->kind == PLAN_GARBAGE)
                        add_candidate(view, each, past_rate, status);
        }
        VEC_EACH (&gc->running, each) {
                add_running(each, io_now_ns(gc->sr->io), status);
        }
        VEC_EACH (&view->plan.list, each) {
                if (each->kind == PLAN_COALESCE && each->state != PLAN_RUNNING)
                        add_candidate(view, each, past_rate, status);
        }
}

enum err gc_status(struct sr *sr, const struct gc_engine *engine, struct gc_status *ret,
                   struct err_note *note) {
        struct gc_options options = {.engine = engine};
        AUTO(gc_history_fini) struct gc_history history = {0};
        AUTO(gc_free) struct gc *asked = NULL;
        AUTO(gc_view_fini) struct gc_view view = {0};
        struct gc *gc = sr->gc;

        if (!gc && gc_make(sr, &options, &asked, note))
                return note->code;
        if (!gc)
                gc = asked;
        if (gc_history_read(sr->catalog, &history, note) || gc_ask(gc, &view, note))
                return err_wrap(note, "look at gc of SR %s", sr_where(sr));
        *ret = (struct gc_status){.settings = gc->settings, .held = held_of(gc)};
        add_all(gc, &view, gc_history_rate(&history), ret);
        return ERR_NONE;
}
