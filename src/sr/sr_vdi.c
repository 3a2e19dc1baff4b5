// SPDX-License-Identifier: Apache-2.0
/* The verbs on VDIs. */
#include "changes.h"
#include "coalesce.h"
#include "garbage.h"
#include "logbook.h"
#include "pivot.h"
#include "sr_fork.h"
#include "sr_move.h"
#include "sr_new.h"
#include "sr_state.h"

/* The name of a VDI in messages, also where there is none. */
const char *sr_called(const struct sr *sr, const struct uuid *uuid, struct uuid_text *room) {
        const struct vdi *vdi = sr_get_vdi(sr, uuid);

        *room = uuid_format(uuid);
        return vdi ? vdi->row.name : room->s;
}

/* ---- create ---- */

enum err sr_vdi_create(struct sr *sr, const struct vdi_options *options, struct uuid *ret,
                       struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        enum err err;

        if (sr_begin_change(sr, note) || sr_new_row(sr, options, &row, note) ||
            sr_new_disk(sr, &row.uuid, options, note))
                return err_wrap(note, "create a VDI");
        err = sr_new_publish(sr, &row, options->kind, note);
        if (sr_refresh_after(sr, err, note))
                return err_wrap(note, "create a VDI");
        *ret = row.uuid;
        return ERR_NONE;
}

/* ---- snapshot, clone ---- */

static enum err fork_vdi(struct sr *sr, const struct uuid *uuid, const struct vdi_options *options,
                         bool is_snapshot, struct uuid *ret, struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        const char *verb = is_snapshot ? "snapshot" : "clone";
        const struct vdi *vdi;
        struct uuid_text room;
        enum err err;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, verb, note) ||
            sr_need_vdi(sr, uuid, &vdi, note) || sr_fork_row(sr, vdi, options, is_snapshot, &row, note))
                return err_wrap(note, "%s VDI %s", verb, sr_called(sr, uuid, &room));
        err = sr_fork(sr, vdi, &row, note);
        if (sr_refresh_after(sr, err, note))
                return err_wrap(note, "%s VDI %s", verb, sr_called(sr, uuid, &room));
        *ret = row.uuid;
        return ERR_NONE;
}

enum err sr_vdi_snapshot(struct sr *sr, const struct uuid *vdi, const struct vdi_options *options,
                         struct uuid *ret, struct err_note *note) {
        return fork_vdi(sr, vdi, options, true, ret, note);
}

enum err sr_vdi_clone(struct sr *sr, const struct uuid *vdi, const struct vdi_options *options,
                      struct uuid *ret, struct err_note *note) {
        return fork_vdi(sr, vdi, options, false, ret, note);
}

/* ---- replacing what a VDI holds: revert, and the end of an import onto it ---- */

enum err sr_vdi_need_leaf(const struct vdi *vdi, struct err_note *note) {
        if (vdi->row.is_snapshot)
                return err_set(note, ERR_READ_ONLY, "VDI %s is a snapshot", vdi->row.name);
        if (vdi->node->n_children > 0)
                return err_set(note, ERR_READ_ONLY, "VDI %s has children that read through it",
                               vdi->row.name);
        if (vdi->node->is_alias)
                return err_set(note, ERR_BUSY,
                               "%s is one of two names of the same file: find out which to remove",
                               vdi->node->name);
        return ERR_NONE;
}

enum err sr_vdi_need_replaceable(struct sr *sr, const struct vdi *vdi, const char *verb,
                                 struct err_note *note) {
        if (sr_vdi_need_leaf(vdi, note))
                return note->code;
        return sr_need_closed(sr, vdi, verb, note);
}

enum err sr_vdi_replace(struct sr *sr, const struct vdi *vdi, const struct vdi_row *row,
                        struct err_note *note) {
        AUTO(intent_fini)
        struct intent intent = {.uuid = sr_fresh_uuid(sr),
                                .kind = INTENT_PIVOT,
                                .vdi = vdi->row.uuid,
                                .vdi_kind = vdi->node->kind,
                                .other = sr_fresh_uuid(sr)};

        vdi_row_copy(row, &intent.row);
        intent.has_row = true;
        if (logbook_drop_stale(sr, vdi, note))
                return note->code;
        return pivot_do(sr, &intent, NULL, note);
}

static enum err need_snapshot(const struct vdi *vdi, const struct vdi *snapshot, struct err_note *note) {
        if (!snapshot->row.is_snapshot)
                return err_set(note, ERR_INVALID, "VDI %s is no snapshot", snapshot->row.name);
        if (!uuid_is_null(&snapshot->row.snapshot_of) &&
            !uuid_equal(&snapshot->row.snapshot_of, &vdi->row.uuid))
                return err_set(note, ERR_MISMATCH,
                               "VDI %s is a snapshot of another VDI, %s; clone it instead",
                               snapshot->row.name, uuid_format(&snapshot->row.snapshot_of).s);
        return ERR_NONE;
}

static enum err revert(struct sr *sr, const struct uuid *uuid, const struct uuid *snapshot_uuid,
                       struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        const struct vdi *vdi, *snapshot;
        const struct node *base;
        struct place_name base_name;
        struct uuid base_uuid;
        enum err err;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "revert", note) ||
            coalesce_make_way(sr, snapshot_uuid, "revert", note) || sr_need_vdi(sr, uuid, &vdi, note) ||
            sr_need_vdi(sr, snapshot_uuid, &snapshot, note) || need_snapshot(vdi, snapshot, note) ||
            sr_vdi_need_replaceable(sr, vdi, "revert", note) ||
            sr_fork_base(sr, snapshot_uuid, &base_uuid, note) || sr_need_vdi(sr, uuid, &vdi, note) ||
            sr_need_vdi(sr, snapshot_uuid, &snapshot, note))
                return note->code;
        base = tree_find(&sr->tree, &base_uuid);
        if (!base)
                return err_set(note, ERR_NOT_FOUND, "the base %s that was just made is gone",
                               uuid_format(&base_uuid).s);
        base_name = node_place_name(base);
        vdi_row_copy(&vdi->row, &row);
        row.stream_uuid = snapshot->row.stream_uuid;
        err = sr_new_child(sr, uuid, &base_name, base, snapshot->node->size, note);
        if (!err)
                err = sr_vdi_replace(sr, vdi, &row, note);
        if (err && !sr->must_recover)
                sr_new_discard(sr, uuid, IMAGE_VHD);
        return err;
}

enum err sr_vdi_revert(struct sr *sr, const struct uuid *uuid, const struct uuid *snapshot,
                       struct err_note *note) {
        struct uuid_text room, snapshot_room;
        enum err err = revert(sr, uuid, snapshot, note);

        if (sr_refresh_after(sr, err, note) || garbage_collect_quietly(sr, note))
                return err_wrap(note, "revert VDI %s to %s", sr_called(sr, uuid, &room),
                                sr_called(sr, snapshot, &snapshot_room));
        return ERR_NONE;
}

/* ---- delete ---- */

enum err sr_vdi_hide(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        struct place_name name = node_place_name(vdi->node);

        if (!vdi->has_data)
                return changes_drop_row(sr, &vdi->row.uuid, note);
        /* Footers first: a row without a file would be no VDI, a file without a row would be one again. */
        if (vdi->node->kind == IMAGE_VHD && place_set_hidden(sr->place, &name, true, note))
                return note->code;
        if (catalog_begin(sr->catalog, &change, note) || catalog_drop_vdi(change, &vdi->row.uuid, note) ||
            (vdi->node->kind == IMAGE_RAW && catalog_set_hidden(change, &vdi->row.uuid, true, note)))
                return note->code;
        return store_commit(TAKE(change), note);
}

static enum err delete (struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "delete", note)) return note->code;
        /* Also one whose chain is broken: only its own file must be whole enough to be hidden. */
        vdi = sr_get_vdi(sr, uuid);
        if (!vdi) return sr_need_vdi(sr, uuid, &vdi, note);
        if (vdi->node->is_alias) return err_set(
                note, ERR_BUSY, "%s is one of two names of the same file: find out which to remove",
                vdi->node->name);
        if (sr_need_closed(sr, vdi, "delete", note) || sr_move_need_settled(sr, uuid, note) ||
            changes_leave_line(sr, uuid, note)) return note->code;
        vdi = sr_get_vdi(sr, uuid); /* what was told of it may have been made anew */
        if (!vdi) return sr_need_vdi(sr, uuid, &vdi, note);
        return sr_vdi_hide(sr, vdi, note);
}

enum err sr_vdi_delete(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        struct uuid_text room;
        enum err err = delete (sr, uuid, note);

        if (err)
                (void)err_wrap(note, "delete VDI %s", sr_called(sr, uuid, &room));
        if (sr_refresh_after(sr, err, note))
                return note->code;
        if (changes_settle(sr, NULL, note) || garbage_collect_quietly(sr, note))
                return err_wrap(note, "VDI %s is deleted; give back its space", sr_called(sr, uuid, &room));
        return ERR_NONE;
}

/* ---- settings ---- */

static enum err set_tags(struct vdi_row *row, const char *const *tags, struct err_note *note) {
        VEC_EACH (&row->tags, each) {
                free(*each);
        }
        vec_fini(&row->tags);
        for (; *tags; tags++) {
                if (sr_check_text("tag", *tags, note))
                        return note->code;
                *vec_add(&row->tags) = mem_text(*tags);
        }
        return ERR_NONE;
}

static void replace_text(char **text, const char *with) {
        free(*text);
        *text = mem_text(with);
}

enum err sr_vdi_set(struct sr *sr, const struct uuid *uuid, const struct vdi_settings *settings,
                    struct err_note *note) {
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        const struct vdi *vdi;
        struct uuid_text room;

        if (sr_begin_change(sr, note))
                return note->code;
        vdi = sr_get_vdi(sr, uuid);
        if (!vdi)
                return sr_need_vdi(sr, uuid, &vdi, note);
        vdi_row_copy(&vdi->row, &row);
        if ((settings->name && sr_check_text("name", settings->name, note)) ||
            (settings->description && sr_check_text("description", settings->description, note)) ||
            (settings->tags && set_tags(&row, settings->tags, note)))
                return err_wrap(note, "set VDI %s", sr_called(sr, uuid, &room));
        if (settings->name)
                replace_text(&row.name, *settings->name ? settings->name : uuid_format(uuid).s);
        if (settings->description)
                replace_text(&row.description, settings->description);
        if (sr_note_change(sr, &row, NULL, NULL, note)) {
                (void)sr_refresh_after(sr, note->code, note);
                return err_wrap(note, "set VDI %s", sr_called(sr, uuid, &room));
        }
        sr_take_row(sr, &row);
        return ERR_NONE;
}
