// SPDX-License-Identifier: Apache-2.0
#include "coalesce.h"

#include <assert.h>
#include <pthread.h>

#include "garbage.h"
#include "leaf_pivot.h"
#include "pull.h"
#include "relink.h"

struct coalesce {
        struct sr *sr;        /* borrowed; NULL once it is over */
        pthread_mutex_t lock; /* one step at a time, and none while it is being ended */
        struct coalesce_run run;
        struct intent intent;       /* owned; as it is in the catalog, while it is there */
        VEC(struct image *) images; /* owned array; counted; from the target up, those that are gone NULL */
        VEC(bool) has_write;        /* owned; of each image */
        struct push *push;          /* owned; while MOVING, of a push */
        struct pull *pull;          /* owned; while MOVING, of a pull */
        struct chain *live;         /* borrowed; which writes to the top all the time; or NULL */
        uint64_t batch_bytes;
        unsigned depth;
        enum coalesce_state state;
        bool wants_ballast; /* a batch found no space: the next step lets it go */
        bool has_ballast;   /* it was let go, and is not yet whole again */
        bool owes_ballast;  /* a batch has given its space up since: the next step takes it back */
        bool is_failing;    /* a step that was not the owner's failed: the next one, his, ends it */
        struct err_note why;
        struct coalesce_progress progress; /* as the last step left it */
        pthread_mutex_t progress_lock;     /* for it alone: who looks does not wait for a step; taken last */
};

const char *coalesce_state_name(enum coalesce_state state) {
        static const char *const names[COALESCE_STATES] = {
                [COALESCE_CLAIMED] = "claimed",   [COALESCE_MOVING] = "moving",
                [COALESCE_EMPTY] = "relinking",   [COALESCE_RELINKED] = "unlinking",
                [COALESCE_PIVOTING] = "pivoting", [COALESCE_DONE] = "done",
                [COALESCE_ENDED] = "ended",
        };

        return names[state];
}

/* ---- states ---- */

#define TO(state) (1u << (state))

static const unsigned allowed[COALESCE_STATES] = {
        [COALESCE_CLAIMED] = TO(COALESCE_MOVING) | TO(COALESCE_ENDED),
        [COALESCE_MOVING] = TO(COALESCE_EMPTY) | TO(COALESCE_ENDED),
        [COALESCE_EMPTY] = TO(COALESCE_RELINKED) | TO(COALESCE_PIVOTING) | TO(COALESCE_ENDED),
        [COALESCE_RELINKED] = TO(COALESCE_PIVOTING) | TO(COALESCE_DONE) | TO(COALESCE_ENDED),
        [COALESCE_PIVOTING] = TO(COALESCE_DONE) | TO(COALESCE_ENDED),
};

static bool has_mover(const struct coalesce *c) {
        return c->push || c->pull;
}

static bool has_claim(const struct coalesce *c) {
        return c->intent.kind == (c->run.is_pull ? INTENT_PULL : INTENT_COALESCE);
}

static bool has_relinked(const struct coalesce *c) {
        return c->intent.kind == (c->run.is_pull ? INTENT_RELINK_TOP : INTENT_RELINK);
}

static bool has_all(const struct coalesce *c, bool with_write) {
        for (size_t i = 0; i < c->images.n; i++)
                if (!c->images.data[i] || (with_write && !c->has_write.data[i]))
                        return false;
        return true;
}

/* Of images[from] and above none is held. */
static bool has_none(const struct coalesce *c, size_t from) {
        for (size_t i = from; i < c->images.n; i++)
                if (c->images.data[i] || c->has_write.data[i])
                        return false;
        return true;
}

/* What must hold in a state, as it is entered. */
static bool is_sound(const struct coalesce *c) {
        switch (c->state) {
        case COALESCE_CLAIMED:
                return has_all(c, true) && !has_mover(c) && has_claim(c);
        case COALESCE_MOVING:
                return has_all(c, true) && has_mover(c) && has_claim(c);
        case COALESCE_EMPTY:
                return has_all(c, true) && !has_mover(c) && has_claim(c);
        case COALESCE_RELINKED:
                return has_all(c, false) && !has_mover(c) && has_relinked(c);
        case COALESCE_PIVOTING:
                return c->run.is_leaf && !c->run.is_pull && c->images.data[0] && c->has_write.data[0] &&
                       !has_mover(c);
        case COALESCE_DONE:
        case COALESCE_ENDED:
                return has_none(c, 0) && !has_mover(c) && !c->sr;
        }
        return false;
}

static void enter(struct coalesce *c, enum coalesce_state state) {
        assert(allowed[c->state] & TO(state));
        c->state = state;
        assert(is_sound(c));
}

/* ---- chains ---- */

struct chains {
        VEC(struct chain *) list; /* owned array; borrowed, of the SR and its imports */
};

static void chains_fini(struct chains *chains) {
        vec_fini(&chains->list);
}
DEFINE_AUTO_IN_PLACE(struct chains, chains_fini);

static struct chains chains_through(const struct sr *sr, const struct image *image) {
        struct chains chains = {0};

        VEC_EACH (&sr->chains, each) {
                if (chain_passes(each->chain, image))
                        *vec_add(&chains.list) = each->chain;
        }
        VEC_EACH (&sr->imports, each) {
                struct chain *chain = sr_import_chain(*each);

                if (chain && chain_passes(chain, image))
                        *vec_add(&chains.list) = chain;
        }
        return chains;
}

/* ---- images ---- */

static void let_go(struct coalesce *c, size_t i) {
        if (c->has_write.data[i])
                image_abandon_write(c->images.data[i]);
        c->has_write.data[i] = false;
        if (c->images.data[i])
                image_unref(TAKE(c->images.data[i]));
}

/* Its write side ends; it may be read on. */
static enum err end_write(struct coalesce *c, size_t i, struct err_note *note) {
        if (!c->has_write.data[i])
                return ERR_NONE;
        c->has_write.data[i] = false;
        return image_end_write(c->images.data[i], note);
}

/* Of a live run the chain has them open already. */
static enum err open_image(struct coalesce *c, size_t i, const char *path, enum image_kind kind,
                           struct image **ret, struct err_note *note) {
        unsigned from_top = (unsigned)(c->intent.nodes.n - 1 - i);

        if (!c->live)
                return images_open(&c->sr->images, path, kind, false, ret, note);
        if (from_top >= chain_depth(c->live))
                return err_set(note, ERR_BUSY, "%s was changed meanwhile", path);
        *ret = image_ref((struct image *)chain_layer(c->live, from_top));
        return ERR_NONE;
}

static bool is_of_run(const struct coalesce *c, const struct image *image) {
        VEC_EACH (&c->images, each) {
                if (*each == image)
                        return true;
        }
        return false;
}

/* Of a coalesce that could not be ended cleanly: blocks have left a layer, and open chains read them there
 * still.  They came down with what the layers above had of them, so a run of fewer layers would bring back
 * the older of it. */
static enum err check_half_way(const struct coalesce *c, struct err_note *note) {
        AUTO(chains_fini) struct chains chains = chains_through(c->sr, c->images.data[0]);

        VEC_EACH (&chains.list, each) {
                for (unsigned i = 0; i < chain_depth(*each); i++) {
                        const struct image *layer = chain_layer(*each, i);

                        if (layer->unpublished.n > 0 && !is_of_run(c, layer))
                                return err_set(
                                        note, ERR_BUSY,
                                        "blocks of %s are half-way since a coalesce failed: close what "
                                        "has it open",
                                        layer->path);
                }
        }
        return ERR_NONE;
}

static enum err open_images(struct coalesce *c, struct err_note *note) {
        struct sr *sr = c->sr;

        VEC_EACH (&c->intent.nodes, each) {
                const struct node *node = tree_find(&sr->tree, each);
                struct place_name name = place_name_of(each, node ? node->kind : IMAGE_VHD);
                AUTO_FREE char *path = place_path(sr->place, &name);
                struct image *image;

                if (open_image(c, c->images.n, path, name.kind, &image, note))
                        return note->code;
                *vec_add(&c->images) = image;
                *vec_add(&c->has_write) = false;
                if (!node || image->device != node->device || image->inode != node->inode)
                        return err_set(note, ERR_BUSY, "%s was changed meanwhile", path);
        }
        if (check_half_way(c, note))
                return note->code;
        for (size_t i = 0; i < c->images.n; i++) {
                if (image_begin_write(c->images.data[i], note))
                        return note->code;
                c->has_write.data[i] = true;
        }
        return ERR_NONE;
}

/* It holds nothing that is seen: it leaves every chain. */
static void take_out_of_chains(struct coalesce *c, size_t i) {
        AUTO(chains_fini) struct chains chains = chains_through(c->sr, c->images.data[i]);

        VEC_EACH (&chains.list, each) {
                chain_take_out(*each, c->images.data[i]);
        }
}

/* ---- space ---- */

/* What a full SR keeps for this: taken when a batch finds no space, given back as batches give up theirs. */
static enum err use_ballast(struct coalesce *c, struct err_note *note) {
        bool is_whole;

        if (c->wants_ballast) {
                c->wants_ballast = false;
                c->has_ballast = true;
                return ballast_let_go(c->sr->ballast, note);
        }
        c->owes_ballast = false;
        if (ballast_take_back(c->sr->ballast, &is_whole, note))
                return note->code;
        c->has_ballast = !is_whole;
        return ERR_NONE;
}

static bool may_use_ballast(const struct coalesce *c) {
        return c->sr->ballast && ballast_held(c->sr->ballast) > 0;
}

/* Guests must not be held back for ever where it cannot be whole again. */
static void return_ballast(struct coalesce *c) {
        struct err_note unused;

        if (!c->has_ballast)
                return;
        if (use_ballast(c, &unused) || c->has_ballast)
                images_hold_back(&c->sr->images, false);
        c->has_ballast = false;
}

/* ---- the end ---- */

static void forget(struct coalesce *c) {
        struct sr *sr = c->sr;

        for (size_t i = 0; i < sr->coalesces.n; i++) {
                if (sr->coalesces.data[i] != c)
                        continue;
                vec_remove_at(&sr->coalesces, i);
                break;
        }
        c->sr = NULL;
}

/* What is left of the claim.  A pivot that was begun is recovered before the next change. */
static enum err drop_claim(struct coalesce *c, struct err_note *note) {
        struct sr *sr = c->sr;
        enum err err;

        if (c->intent.kind == INTENT_LEAF_PIVOT)
                return ERR_NONE;
        err = has_relinked(c) ? relink_recover(sr, &c->intent, note) : claim_recover(sr, &c->intent, note);
        if (err)
                sr->must_recover = true;
        return err;
}

/* No block stays half-way, and a chain that writes does so to its leaf alone again.  Where one cannot be
 * brought all the way, what is written to it could be lost: then nothing is acknowledged any more [D6]. */
static void end_moving(struct coalesce *c) {
        AUTO(chains_fini) struct chains chains = {0};
        struct chain *live = TAKE(c->live);
        struct err_note unused;
        enum err err = ERR_NONE;

        if (c->push) {
                chains = chains_through(c->sr, c->images.data[0]);
                err = push_settle(c->push, chains.list.data, chains.list.n, &unused);
                /* What left a disk that stays open would take its space until that closes. */
                if (!err && push_phase(c->push) == PUSH_PUNCH)
                        (void)!push_step(c->push, NULL, 0, &unused);
        }
        if (live && err)
                atomic_store(&c->images.data[c->images.n - 1]->has_failed, true);
        if (live)
                chain_end_move(live);
}

/* Bits of the target first: what lies there is what the others may not have any more.  Of a disk that is
 * written to, its flushes bring down the leaf alone from now on: what could not be brought down below it must
 * not be told of by one [D6]. */
static enum err end_writes(struct coalesce *c, bool was_live, struct err_note *note) {
        size_t top = c->images.n - 1;

        for (size_t i = 0; i < c->images.n; i++) {
                if (end_write(c, i, note) == ERR_NONE)
                        continue;
                if (was_live && i < top && c->images.data[top])
                        atomic_store(&c->images.data[top]->has_failed, true);
                return note->code;
        }
        return ERR_NONE;
}

/* Everything is given back, whatever fails of it; its first error is told. */
static enum err give_back(struct coalesce *c, struct err_note *note) {
        bool was_live = c->live && !c->run.is_pull;
        struct err_note later;
        enum err err;

        end_moving(c);
        return_ballast(c);
        if (c->push)
                push_free(TAKE(c->push));
        if (c->pull)
                pull_free(TAKE(c->pull));
        err = end_writes(c, was_live, note);
        for (size_t i = 0; i < c->images.n; i++) {
                if (i > 0 && i < c->images.n - c->run.is_leaf && c->images.data[i] &&
                    c->intent.kind == INTENT_RELINK)
                        take_out_of_chains(c, i);
                let_go(c, i);
        }
        if (drop_claim(c, err ? &later : note) && !err)
                err = note->code;
        return err;
}

static void give_up(struct coalesce *c, const struct err_note *why) {
        struct sr *sr = c->sr;
        struct err_note unused;

        c->why = *why;
        (void)!give_back(c, &unused);
        forget(c);
        enter(c, COALESCE_ENDED);
        (void)!sr_refresh(sr, &unused);
}

static enum err finish(struct coalesce *c, struct err_note *note) {
        struct sr *sr = c->sr;

        size_t kept = c->run.is_pull ? c->images.n - 1 : 0;

        return_ballast(c);
        if (end_write(c, kept, note))
                return note->code;
        let_go(c, kept);
        if (has_relinked(c) && sr_note_change(sr, NULL, NULL, &c->intent.uuid, note))
                return note->code;
        forget(c);
        enter(c, COALESCE_DONE);
        return sr_refresh(sr, note);
}

/* ---- the beginning ---- */

static enum err claim(struct coalesce *c, struct err_note *note) {
        struct sr *sr = c->sr;
        bool did_grow;

        /* [C4] durable before a byte changes. */
        if (sr_note_change(sr, NULL, &c->intent, NULL, note)) {
                sr->must_recover = true;
                return note->code;
        }
        if ((!c->run.is_pull && claim_grow(sr, &c->intent, &did_grow, note)) || sr_refresh(sr, note) ||
            open_images(c, note))
                return note->code;
        if (c->live && !c->run.is_pull)
                return chain_begin_move(c->live, c->images.data, c->images.n, note);
        return ERR_NONE;
}

static struct chain *writer_of(struct sr *sr, const struct uuid *vdi) {
        struct sr_open_chain *writer = sr_writer_of(sr, vdi);

        return writer ? writer->chain : NULL;
}

static void coalesce_free(struct coalesce *c) {
        intent_fini(&c->intent);
        vec_fini(&c->images);
        vec_fini(&c->has_write);
        pthread_mutex_destroy(&c->progress_lock);
        pthread_mutex_destroy(&c->lock);
        free(c);
}

/* Who reads what must grow does without it meanwhile.  In the turn in which it is claimed, and under the
 * intent of the resize: so nobody comes between [C4]. */
static enum err grow_below_guests(struct sr *sr, struct coalesce *c, struct err_note *note) {
        struct sr_aside aside = {0};
        enum err err = claim_ask_aside(sr, &c->intent, &aside, note);
        bool did_grow;

        if (aside.all.n == 0)
                return err;
        if (!err)
                err = claim_grow(sr, &c->intent, &did_grow, note);
        err = sr_refresh_after(sr, err, note);
        sr_step_back(&aside);
        return err;
}

static enum err begin(struct sr *sr, struct coalesce *c, struct err_note *note) {
        struct err_note unused;
        enum err err;

        if (sr_begin_change(sr, note) || sr_refresh(sr, note) || claim_check(sr, &c->run, &c->intent, note) ||
            (!c->run.is_pull && grow_below_guests(sr, c, note)))
                return note->code;
        *vec_add(&sr->coalesces) = c;
        c->sr = sr;
        c->live = c->run.is_leaf ? writer_of(sr, &c->run.top) : NULL;
        err = claim(c, note);
        if (err == ERR_NONE)
                return ERR_NONE;
        (void)!give_back(c, &unused);
        forget(c);
        (void)!sr_refresh(sr, &unused);
        return err;
}

enum err coalesce_begin(struct sr *sr, const struct coalesce_run *run, const struct coalesce_options *options,
                        struct coalesce **ret, struct err_note *note) {
        struct coalesce *c = mem_new(struct coalesce);

        pthread_mutex_init(&c->lock, NULL);
        pthread_mutex_init(&c->progress_lock, NULL);
        c->run = *run;
        c->progress = (struct coalesce_progress){.direction = run->is_pull ? "pull" : "push",
                                                 .layers = run->n,
                                                 .started_ns = io_now_ns(sr->io)};
        c->batch_bytes = options ? options->batch_bytes : 0;
        if (begin(sr, c, note)) {
                coalesce_free(c);
                return err_wrap(note, "coalesce %s", uuid_format(&run->top).s);
        }
        assert(is_sound(c));
        *ret = c;
        return ERR_NONE;
}

/* ---- moving ---- */

static void set_pace(struct coalesce *c) {
        if (c->push)
                push_pace(c->push, c->batch_bytes, c->depth);
        if (c->pull)
                pull_pace(c->pull, c->batch_bytes, c->depth);
}

static enum err start_moving(struct coalesce *c, struct err_note *note) {
        const struct mover_options options = {.batch_bytes = c->batch_bytes, .live = c->live};

        if (c->run.is_pull ? pull_new(c->images.data, c->images.n, &options, &c->pull, note)
                           : push_new(c->images.data, c->images.n, &options, &c->push, note))
                return note->code;
        set_pace(c);
        enter(c, COALESCE_MOVING);
        return ERR_NONE;
}

static enum err pull(struct coalesce *c, struct err_note *note) {
        if (pull_phase(c->pull) != PULL_FULL)
                return pull_step(c->pull, note);
        pull_free(TAKE(c->pull));
        enter(c, COALESCE_EMPTY);
        return ERR_NONE;
}

static enum err push(struct coalesce *c, struct err_note *note) {
        AUTO(chains_fini) struct chains chains = {0};
        enum push_phase phase = push_phase(c->push);

        if (c->wants_ballast || c->owes_ballast)
                return use_ballast(c, note);
        if (phase == PUSH_EMPTY) {
                push_free(TAKE(c->push));
                enter(c, COALESCE_EMPTY);
                return ERR_NONE;
        }
        if (phase == PUSH_PUBLISH)
                chains = chains_through(c->sr, c->images.data[0]);
        if (push_step(c->push, chains.list.data, chains.list.n, note) == ERR_NONE) {
                c->owes_ballast = phase == PUSH_PUNCH && c->has_ballast;
                return ERR_NONE;
        }
        c->wants_ballast = phase == PUSH_COPY && note->code == ERR_NO_SPACE && may_use_ballast(c);
        return c->wants_ballast ? ERR_NONE : note->code;
}

/* ---- taking the nodes out that are left over ---- */

/* The uppermost node of these; of a push 0: there is none, but for a leaf. */
static size_t upper_going(const struct coalesce *c) {
        return c->images.n - 1 - (c->run.is_leaf || c->run.is_pull);
}

static size_t lowest_going(const struct coalesce *c) {
        return c->run.is_pull ? 0 : 1;
}

/* From here on there is no way back, and none is needed: the emptied nodes hold nothing. */
static enum err begin_relink(struct coalesce *c, struct err_note *note) {
        struct intent intent = c->intent;

        if (c->live)
                chain_narrow_move(c->live);
        for (size_t i = 1; i < c->images.n - (c->live != NULL); i++)
                if (end_write(c, i, note))
                        return note->code;
        intent.kind = INTENT_RELINK;
        intent.vdi = c->intent.nodes.data[upper_going(c)];
        if (sr_note_change(c->sr, NULL, &intent, NULL, note))
                return note->code;
        c->intent = intent;
        return ERR_NONE;
}

/* [C2] what goes is named by nobody. */
static enum err check_unnamed(struct coalesce *c, struct err_note *note) {
        const struct node *node = tree_find(&c->sr->tree, &c->intent.nodes.data[upper_going(c)]);

        if (!node || node->n_claims == 0)
                return ERR_NONE;
        return err_set(note, ERR_BUSY, "%s is not needed, and named as a parent by %u files still",
                       node->name, node->n_claims);
}

/* The chains go on to lead through the lower nodes until the top leads past them durably: what a guest trims
 * meanwhile must not let the file below show. */
static enum err relink_pulled(struct coalesce *c, struct err_note *note) {
        size_t top = c->images.n - 1;
        AUTO(chains_fini) struct chains chains = chains_through(c->sr, c->images.data[top]);
        struct intent intent = c->intent;

        for (size_t i = 0; i < top; i++)
                if (end_write(c, i, note))
                        return note->code;
        intent.kind = INTENT_RELINK_TOP;
        if (sr_note_change(c->sr, NULL, &intent, NULL, note))
                return note->code;
        c->intent = intent;
        if (relink_top(c->sr, &c->intent, note))
                return note->code;
        VEC_EACH (&chains.list, each) {
                chain_take_out_below(*each, c->images.data[top], (unsigned)top);
        }
        if (sr_refresh(c->sr, note) || check_unnamed(c, note))
                return note->code;
        enter(c, COALESCE_RELINKED);
        return ERR_NONE;
}

static enum err relink(struct coalesce *c, struct err_note *note) {
        bool did;

        if (c->run.is_pull)
                return relink_pulled(c, note);

        if (upper_going(c) == 0) {
                enter(c, COALESCE_PIVOTING);
                return ERR_NONE;
        }
        if (c->intent.kind == INTENT_COALESCE && begin_relink(c, note))
                return note->code;
        if (relink_child(c->sr, &c->intent, &did, note))
                return note->code;
        if (sr_refresh(c->sr, note))
                return note->code;
        if (did)
                return ERR_NONE;
        if (check_unnamed(c, note))
                return note->code;
        enter(c, COALESCE_RELINKED);
        return ERR_NONE;
}

/* The uppermost that is there; false: none is. */
static bool next_to_go(const struct coalesce *c, size_t *ret) {
        for (size_t i = upper_going(c) + 1; i-- > lowest_going(c);)
                if (c->images.data[i]) {
                        *ret = i;
                        return true;
                }
        return false;
}

static enum err take_out(struct coalesce *c, size_t i, struct err_note *note) {
        const struct node *node = tree_find(&c->sr->tree, &c->intent.nodes.data[i]);

        take_out_of_chains(c, i);
        let_go(c, i);
        if (!node)
                return err_set(note, ERR_NOT_FOUND, "node %s is gone",
                               uuid_format(&c->intent.nodes.data[i]).s);
        /* A sync between one and the next: a crash must not keep a child whose parent has gone. */
        if (c->run.is_pull ? garbage_remove_pulled(c->sr, node, note)
                           : garbage_remove_emptied(c->sr, node, note))
                return note->code;
        return sr_sync_names(c->sr, note);
}

static enum err unlink_next(struct coalesce *c, struct err_note *note) {
        size_t i;

        if (next_to_go(c, &i))
                return take_out(c, i, note);
        if (!c->run.is_leaf || c->run.is_pull)
                return finish(c, note);
        enter(c, COALESCE_PIVOTING);
        return sr_refresh(c->sr, note);
}

/* From under the chain that writes: it goes on writing to the target. */
static enum err pivot_live(struct coalesce *c, struct err_note *note) {
        c->intent.kind = INTENT_LEAF_PIVOT;
        c->intent.vdi = c->run.top;
        if (leaf_pivot_live(c->sr, &c->intent, c->live, c->images.data[0], note))
                return note->code;
        c->live = NULL;
        let_go(c, c->images.n - 1);
        return finish(c, note);
}

static enum err pivot(struct coalesce *c, struct err_note *note) {
        struct sr *sr = c->sr;
        size_t top = c->images.n - 1;

        if (c->live)
                return pivot_live(c, note);
        if (end_write(c, top, note) || end_write(c, 0, note))
                return note->code;
        let_go(c, top);
        let_go(c, 0);
        c->intent.kind = INTENT_LEAF_PIVOT;
        c->intent.vdi = c->run.top;
        if (leaf_pivot_do(sr, &c->intent, note)) {
                /* It may not have come as far as to its intent. */
                sr->must_recover = true;
                return note->code;
        }
        return finish(c, note);
}

/* ---- steps ---- */

static enum err take_step(struct coalesce *c, struct err_note *note) {
        switch (c->state) {
        case COALESCE_CLAIMED:
                return start_moving(c, note);
        case COALESCE_MOVING:
                return c->run.is_pull ? pull(c, note) : push(c, note);
        case COALESCE_EMPTY:
                return relink(c, note);
        case COALESCE_RELINKED:
                return unlink_next(c, note);
        case COALESCE_PIVOTING:
                return pivot(c, note);
        case COALESCE_DONE:
        case COALESCE_ENDED:
                break;
        }
        return ERR_NONE;
}

/* Of a pull as of a push that does the same. */
static enum push_phase phase_of(const struct coalesce *c) {
        if (c->push)
                return push_phase(c->push);
        if (!c->pull || pull_phase(c->pull) == PULL_FULL)
                return PUSH_EMPTY;
        return pull_phase(c->pull) == PULL_COPY ? PUSH_COPY : PUSH_SYNC;
}

static bool needs_turn(const struct coalesce *c) {
        if (c->is_failing || c->state != COALESCE_MOVING)
                return true;
        if (c->wants_ballast || c->owes_ballast)
                return true;
        switch (phase_of(c)) {
        case PUSH_COPY:
        case PUSH_SYNC:
        case PUSH_CLEAR:
        case PUSH_PUNCH:
                return false;
        case PUSH_PUBLISH:
        case PUSH_EMPTY:
                return true;
        }
        return true;
}

static enum err step(struct coalesce *c, struct err_note *note) {
        bool is_owner = needs_turn(c);

        if (c->state == COALESCE_ENDED || c->is_failing) {
                if (c->state != COALESCE_ENDED)
                        give_up(c, &c->why);
                *note = c->why;
                return note->code;
        }
        if (take_step(c, note) == ERR_NONE)
                return ERR_NONE;
        (void)err_wrap(note, "coalesce %s", uuid_format(&c->run.top).s);
        if (c->state == COALESCE_DONE) /* all but the scan at its end */
                return note->code;
        if (is_owner) {
                give_up(c, note);
                return note->code;
        }
        c->why = *note;
        c->is_failing = true;
        return ERR_NONE;
}

static void note_progress(struct coalesce *c) {
        pthread_mutex_lock(&c->progress_lock);
        c->progress.state = c->state;
        c->progress.phase = phase_of(c);
        if (c->push) {
                c->progress.bytes_total = push_bytes_total(c->push);
                c->progress.bytes_done = push_bytes_done(c->push);
        } else if (c->pull) {
                c->progress.bytes_total = pull_bytes_total(c->pull);
                c->progress.bytes_done = pull_bytes_done(c->pull);
        }
        pthread_mutex_unlock(&c->progress_lock);
}

enum err coalesce_step(struct coalesce *c, bool *ret_is_done, struct err_note *note) {
        enum err err;

        pthread_mutex_lock(&c->lock);
        err = step(c, note);
        *ret_is_done = !err && c->state == COALESCE_DONE;
        note_progress(c);
        pthread_mutex_unlock(&c->lock);
        return err;
}

void coalesce_pace(struct coalesce *c, uint64_t batch_bytes, unsigned depth) {
        pthread_mutex_lock(&c->lock);
        c->batch_bytes = batch_bytes;
        c->depth = depth;
        set_pace(c);
        pthread_mutex_unlock(&c->lock);
}

bool coalesce_needs_turn(struct coalesce *c) {
        bool needs;

        pthread_mutex_lock(&c->lock);
        needs = needs_turn(c);
        pthread_mutex_unlock(&c->lock);
        return needs;
}

static void stop(struct coalesce *c, const struct err_note *why) {
        pthread_mutex_lock(&c->lock);
        if (c->sr)
                give_up(c, c->is_failing ? &c->why : why);
        note_progress(c);
        pthread_mutex_unlock(&c->lock);
}

void coalesce_end(struct coalesce *c) {
        struct err_note why;

        (void)err_set(&why, ERR_CANCELLED, "it was ended");
        stop(c, &why);
        coalesce_free(c);
}

/* ---- looking ---- */

void coalesce_progress_of(struct coalesce *c, struct coalesce_progress *ret) {
        pthread_mutex_lock(&c->progress_lock);
        *ret = c->progress;
        pthread_mutex_unlock(&c->progress_lock);
}

const struct coalesce_run *coalesce_run_of(const struct coalesce *c) {
        return &c->run;
}

const struct err_note *coalesce_reason(const struct coalesce *c) {
        return &c->why;
}

/* ---- for the verbs of an SR ---- */

enum err coalesce_make_way(struct sr *sr, const struct uuid *vdi, const char *verb, struct err_note *note) {
        struct err_note why;
        bool did = false;

        for (size_t i = sr->coalesces.n; i-- > 0;) {
                struct coalesce *c = sr->coalesces.data[i];

                if (!c->run.is_leaf || !uuid_equal(&c->run.top, vdi))
                        continue;
                (void)err_set(&why, ERR_BUSY, "VDI %s was wanted: %s", uuid_format(vdi).s, verb);
                stop(c, &why);
                did = true;
        }
        /* Where it left something unfinished, that comes first. */
        return did && sr->must_recover ? sr_begin_change(sr, note) : ERR_NONE;
}

enum err coalesce_end_unneeded(struct sr *sr, bool *ret_did, struct err_note *note) {
        struct err_note why;

        *ret_did = false;
        for (size_t i = sr->coalesces.n; i-- > 0;) {
                struct coalesce *c = sr->coalesces.data[i];
                const struct node *top = tree_find(&sr->tree, &c->run.top);

                if (c->run.is_leaf || c->state > COALESCE_MOVING || (top && top->n_claims > 0))
                        continue;
                (void)err_set(&why, ERR_NOT_FOUND, "nothing needs %s any more", uuid_format(&c->run.top).s);
                stop(c, &why);
                *ret_did = true;
        }
        return *ret_did && sr->must_recover ? sr_begin_change(sr, note) : ERR_NONE;
}

bool coalesce_may_attach(const struct sr *sr, const struct uuid *base) {
        VEC_EACH (&sr->coalesces, each) {
                const struct coalesce *c = *each;

                if (!intent_names(&c->intent, base))
                        continue;
                if (c->run.is_pull) /* what stands on the top stays there */
                        return uuid_equal(base, &c->run.top);
                /* The top's children will all be relinked, and the target has everything once that began. */
                if (!c->run.is_leaf && c->state <= COALESCE_EMPTY && uuid_equal(base, &c->run.top))
                        return true;
                return c->state >= COALESCE_EMPTY && uuid_equal(base, &c->run.target);
        }
        return true;
}

bool coalesce_is_running(const struct sr *sr, const struct intent *intent) {
        VEC_EACH (&sr->coalesces, each) {
                if (uuid_equal(&(*each)->intent.uuid, &intent->uuid))
                        return true;
        }
        return false;
}

void coalesce_end_all(struct sr *sr) {
        struct err_note why;

        (void)err_set(&why, ERR_CANCELLED, "the SR was closed");
        while (sr->coalesces.n > 0)
                stop(sr->coalesces.data[sr->coalesces.n - 1], &why);
}
