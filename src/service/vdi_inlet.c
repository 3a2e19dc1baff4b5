// SPDX-License-Identifier: Apache-2.0
#include "vdi_inlet.h"

#include <inttypes.h>

#include "bytes.h"
#include "mem.h"

struct vdi_inlet {
        struct vdi_inlet_ask ask;
        char *name, *description; /* owned; what ask points at */
        struct stream_sink *sink; /* owned */
        struct sr_import *into;   /* owned; NULL: it has not begun, or is over */
};

/* ---- where it goes --------------------------------------------------------------------------- */

/* A delta fits only what it was made against. */
static enum err check_state(const struct vdi_inlet_ask *ask, const struct vdi *vdi,
                            const struct stream_head *head, struct err_note *note) {
        const struct uuid *state = &vdi->row.stream_uuid;

        if (ask->takes_any)
                return ERR_NONE;
        if (!head->is_delta)
                return err_set(
                        note, ERR_INVALID,
                        "this is a whole disk, no delta; with --force it replaces all that VDI %s holds",
                        vdi->row.name);
        if (uuid_is_null(state))
                return err_set(note, ERR_MISMATCH,
                               "the delta was made against %s; VDI %s has been written to since it last took "
                               "something in or "
                               "gave it out, or never did (--force applies it all the same)",
                               uuid_format(&head->parent_uuid).s, vdi->row.name);
        if (!uuid_equal(state, &head->parent_uuid))
                return err_set(
                        note, ERR_MISMATCH,
                        "the delta was made against %s; VDI %s holds %s (--force applies it all the same)",
                        uuid_format(&head->parent_uuid).s, vdi->row.name, uuid_format(state).s);
        return ERR_NONE;
}

static enum err begin_onto(struct vdi_inlet *inlet, const struct stream_head *head, struct err_note *note) {
        const struct vdi_inlet_ask *ask = &inlet->ask;
        const struct vdi *vdi = sr_get_vdi(ask->sr, &ask->onto);
        uint64_t size;

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "VDI %s is gone", uuid_format(&ask->onto).s);
        if (check_state(ask, vdi, head, note))
                return note->code;
        size = vdi->node->size;
        if (head->size < size && !ask->keeps_size)
                return err_set(note, ERR_INVALID,
                               "it is of a disk of %" PRIu64 " bytes; VDI %s has %" PRIu64
                               " and a disk cannot become smaller",
                               head->size, vdi->row.name, size);
        if (head->size != UINT64_MAX && !ask->keeps_size)
                size = max_u64(size, head->size);
        return sr_import_begin_onto(ask->sr, &ask->onto, size, &inlet->into, note);
}

static enum err begin_new(struct vdi_inlet *inlet, const struct stream_head *head, struct err_note *note) {
        const struct vdi_inlet_ask *ask = &inlet->ask;
        struct vdi_options options = {
                .name = ask->name, .description = ask->description, .size = head->size, .kind = IMAGE_VHD};

        if (head->is_delta)
                return err_set(note, ERR_INVALID,
                               "this is a delta, made against %s: --onto names the VDI that holds that",
                               uuid_format(&head->parent_uuid).s);
        return sr_import_begin(ask->sr, &options, &inlet->into, note);
}

/* Called without the turn, once it is known what comes. */
static enum err begin(void *user, const struct stream_head *head, struct chain **ret, struct err_note *note) {
        struct vdi_inlet *inlet = user;
        const struct vdi_inlet_ask *ask = &inlet->ask;
        enum err failed;

        turn_take(ask->turn, "vdi import");
        failed = uuid_is_null(&ask->onto) ? begin_new(inlet, head, note) : begin_onto(inlet, head, note);
        turn_give(ask->turn);
        if (failed)
                return failed;
        *ret = sr_import_chain(inlet->into);
        return ERR_NONE;
}

/* ---- its way --------------------------------------------------------------------------------- */

enum err vdi_inlet_new(const struct vdi_inlet_ask *ask, struct vdi_inlet **ret, struct err_note *note) {
        AUTO(vdi_inlet_free) struct vdi_inlet *inlet = mem_new(struct vdi_inlet);

        inlet->ask = *ask;
        inlet->ask.name = inlet->name = ask->name ? mem_text(ask->name) : NULL;
        inlet->ask.description = inlet->description = ask->description ? mem_text(ask->description) : NULL;
        if (stream_sink_new(ask->format, ask->total, begin, inlet, &inlet->sink, note))
                return note->code;
        *ret = TAKE(inlet);
        return ERR_NONE;
}

void vdi_inlet_free(struct vdi_inlet *inlet) {
        if (inlet->sink)
                stream_sink_free(inlet->sink);
        if (inlet->into) {
                turn_take(inlet->ask.turn, "vdi import");
                sr_import_abort(TAKE(inlet->into));
                turn_give(inlet->ask.turn);
        }
        free(inlet->name);
        free(inlet->description);
        free(inlet);
}

enum err vdi_inlet_push(struct vdi_inlet *inlet, const void *data, size_t n, struct err_note *note) {
        return stream_sink_push(inlet->sink, data, n, note);
}

uint64_t vdi_inlet_taken(const struct vdi_inlet *inlet) {
        return stream_sink_taken(inlet->sink);
}

bool vdi_inlet_is_whole(const struct vdi_inlet *inlet) {
        return stream_sink_is_whole(inlet->sink);
}

enum err vdi_inlet_commit(struct vdi_inlet *inlet, struct vdi_inlet_result *ret, struct err_note *note) {
        const struct stream_head *head;
        enum err failed;

        if (stream_sink_end(inlet->sink, note))
                return note->code;
        head = stream_sink_head(inlet->sink);
        *ret = (struct vdi_inlet_result){.stream = head->uuid,
                                         .size = chain_size(sr_import_chain(inlet->into)),
                                         .taken = stream_sink_taken(inlet->sink),
                                         .is_delta = head->is_delta};
        turn_take(inlet->ask.turn, "vdi import");
        failed = sr_import_commit(TAKE(inlet->into), &ret->stream, &ret->vdi, note);
        turn_give(inlet->ask.turn);
        return failed;
}
