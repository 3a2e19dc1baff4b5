// SPDX-License-Identifier: Apache-2.0
#include "gc_engine.h"

/* sr/coalesce takes this place. */
static enum err price(struct sr *sr UNUSED, const struct node *const *run, size_t n, struct plan_price *ret,
                      struct err_note *note UNUSED) {
        *ret = (struct plan_price){0};
        for (size_t i = 1; i < n; i++)
                ret->push_bytes += run[i]->allocated;
        ret->push_new_blocks = div_up(ret->push_bytes, VHD_BLOCK_SIZE);
        return ERR_NONE;
}

static enum err begin(struct sr *sr UNUSED, const struct gc_run *run UNUSED, void **ret UNUSED,
                      struct err_note *note) {
        return err_set(note, ERR_UNSUPPORTED, "nothing can be moved yet");
}

static enum err step(void *coalesce UNUSED, bool *ret_is_done UNUSED, struct err_note *note) {
        return err_set(note, ERR_UNSUPPORTED, "nothing can be moved yet");
}

static void progress(const void *coalesce UNUSED, struct gc_progress *ret) {
        *ret = (struct gc_progress){.phase = ""};
}

static void end(void *coalesce UNUSED) {}

const struct gc_engine gc_engine_coalesce = {price, begin, step, progress, end};
