// SPDX-License-Identifier: Apache-2.0
#include "sr_fork.h"

#include "coalesce.h"
#include "pivot.h"
#include "sr_new.h"
#include "vhd_meta.h"

/* ---- can it have children as it is? ---- */

enum err sr_file_is_empty(struct io_file *file, const struct vhd_meta *meta, bool *ret,
                          struct err_note *note) {
        uint64_t n = vhd_meta_blocks(meta);
        AUTO_FREE uint32_t *bat = mem_try((size_t)n, sizeof *bat);

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %llu entries: out of memory",
                               (unsigned long long)n);
        if (vhd_meta_read_bat(file, meta, bat, n, note))
                return note->code;
        *ret = true;
        for (uint64_t i = 0; i < n && *ret; i++)
                *ret = bat[i] == VHD_BAT_UNUSED;
        return ERR_NONE;
}

static enum err file_is_empty(struct sr *sr, const struct node *node, bool *ret, struct err_note *note) {
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(sr->io, path, IO_READ, &file, note) || io_lock(file, IO_SHARED, note) ||
            vhd_meta_read(file, 0, &meta, note) || sr_file_is_empty(file, &meta, ret, note))
                return err_wrap(note, "look into %s", path);
        return ERR_NONE;
}

/* What was written and acknowledged before we looked shows in the slots; what is written meanwhile came
 * after. */
static bool chain_top_is_empty(struct chain *chain) {
        struct image *top = (struct image *)chain_layer(chain, 0);

        for (uint64_t i = 0; i < image_blocks(top); i++)
                if (top->ops->slot(top, i) != SLOT_ABSENT)
                        return false;
        return true;
}

/* *ret: the node that reads as vdi does and is never written; NULL where there is none. */
enum err sr_fork_find_base(struct sr *sr, const struct vdi *vdi, const struct node **ret,
                           struct err_note *note) {
        const struct node *node = vdi->node;
        struct sr_open_chain *writer = sr_writer_of(sr, &vdi->row.uuid);
        bool is_empty;

        *ret = NULL;
        if (node->n_children > 0) {
                *ret = node;
                return ERR_NONE;
        }
        /* One that a coalesce is about to take out can have no new children. */
        if (!node->parent || !node->parent->is_hidden || !coalesce_may_attach(sr, &node->parent->uuid))
                return ERR_NONE;
        /* Of one that has failed a pivot finds out, and refuses [D6]. */
        if (writer)
                is_empty = !atomic_load(&chain_layer(writer->chain, 0)->has_failed) &&
                           chain_top_is_empty(writer->chain);
        else if (file_is_empty(sr, node, &is_empty, note))
                return note->code;
        if (is_empty)
                *ret = node->parent;
        return ERR_NONE;
}

/* ---- the pivot ---- */

enum err sr_fork_check_depth(struct sr *sr, const struct vdi *vdi, unsigned depth, struct err_note *note) {
        if (sr->row.max_depth == 0 || depth <= sr->row.max_depth)
                return ERR_NONE;
        return err_set(note, ERR_TOO_LARGE,
                       "VDI %s would be %u layers deep, and the SR's max-depth is %u: delete snapshots and "
                       "coalesce, or raise it",
                       vdi->row.name, depth, sr->row.max_depth);
}

enum err sr_fork_refuse_alias(const struct node *node, struct err_note *note) {
        if (!node->is_alias)
                return ERR_NONE;
        return err_set(note, ERR_BUSY, "%s is one of two names of the same file: find out which to remove",
                       node->name);
}

enum err sr_fork_open_leaf(struct sr *sr, const struct uuid *uuid, struct image **ret,
                           struct err_note *note) {
        struct place_name temporary = place_name_new(uuid, IMAGE_VHD);
        AUTO_FREE char *path = place_path(sr->place, &temporary);

        return images_open_fresh(&sr->images, path, ret, note);
}

/* A writer outside of Catena would go on writing to what becomes a base.  Held while the names change. */
enum err sr_fork_lock_out(struct sr *sr, const struct node *node, struct io_file **ret,
                          struct err_note *note) {
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;

        /* Its last writer may have been killed before it synced: what the snapshot will hold must not change
         * with a crash. */
        if (io_open(sr->io, path, IO_WRITE, &file, note) || io_lock(file, IO_SHARED, note) ||
            io_sync(file, note))
                return err_wrap(note, "lock %s", path);
        *ret = TAKE(file);
        return ERR_NONE;
}

static enum err pivot_prepared(struct sr *sr, const struct vdi *vdi, const struct intent *intent,
                               struct err_note *note) {
        struct sr_open_chain *writer = sr_writer_of(sr, &vdi->row.uuid);
        struct pivot_live live = {.chain = writer ? writer->chain : NULL};
        AUTO(io_close) struct io_file *lock = NULL;
        enum err err;

        if (writer ? sr_fork_open_leaf(sr, &vdi->row.uuid, &live.new_leaf, note)
                   : sr_fork_lock_out(sr, vdi->node, &lock, note))
                return note->code;
        err = pivot_do(sr, intent, writer ? &live : NULL, note);
        if (live.new_leaf)
                image_unref(live.new_leaf);
        return err;
}

/* vdi's content becomes the base `base`; row, where it is not NULL, a new child of it. */
static enum err fork_by_pivot(struct sr *sr, const struct vdi *vdi, const struct uuid *base,
                              const struct vdi_row *row, struct err_note *note) {
        AUTO(intent_fini)
        struct intent intent = {.uuid = sr_fresh_uuid(sr),
                                .kind = INTENT_PIVOT,
                                .vdi = vdi->row.uuid,
                                .vdi_kind = vdi->node->kind,
                                .other = *base};
        struct place_name base_name = place_name_of(base, vdi->node->kind);
        uint64_t size = vdi->node->size;
        enum err err;

        if (sr_fork_check_depth(sr, vdi, vdi->node->depth + 1, note) || sr_fork_refuse_alias(vdi->node, note))
                return note->code;
        if (row) {
                intent.new_node = row->uuid;
                vdi_row_copy(row, &intent.row);
                intent.has_row = true;
        }
        err = sr_new_child(sr, &vdi->row.uuid, &base_name, vdi->node, size, note);
        if (!err && row)
                err = sr_new_child(sr, &row->uuid, &base_name, vdi->node, size, note);
        if (!err)
                err = pivot_prepared(sr, vdi, &intent, note);
        if (err && !sr->must_recover) {
                sr_new_discard(sr, &vdi->row.uuid, IMAGE_VHD);
                if (row)
                        sr_new_discard(sr, &row->uuid, IMAGE_VHD);
        }
        return err;
}

enum err sr_fork_row(struct sr *sr, const struct vdi *vdi, const struct vdi_options *options,
                     bool is_snapshot, struct vdi_row *ret, struct err_note *note) {
        if (sr_new_row(sr, options, ret, note))
                return note->code;
        ret->is_snapshot = is_snapshot;
        if (is_snapshot) {
                ret->snapshot_of = vdi->row.uuid;
                ret->snapshot_time = ret->created;
                ret->has_cbt = vdi->row.has_cbt;
        }
        ret->stream_uuid = vdi->row.stream_uuid; /* it holds the same */
        return ERR_NONE;
}

enum err sr_fork(struct sr *sr, const struct vdi *vdi, const struct vdi_row *row, struct err_note *note) {
        struct uuid fresh = sr_fresh_uuid(sr);
        const struct node *base;
        struct place_name name;

        if (sr_fork_find_base(sr, vdi, &base, note))
                return note->code;
        if (!base)
                return fork_by_pivot(sr, vdi, &fresh, row, note);
        name = node_place_name(base);
        if (sr_fork_check_depth(sr, vdi, base->depth + 1, note))
                return note->code;
        if (sr_new_child(sr, &row->uuid, &name, base, vdi->node->size, note)) {
                sr_new_discard(sr, &row->uuid, IMAGE_VHD);
                return note->code;
        }
        return sr_new_publish(sr, row, IMAGE_VHD, note);
}

enum err sr_fork_base(struct sr *sr, const struct uuid *uuid, struct uuid *ret_base, struct err_note *note) {
        struct uuid fresh = sr_fresh_uuid(sr);
        const struct node *base;
        const struct vdi *vdi;

        if (sr_need_vdi(sr, uuid, &vdi, note) || sr_fork_find_base(sr, vdi, &base, note))
                return note->code;
        if (base) {
                *ret_base = base->uuid;
                return ERR_NONE;
        }
        *ret_base = fresh;
        return sr_refresh_after(sr, fork_by_pivot(sr, vdi, &fresh, NULL, note), note);
}
