// SPDX-License-Identifier: Apache-2.0
#include "gc_engine.h"

#include "push.h"
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

static enum err open_run(struct sr *sr, const struct node *const *run, size_t n, struct opened *opened,
                         struct err_note *note) {
        for (size_t i = 0; i < n; i++) {
                struct place_name name = node_place_name(run[i]);
                AUTO_FREE char *path = place_path(sr->place, &name);
                struct image *image;

                if (images_open(&sr->images, path, run[i]->kind, false, &image, note))
                        return note->code;
                *vec_add(&opened->images) = image;
        }
        return ERR_NONE;
}

static enum err price(struct sr *sr, const struct node *const *run, size_t n, struct plan_price *ret,
                      struct err_note *note) {
        AUTO(opened_fini) struct opened opened = {0};
        struct push_price push;

        if (open_run(sr, run, n, &opened, note) || push_price(opened.images.data, n, &push, note))
                return note->code;
        *ret = (struct plan_price){.push_bytes = push.bytes, .push_new_blocks = push.new_blocks};
        /* At most: what the upper ones hold as well would not be moved. */
        for (size_t i = 0; i + 1 < n; i++)
                ret->pull_bytes += run[i]->allocated;
        ret->pull_new_blocks = div_up(ret->pull_bytes, VHD_BLOCK_SIZE);
        return ERR_NONE;
}

/* ---- what is to come ---- */

static enum err begin(struct sr *sr UNUSED, const struct gc_run *run UNUSED, void **ret UNUSED,
                      struct err_note *note) {
        return err_set(note, ERR_UNSUPPORTED, "nothing can be moved yet");
}

static bool needs_turn(void *coalesce UNUSED) {
        return true;
}

static enum err step(void *coalesce UNUSED, bool *ret_is_done UNUSED, struct err_note *note) {
        return err_set(note, ERR_UNSUPPORTED, "nothing can be moved yet");
}

static void progress(void *coalesce UNUSED, struct gc_progress *ret) {
        *ret = (struct gc_progress){.phase = ""};
}

static void end(void *coalesce UNUSED) {}

const struct gc_engine gc_engine_coalesce = {price, begin, needs_turn, step, progress, end};
