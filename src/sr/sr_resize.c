// SPDX-License-Identifier: Apache-2.0
#include "sr_resize.h"

#include "coalesce.h"
#include "logbook.h"
#include "text.h"
#include "vhd_resize.h"

static enum err resize_vhd(struct sr *sr, const struct node *node, struct io_file *file, uint64_t size,
                           struct err_note *note) {
        AUTO(intent_fini)
        struct intent intent = {
                .uuid = sr_fresh_uuid(sr), .kind = INTENT_RESIZE, .vdi = node->uuid, .vdi_kind = IMAGE_VHD};
        uint64_t unused;
        struct err_note later;

        if (vhd_resize_plan(file, size, &intent.plan, note))
                return note->code;
        sr->must_recover = true;
        if (sr_note_change(sr, NULL, &intent, NULL, note))
                return note->code;
        if (vhd_resize_apply(file, &intent.plan, note)) {
                /* Back, or on, whichever is whole; if not now, then before the next change. */
                if (vhd_resize_recover(file, &intent.plan, &unused, &later) ||
                    sr_note_change(sr, NULL, NULL, &intent.uuid, &later))
                        return note->code;
                sr->must_recover = false;
                return note->code;
        }
        if (sr_note_change(sr, NULL, NULL, &intent.uuid, note))
                return note->code;
        sr->must_recover = false;
        return ERR_NONE;
}

static enum err resize_raw(struct io_file *file, uint64_t size, struct err_note *note) {
        if (io_truncate(file, round_up(size, SECTOR), note))
                return note->code;
        return io_sync(file, note);
}

static enum err forget_stream(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};

        vdi_row_copy(&vdi->row, &row);
        row.stream_uuid = (struct uuid){0};
        return sr_note_change(sr, &row, NULL, NULL, note);
}

static enum err open_alone(struct sr *sr, const struct node *node, struct io_file **ret,
                           struct err_note *note) {
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, IO_WRITE, &file, note) || io_lock(file, IO_EXCLUSIVE, note))
                return err_wrap(note, "open %s", path);
        *ret = TAKE(file);
        return ERR_NONE;
}

enum err sr_resize_node(struct sr *sr, const struct node *node, uint64_t size, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (open_alone(sr, node, &file, note))
                return note->code;
        return node->kind == IMAGE_VHD ? resize_vhd(sr, node, file, size, note)
                                       : resize_raw(file, size, note);
}

/* ---- a VDI ---- */

static bool has_vdi(const struct sr_open_chain *open, const void *vdi) {
        return uuid_equal(&open->vdi, vdi);
}

static enum err ask_aside(struct sr *sr, const struct vdi *vdi, struct sr_aside *aside,
                          struct err_note *note) {
        if (sr_ask_aside(sr, has_vdi, &vdi->row.uuid, aside, note))
                return note->code;
        return sr_need_closed(sr, vdi, "resize", note);
}

static enum err resize(struct sr *sr, const struct uuid *uuid, uint64_t size, struct sr_aside *aside,
                       struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        const struct vdi *vdi;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "resize", note) ||
            sr_need_vdi(sr, uuid, &vdi, note) || sr_vdi_need_leaf(vdi, note))
                return note->code;
        if (size < vdi->node->size)
                return err_set(note, ERR_INVALID, "it has %s, and a disk can only grow",
                               text_size(vdi->node->size).s);
        if (size == vdi->node->size)
                return ERR_NONE;
        if (ask_aside(sr, vdi, aside, note) || logbook_drop_stale(sr, vdi, note) ||
            open_alone(sr, vdi->node, &file, note) ||
            (!uuid_is_null(&vdi->row.stream_uuid) && forget_stream(sr, vdi, note)))
                return note->code;
        return vdi->node->kind == IMAGE_VHD ? resize_vhd(sr, vdi->node, file, size, note)
                                            : resize_raw(file, size, note);
}

enum err sr_vdi_resize(struct sr *sr, const struct uuid *uuid, uint64_t size, struct err_note *note) {
        struct uuid_text room;
        struct sr_aside aside = {0};
        enum err err = resize(sr, uuid, size, &aside, note);

        err = sr_refresh_after(sr, err, note);
        sr_step_back(&aside);
        if (err)
                return err_wrap(note, "resize VDI %s to %s", sr_called(sr, uuid, &room), text_size(size).s);
        return ERR_NONE;
}

enum err sr_resize_recover(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct place_name name = place_name_of(&intent->vdi, IMAGE_VHD);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;
        uint64_t size;
        enum err err = io_open(sr->io, path, IO_WRITE, &file, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        /* Gone meanwhile, by whatever hand: nothing is left to be resized. */
        if (!err &&
            (io_lock(file, IO_EXCLUSIVE, note) || vhd_resize_recover(file, &intent->plan, &size, note)))
                return err_wrap(note, "resize %s", path);
        return sr_note_change(sr, NULL, NULL, &intent->uuid, note);
}
