// SPDX-License-Identifier: Apache-2.0
/* Coalesces in histories of an SR: begun, stepped and ended between all else. */
#include "history_sr.h"

enum { RUNNING_MAX = 2, STEPS_MAX = 12, TRIES = 8 };

void history_coalesces_end(struct world *w) {
        VEC_EACH (&w->running, each)
                coalesce_end(each->coalesce);
        w->running.n = 0;
}

/* ---- begin ---- */

static bool is_written(struct world *w, const struct node *node) {
        const struct model_vdi *vdi = model_vdi_find(w, &node->uuid);

        return vdi && vdi->chain && !vdi->is_snapshot;
}

/* Mostly one that is written to. */
static const struct node *some_node(struct world *w) {
        const struct tree *tree = sr_tree(w->sr);
        const struct node *node = tree->nodes.data[history_roll(w->h, tree->nodes.n)];

        for (unsigned tries = 0; tries < TRIES && !is_written(w, node); tries++)
                node = tree->nodes.data[history_roll(w->h, tree->nodes.n)];
        return node;
}

/* From some node down as far as it may go, or not so far. */
static bool choose_run(struct world *w, struct coalesce_run *ret) {
        const struct node *node;

        if (sr_tree(w->sr)->nodes.n == 0)
                return false;
        node = some_node(w);
        *ret = (struct coalesce_run){.top = node->uuid, .n = 1, .is_leaf = !node->is_hidden};
        if (node->is_hidden == (node->n_children == 0))
                return false;
        while (node->parent && node->parent->is_hidden && node->parent->n_children == 1 && ret->n < RUN_MAX &&
               (ret->n < 2 || history_chance(w->h, 60))) {
                node = node->parent;
                ret->n++;
        }
        ret->target = node->uuid;
        ret->is_pull = history_chance(w->h, 40);
        return ret->n >= 2;
}

/* How it is done: what a direction would be chosen by, too. */
static struct coalesce_options choose_options(struct world *w) {
        return (struct coalesce_options){.batch_bytes = 1 + history_roll(w->h, 3 * MODEL_BLOCK)};
}

/* ---- [C5] ---- */

static uint32_t held_by(const struct image *image) {
        uint32_t held = 0;

        for (uint64_t i = 0; i < image_blocks(image); i++)
                if (image->ops->slot((struct image *)image, i) & SLOT_HELD)
                        held |= 1u << i;
        return held;
}

static enum err check_held(struct world *w, struct running *running, struct err_note *note) {
        const struct coalesce_run *run = coalesce_run_of(running->coalesce);
        const struct model_vdi *vdi = model_vdi_find(w, &run->top);
        struct coalesce_progress progress;

        coalesce_progress_of(running->coalesce, &progress);
        if (!running->is_live || progress.state > COALESCE_MOVING || !vdi || !vdi->chain)
                return ERR_NONE;
        for (unsigned i = run->is_pull; i < run->n - !run->is_pull; i++) {
                uint32_t held = held_by(chain_layer(vdi->chain, i));

                if (held & ~running->held[i])
                        return err_set(note, ERR_MISMATCH, "layer %u of VDI %s got blocks %#x, it had %#x", i,
                                       vdi->name, held, running->held[i]);
                running->held[i] = held;
        }
        return ERR_NONE;
}

enum err history_coalesces_check(struct world *w, struct err_note *note) {
        VEC_EACH (&w->running, each)
                if (check_held(w, each, note))
                        return note->code;
        return ERR_NONE;
}

static void note_begun(struct world *w, struct coalesce *c) {
        const struct model_vdi *vdi = model_vdi_find(w, &coalesce_run_of(c)->top);
        struct running running = {.coalesce = c, .is_live = vdi && vdi->chain};

        memset(running.held, 0xff, sizeof running.held);
        w->h->count.live_begun += running.is_live;
        *vec_add(&w->running) = running;
}

/* ---- begin, the verb ---- */

/* Without a fault: another coalesce, sizes that differ under open disks, a sync that failed before. */
static bool may_refuse(enum err err, const struct err_note *note) {
        return err == ERR_BUSY || err == ERR_UNSUPPORTED || strstr(note->text, "earlier sync");
}

enum err history_coalesce_begin(struct world *w, struct err_note *note) {
        const struct coalesce_options options = choose_options(w);
        struct coalesce *c = NULL;
        struct coalesce_run run;
        bool is_done;
        enum err e;

        if (w->running.n >= RUNNING_MAX)
                return ERR_NONE;
        for (unsigned tries = 0; !choose_run(w, &run); tries++)
                if (tries == TRIES)
                        return ERR_NONE;
        history_say(w->h, "%s %u layers below %s%s", run.is_pull ? "pull" : "push", run.n,
                    uuid_format(&run.top).s, run.is_leaf ? ", a leaf" : "");
        e = coalesce_begin(w->sr, &run, &options, &c, note);
        if (!e)
                note_begun(w, c);
        if (may_refuse(e, note) && !io_sim_is_dead(w->h->io)) {
                history_say(w->h, "  = refused: %s", note->text);
                e = ERR_NONE;
        }
        return world_ended(w, e, &is_done, note);
}

/* ---- step, end ---- */

static void drop(struct world *w, size_t i) {
        coalesce_end(w->running.data[i].coalesce);
        vec_remove_at(&w->running, i);
}

/* Another verb ended it, or the fault that the step before met. */
static enum err was_over(struct world *w, size_t i, struct err_note *note) {
        history_say(w->h, "  = over: %s", note->text);
        w->h->count.live_made_way += w->running.data[i].is_live && note->code == ERR_BUSY;
        drop(w, i);
        return ERR_NONE;
}

/* *ret_is_more: it may be stepped on. */
static enum err step_once(struct world *w, size_t i, bool *ret_is_more, struct err_note *note) {
        struct running *running = &w->running.data[i];
        bool may_fail = running->may_fail || coalesce_reason(running->coalesce)->code, is_over, is_done;
        uint64_t n_failures = w->h->count.failures;
        enum err e = coalesce_step(running->coalesce, &is_over, note);
        bool did_fire = w->h->is_armed && w->h->n_turns == 0 && io_sim_fired(w->h->io);

        *ret_is_more = false;
        if (e && may_fail && !did_fire && !io_sim_is_dead(w->h->io))
                return was_over(w, i, note);
        running->may_fail = did_fire;
        if (e && !io_sim_is_dead(w->h->io))
                drop(w, i);
        if (world_ended(w, e, &is_done, note))
                return err_wrap(note, "a step of a coalesce");
        if (e || n_failures != w->h->count.failures || !is_done)
                return ERR_NONE;
        w->h->count.coalesces += is_over;
        w->h->count.live_done += is_over && running->is_live;
        if (is_over) {
                history_say(w->h, "  = done");
                drop(w, i);
        }
        *ret_is_more = !is_over;
        return ERR_NONE;
}

enum err history_coalesce_step(struct world *w, struct err_note *note) {
        bool is_more = true;
        uint64_t n;
        size_t i;

        if (w->running.n == 0)
                return ERR_NONE;
        i = history_roll(w->h, w->running.n);
        n = 1 + history_roll(w->h, history_chance(w->h, 70) ? 2 : STEPS_MAX);
        history_say(w->h, "%d steps of coalesce %d", (int)n, (int)i);
        while (is_more && n-- > 0)
                if (step_once(w, i, &is_more, note) || history_coalesces_check(w, note))
                        return note->code;
        return ERR_NONE;
}

enum err history_coalesce_end(struct world *w, struct err_note *note) {
        bool is_done;
        size_t i;

        if (w->running.n == 0)
                return ERR_NONE;
        i = history_roll(w->h, w->running.n);
        history_say(w->h, "end coalesce %d", (int)i);
        drop(w, i);
        return world_ended(w, ERR_NONE, &is_done, note);
}
