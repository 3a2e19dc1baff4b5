// SPDX-License-Identifier: Apache-2.0
#include "vdi_outlet.h"

#include "mem.h"

static struct uuid state_uuid(struct io *io, const struct vdi *vdi) {
        uint8_t dice[16];

        if (!uuid_is_null(&vdi->row.stream_uuid))
                return vdi->row.stream_uuid;
        if (vdi->row.is_snapshot && !uuid_is_null(&vdi->node->footer_uuid))
                return vdi->node->footer_uuid;
        io_random(io, dice, sizeof dice);
        return uuid_from_random(dice);
}

static enum err find(struct sr *sr, const struct uuid *uuid, const struct vdi **ret, struct err_note *note) {
        *ret = sr_get_vdi(sr, uuid);
        return *ret ? ERR_NONE : err_set(note, ERR_NOT_FOUND, "VDI %s is not there", uuid_format(uuid).s);
}

static enum err check_base(const struct vdi *base, struct err_note *note) {
        if (base->row.is_snapshot)
                return ERR_NONE;
        return err_set(note, ERR_INVALID, "the base %s is no snapshot: it may have changed since",
                       base->row.name);
}

static enum err name_states(struct sr *sr, struct io *io, struct vdi_outlet *outlet, struct err_note *note) {
        const struct vdi_outlet_ask *ask = &outlet->ask;
        const struct vdi *vdi, *base;

        if (find(sr, &ask->vdi, &vdi, note))
                return note->code;
        if (ask->is_quiet && sr_is_written(sr, &ask->vdi))
                return err_set(note, ERR_BUSY, "VDI %s is being written to: export a snapshot of it",
                               vdi->row.name);
        if (vdi->row.is_snapshot)
                outlet->made_seconds = vdi->row.snapshot_time;
        if (ask->format == STREAM_VHD)
                outlet->uuid = state_uuid(io, vdi);
        if (uuid_is_null(&ask->base))
                return ERR_NONE;
        if (find(sr, &ask->base, &base, note) || check_base(base, note))
                return note->code;
        outlet->parent = state_uuid(io, base);
        outlet->parent_name = mem_format("%s.vhd", uuid_format(&ask->base).s);
        return ERR_NONE;
}

/* The first failure counts; the chain is gone in any case. */
static void close_chain(struct sr *sr, struct chain *chain, enum err *failed, struct err_note *note) {
        struct err_note ignored;

        if (chain && sr_close_chain(sr, chain, *failed ? &ignored : note) && !*failed)
                *failed = note->code;
}

static enum err close_all(struct vdi_outlet *outlet, bool remembers, struct err_note *note) {
        enum err failed = ERR_NONE;

        close_chain(outlet->sr, TAKE(outlet->base), &failed, note);
        close_chain(outlet->sr, TAKE(outlet->chain), &failed, note);
        if (!failed && remembers && outlet->ask.format == STREAM_VHD)
                failed = sr_vdi_set_stream(outlet->sr, &outlet->ask.vdi, &outlet->uuid, note);
        free(TAKE(outlet->parent_name));
        outlet->sr = NULL;
        return failed;
}

enum err vdi_outlet_open(struct sr *sr, struct io *io, const struct vdi_outlet_ask *ask,
                         struct vdi_outlet *ret, struct err_note *note) {
        struct err_note ignored;

        *ret = (struct vdi_outlet){.sr = sr, .ask = *ask};
        if (name_states(sr, io, ret, note) || sr_share_chain(sr, &ask->vdi, &ret->chain, note) ||
            (!uuid_is_null(&ask->base) && sr_share_chain(sr, &ask->base, &ret->base, note))) {
                (void)close_all(ret, false, &ignored);
                return note->code;
        }
        return ERR_NONE;
}

struct stream_source_options vdi_outlet_options(const struct vdi_outlet *outlet) {
        return (struct stream_source_options){.format = outlet->ask.format,
                                              .base = outlet->base,
                                              .uuid = outlet->uuid,
                                              .parent_uuid = outlet->parent,
                                              .parent_name = outlet->parent_name,
                                              .made_seconds = outlet->made_seconds,
                                              .has_whole_blocks = outlet->ask.has_whole_blocks};
}

enum err vdi_outlet_close(struct vdi_outlet *outlet, bool remembers, struct err_note *note) {
        return outlet->sr ? close_all(outlet, remembers, note) : ERR_NONE;
}
