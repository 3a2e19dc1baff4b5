// SPDX-License-Identifier: Apache-2.0
/* Who has a VDI open that goes to another SR, and what it holds while they do. */
#include "coalesce.h"
#include "sr_fork.h"
#include "sr_move.h"
#include "sr_state.h"

enum err sr_move_check(struct sr *sr, const struct uuid *uuid, const struct sr *to, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_move_need_here(sr, uuid, note) || sr_need_vdi(sr, uuid, &vdi, note) ||
            sr_move_need_settled(sr, uuid, note))
                return note->code;
        if (!vdi->has_data)
                return err_set(note, ERR_INVALID, "VDI %s has no data to move", vdi->row.name);
        return sr_need_closed_but(sr, vdi, "move", to, note);
}

static enum err look(struct sr *sr, const struct uuid *uuid, struct chain **ret, struct err_note *note) {
        struct vdi base = {0};

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "move", note) ||
            sr_fork_base(sr, uuid, &base.row.uuid, note))
                return note->code;
        base.node = tree_find(&sr->tree, &base.row.uuid);
        if (!base.node)
                return err_set(note, ERR_NOT_FOUND, "the base %s that was just made is gone",
                               uuid_format(&base.row.uuid).s);
        return sr_open_layers(sr, &base, CHAIN_READ, ret, note);
}

enum err sr_move_look(struct sr *sr, const struct uuid *uuid, struct chain **ret, struct err_note *note) {
        if (look(sr, uuid, ret, note))
                return err_wrap(note, "look at VDI %s", uuid_format(uuid).s);
        return ERR_NONE;
}

/* ---- making way ---- */

static bool has_vdi(const struct sr_open_chain *open, const void *vdi) {
        return uuid_equal(&open->vdi, vdi);
}

enum err sr_move_ask_aside(struct sr *sr, const struct uuid *uuid, const struct sr *to,
                           struct sr_aside *aside, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "move", note) ||
            sr_move_check(sr, uuid, to, note) || sr_ask_aside(sr, has_vdi, uuid, aside, note) ||
            sr_need_vdi(sr, uuid, &vdi, note))
                return note->code;
        return sr_need_closed(sr, vdi, "move", note);
}

void sr_move_let_in(struct sr_aside *aside, const struct sr *to) {
        if (!to) {
                sr_step_back(aside);
                return;
        }
        VEC_EACH (&aside->all, each)
                each->step_over(each->user, to);
        vec_fini(&aside->all);
}
