// SPDX-License-Identifier: Apache-2.0
/* gc in histories of an SR: what to coalesce, and in which direction, is its own choice; steps of it come
 * between all else, beside coalesces that the history began itself. */
#include "history_sr.h"

enum { STEPS_MAX = 12, TREES_MAX = 3 };

static bool is_live(struct world *w, const struct gc_event *event) {
        const struct model_vdi *vdi = event->is_leaf ? model_vdi_find(w, &event->run[event->n - 1]) : NULL;

        return vdi && vdi->chain;
}

static void count_event(void *user, const struct gc_event *event) {
        struct world *w = user;
        struct history_count *count = &w->h->count;

        switch (event->kind) {
        case GC_EVENT_BEGINS:
                count->live_begun += is_live(w, event);
                history_say(w->h, "  gc coalesces %zu layers%s", event->n, event->is_leaf ? ", a leaf" : "");
                break;
        case GC_EVENT_DONE:
                count->coalesces++;
                count->gc_coalesces++;
                count->live_done += is_live(w, event);
                history_say(w->h, "  gc is done with one");
                break;
        case GC_EVENT_STOPPED:
                count->live_made_way += is_live(w, event);
                history_say(w->h, "  gc stopped: %s", event->why->text);
                break;
        case GC_EVENT_FAILED:
                history_say(w->h, "  gc failed: %s", event->why->text);
                break;
        case GC_EVENT_GARBAGE:
        case GC_EVENT_PHASE:
                break;
        }
}

static enum err have_gc(struct world *w, struct err_note *note) {
        const struct gc_options options = {.max_running = 1 + (unsigned)history_roll(w->h, TREES_MAX),
                                           .tell = count_event,
                                           .user = w,
                                           .tries_failed = history_chance(w->h, 50)};
        bool is_done;

        if (w->gc) {
                gc_look_again(w->gc);
                return ERR_NONE;
        }
        history_say(w->h, "gc begins");
        return world_ended(w, gc_new(w->sr, &options, &w->gc, note), &is_done, note);
}

enum err history_gc_step(struct world *w, struct err_note *note) {
        uint64_t n = 1 + history_roll(w->h, history_chance(w->h, 70) ? 3 : STEPS_MAX);
        struct gc_turn turn = {.what = GC_WORKED};

        if (have_gc(w, note))
                return note->code;
        history_say(w->h, "%d steps of gc", (int)n);
        while (w->gc && turn.what == GC_WORKED && n-- > 0) {
                bool is_done;

                if (world_ended(w, gc_step(w->gc, &turn, note), &is_done, note))
                        return err_wrap(note, "a step of gc");
                if (!is_done)
                        return ERR_NONE;
        }
        /* What failed is tried again once its time has come. */
        if (turn.what == GC_WAITS || (turn.what == GC_IDLE && turn.wait_ns != UINT64_MAX))
                io_sim_advance(w->h->io, turn.wait_ns);
        return ERR_NONE;
}

void history_gc_free(struct world *w) {
        if (w->gc)
                gc_free(TAKE(w->gc));
}

enum err history_gc_end(struct world *w, struct err_note *note) {
        bool is_done;

        if (!w->gc)
                return ERR_NONE;
        history_say(w->h, "gc ends");
        history_gc_free(w);
        return world_ended(w, ERR_NONE, &is_done, note);
}
