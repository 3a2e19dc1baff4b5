// SPDX-License-Identifier: Apache-2.0
#include "gc_engine.h"

#include "coalesce.h"
#include "mover.h"
#include "sr_state.h"

/* ---- prices ---- */

struct opened {
        VEC(struct image *) images; /* owned array, counted images */
};

static void opened_fini(struct opened *opened) {
        VEC_EACH (&opened->images, each) {
                image_unref(*each);
        }
        vec_fini(&opened->images);
}
DEFINE_AUTO_IN_PLACE(struct opened, opened_fini);

/* A disk that is open for writing cannot be opened by itself: the image that its chain has.  Or NULL. */
static struct image *written_image(struct sr *sr, const struct node *node) {
        const struct sr_open_chain *writer = sr_writer_of(sr, &node->uuid);
        const struct image *leaf = writer ? chain_layer(writer->chain, 0) : NULL;

        if (!leaf || leaf->device != node->device || leaf->inode != node->inode)
                return NULL;
        return image_ref((struct image *)leaf);
}

static enum err open_run(struct sr *sr, const struct node *const *run, size_t n, struct opened *opened,
                         struct err_note *note) {
        for (size_t i = 0; i < n; i++) {
                struct place_name name = node_place_name(run[i]);
                AUTO_FREE char *path = place_path(sr->place, &name);
                struct image *image = written_image(sr, run[i]);

                if (!image && images_open(&sr->images, path, run[i]->kind, false, &image, note))
                        return note->code;
                *vec_add(&opened->images) = image;
        }
        return ERR_NONE;
}

static enum err price(struct sr *sr, const struct node *const *run, size_t n, struct plan_price *ret,
                      struct err_note *note) {
        AUTO(opened_fini) struct opened opened = {0};
        struct mover_price push, pull = {0};
        struct err_note why;
        enum err err;

        if (open_run(sr, run, n, &opened, note) || mover_price(opened.images.data, n, 0, &push, note))
                return note->code;
        err = mover_price(opened.images.data, n, n - 1, &pull, &why);
        if (err && err != ERR_UNSUPPORTED) {
                *note = why;
                return err;
        }
        *ret = (struct plan_price){.push_bytes = push.bytes,
                                   .push_new_blocks = push.new_blocks,
                                   .pull_bytes = pull.bytes,
                                   .pull_new_blocks = pull.new_blocks,
                                   .may_pull = !err};
        return ERR_NONE;
}

/* ---- one coalesce ---- */

static enum err begin(struct sr *sr, const struct gc_run *run, void **ret, struct err_note *note) {
        struct coalesce_run wanted = {.target = run->nodes[0],
                                      .top = run->nodes[run->n - 1],
                                      .n = run->n,
                                      .is_leaf = run->is_leaf,
                                      .is_pull = run->direction == PLAN_PULL};
        struct coalesce_options options = {.batch_bytes = run->pace.batch_bytes};
        struct coalesce *coalesce;

        if (coalesce_begin(sr, &wanted, &options, &coalesce, note))
                return note->code;
        coalesce_pace(coalesce, run->pace.batch_bytes, run->pace.depth);
        *ret = coalesce;
        return ERR_NONE;
}

static void pace(void *coalesce, const struct gc_pace *pace) {
        coalesce_pace(coalesce, pace->batch_bytes, pace->depth);
}

static bool needs_turn(void *coalesce) {
        return coalesce_needs_turn(coalesce);
}

static enum err step(void *coalesce, bool *ret_is_done, struct err_note *note) {
        return coalesce_step(coalesce, ret_is_done, note);
}

static const char *name_of_phase(enum push_phase phase) {
        switch (phase) {
        case PUSH_COPY:
                return "copy";
        case PUSH_SYNC:
                return "sync";
        case PUSH_CLEAR:
                return "clear";
        case PUSH_PUBLISH:
                return "publish";
        case PUSH_PUNCH:
                return "punch";
        case PUSH_EMPTY:
                return "empty";
        }
        return "";
}

static const char *name_of_state(const struct coalesce_progress *progress) {
        switch (progress->state) {
        case COALESCE_CLAIMED:
                return "claim";
        case COALESCE_MOVING:
                return name_of_phase(progress->phase);
        case COALESCE_EMPTY:
                return "relink";
        case COALESCE_RELINKED:
                return "unlink";
        case COALESCE_PIVOTING:
                return "pivot";
        case COALESCE_DONE:
        case COALESCE_ENDED:
                return coalesce_state_name(progress->state);
        }
        return "";
}

static void progress(void *coalesce, struct gc_progress *ret) {
        struct coalesce_progress progress;

        coalesce_progress_of(coalesce, &progress);
        *ret = (struct gc_progress){.bytes_total = progress.bytes_total,
                                    .bytes_done = progress.bytes_done,
                                    .phase = name_of_state(&progress)};
}

static void end(void *coalesce) {
        coalesce_end(coalesce);
}

const struct gc_engine gc_engine_coalesce = {price, begin, needs_turn, pace, step, progress, end};
