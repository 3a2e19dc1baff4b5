// SPDX-License-Identifier: Apache-2.0
#include "vdi_copy.h"

#include <string.h>

#include "chain_copy.h"

/* While bytes move; of the SR, open by their own names. */
struct sources {
        struct chain *from, *base; /* owned by the SR; base may be NULL */
};

/* ---- where it goes ---- */

static enum err begin_into(const struct vdi_copy *copy, uint64_t size, struct sr_import **ret,
                           struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(copy->to, copy->into);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "no VDI %s in SR %s", uuid_format(copy->into).s,
                               sr_where(copy->to));
        if (vdi->node->size < size)
                return err_set(note, ERR_INVALID,
                               "VDI %s is too small: it has %llu bytes, and %llu go into it", vdi->row.name,
                               (unsigned long long)vdi->node->size, (unsigned long long)size);
        return sr_import_begin_onto(copy->to, copy->into, vdi->node->size, ret, note);
}

static enum err begin_new(const struct vdi_copy *copy, uint64_t size, const struct vdi_row *row,
                          struct sr_import **ret, struct err_note *note) {
        const struct vdi_options options = {.name = copy->name,
                                            .description = copy->description,
                                            .size = size,
                                            .kind = IMAGE_VHD,
                                            .uuid = copy->uuid,
                                            .like = row};

        return sr_import_begin(copy->to, &options, ret, note);
}

static enum err copy_bytes(const struct vdi_copy *copy, const struct sources *sources, struct sr_import *into,
                           struct err_note *note) {
        const struct chain_copy order = {.from = sources->from,
                                         .base = sources->base,
                                         .to = sr_import_chain(into),
                                         .is_fresh = !copy->into,
                                         .progress = copy->progress};
        uint64_t size = chain_size(sources->from);

        if (sources->base && chain_copy_count(&order, &size, note))
                return note->code;
        progress_begin(copy->progress, "copy", size);
        if (chain_copy_run(&order, note))
                return note->code;
        progress_end(copy->progress);
        return ERR_NONE;
}

static enum err take_in(const struct vdi_copy *copy, const struct sources *sources, const struct vdi_row *row,
                        struct uuid *ret, struct err_note *note) {
        const struct uuid unknown = {0};
        uint64_t size = chain_size(sources->from);
        struct sr_import *into = NULL;
        enum err failed;

        turn_take(copy->to_turn, "vdi copy");
        failed = copy->into ? begin_into(copy, size, &into, note) : begin_new(copy, size, row, &into, note);
        turn_give(copy->to_turn);
        if (!failed)
                failed = copy_bytes(copy, sources, into, note);
        turn_take(copy->to_turn, "vdi copy");
        if (!failed)
                failed = sr_import_commit(into, copy->into ? &unknown : &row->stream_uuid, ret, note);
        else if (into)
                sr_import_abort(into);
        turn_give(copy->to_turn);
        return failed;
}

/* ---- where it comes from ---- */

/* One that nobody writes to while it is read. */
static enum err open_one(const struct vdi_copy *copy, const struct uuid *uuid, struct chain **ret,
                         struct err_note *note) {
        const struct vdi *vdi = sr_get_vdi(copy->sr, uuid);

        if (!vdi)
                return err_set(note, ERR_NOT_FOUND, "no VDI %s in SR %s", uuid_format(uuid).s,
                               sr_where(copy->sr));
        if (!vdi->is_read_only && sr_vdi_need_closed(copy->sr, uuid, "copy", note))
                return note->code;
        return sr_open_chain(copy->sr, uuid, CHAIN_READ, ret, note);
}

static void close_sources(const struct vdi_copy *copy, struct sources *sources) {
        struct err_note ignored;

        /* Whatever it says, nothing was to be written. */
        if (sources->base)
                (void)!sr_close_chain(copy->sr, TAKE(sources->base), &ignored);
        if (sources->from)
                (void)!sr_close_chain(copy->sr, TAKE(sources->from), &ignored);
}

/* The turn is the caller's again when it returns. */
static enum err copy_row(const struct vdi_copy *copy, const struct vdi_row *row,
                         const struct sources *sources, struct uuid *ret, struct err_note *note) {
        enum err failed;

        turn_give(copy->turn);
        failed = take_in(copy, sources, row, ret, note);
        turn_take(copy->turn, "vdi copy");
        return failed;
}

static void make_row(const struct vdi *vdi, struct vdi_row *ret) {
        vdi_row_copy(&vdi->row, ret);
        if (!vdi_row_has_name(ret))
                *ret->name = 0; /* it has none: so will the copy */
        ret->is_snapshot = false;
        ret->snapshot_of = (struct uuid){0};
        ret->snapshot_time = 0;
}

enum err vdi_copy_run(const struct vdi_copy *copy, struct uuid *ret, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        struct sources sources = {0};
        enum err err = open_one(copy, &copy->vdi, &sources.from, note);

        if (!err && copy->base)
                err = open_one(copy, copy->base, &sources.base, note);
        if (!err) {
                make_row(sr_get_vdi(copy->sr, &copy->vdi), &row);
                err = copy_row(copy, &row, &sources, ret, note);
        }
        close_sources(copy, &sources);
        return err;
}
