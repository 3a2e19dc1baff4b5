// SPDX-License-Identifier: Apache-2.0
/* What is done to the disks of a VM, in their SRs. */
#include <string.h>

#include "mem.h"
#include "vdi_copy.h"
#include "vms_inside.h"

static enum err need_sr(struct host *host, const struct uuid *uuid, const struct host_sr **ret,
                        struct err_note *note) {
        *ret = host_sr_find(host, uuid);
        return *ret ? ERR_NONE : err_set(note, ERR_NOT_FOUND, "no SR %s is here", uuid_format(uuid).s);
}

/* ---- at one instant ---- */

/* The disks of one SR. */
struct group {
        const struct host_sr *sr;         /* borrowed from the host */
        VEC(struct sr_snapshot_ask) asks; /* owned, and the texts of their options */
        VEC(struct uuid) made;            /* owned */
        struct sr_cut *cut;               /* owned; NULL: not begun, or over */
        bool has_turn;
};
struct groups {
        VEC(struct group) list; /* owned, and what each holds; in the order of the SRs' uuids */
};

static void give_turn(struct group *group) {
        if (group->has_turn)
                turn_give(group->sr->turn);
        group->has_turn = false;
}

static void groups_fini(struct groups *groups) {
        VEC_EACH (&groups->list, each) {
                if (each->cut)
                        sr_cut_abort(TAKE(each->cut));
                give_turn(each);
                VEC_EACH (&each->asks, ask) {
                        free((char *)ask->options.name);
                        free((char *)ask->options.description);
                }
                vec_fini(&each->asks);
                vec_fini(&each->made);
        }
        vec_fini(&groups->list);
}
DEFINE_AUTO_IN_PLACE(struct groups, groups_fini);

static struct group *group_of(struct groups *groups, const struct host_sr *sr) {
        VEC_EACH (&groups->list, each) {
                if (each->sr == sr)
                        return each;
        }
        *vec_add(&groups->list) = (struct group){.sr = sr};
        return &groups->list.data[groups->list.n - 1];
}

static int by_sr(const void *a, const void *b) {
        const struct group *one = a, *other = b;

        return uuid_compare(&one->sr->uuid, &other->sr->uuid);
}

static enum err make_groups(struct host *host, const struct vms_parts *parts, bool is_clone,
                            struct groups *ret, struct err_note *note) {
        VEC_EACH (&parts->list, each) {
                const struct host_sr *sr;

                if (need_sr(host, &each->sr, &sr, note))
                        return note->code;
                *vec_add(&group_of(ret, sr)->asks) = (struct sr_snapshot_ask){
                        .vdi = each->vdi, .options.uuid = &each->made, .is_clone = is_clone};
        }
        if (ret->list.n)
                qsort(ret->list.data, ret->list.n, sizeof *ret->list.data, by_sr);
        return ERR_NONE;
}

/* As the disk itself is called, but where it has no name. */
static enum err name_asks(struct group *group, struct err_note *note) {
        VEC_EACH (&group->asks, each) {
                const struct vdi *vdi = sr_get_vdi(group->sr->sr, &each->vdi);

                if (!vdi)
                        return err_set(note, ERR_NOT_FOUND, "no VDI %s in SR %s", uuid_format(&each->vdi).s,
                                       sr_where(group->sr->sr));
                if (vdi_row_has_name(&vdi->row))
                        each->options.name = mem_text(vdi->row.name);
                each->options.description = mem_text(vdi->row.description);
        }
        return ERR_NONE;
}

static enum err begin(struct group *group, struct err_note *note) {
        turn_take(group->sr->turn, "vm snapshot");
        group->has_turn = true;
        vec_reserve(&group->made, group->asks.n);
        if (name_asks(group, note))
                return note->code;
        return sr_cut_begin(group->sr->sr, group->asks.data, group->asks.n, &group->cut, note);
}

enum err vms_fork_disks(struct host *host, const struct vms_parts *parts, bool is_clone,
                        struct err_note *note) {
        AUTO(groups_fini) struct groups groups = {0};

        if (make_groups(host, parts, is_clone, &groups, note))
                return note->code;
        /* [V2] All of them stand still before the first is cut. */
        VEC_EACH (&groups.list, each) {
                if (begin(each, note))
                        return note->code;
        }
        VEC_EACH (&groups.list, each) {
                if (sr_cut_commit(TAKE(each->cut), each->made.data, note))
                        return note->code;
                give_turn(each);
        }
        return ERR_NONE;
}

/* ---- one after the other ---- */

enum err vms_copy_disks(struct host *host, const struct vms_parts *parts, struct progress *progress,
                        struct err_note *note) {
        struct progress silent = {.io = host->io};

        VEC_EACH (&parts->list, each) {
                const struct host_sr *from, *to;
                struct vdi_copy copy = {
                        .vdi = each->vdi, .uuid = &each->made, .progress = progress ? progress : &silent};
                struct uuid made;
                enum err failed;

                if (need_sr(host, &each->sr, &from, note) || need_sr(host, &each->to, &to, note))
                        return note->code;
                copy.sr = from->sr;
                copy.turn = from->turn;
                copy.to = to->sr;
                copy.to_turn = to->turn;
                turn_take(from->turn, "vm copy");
                failed = vdi_copy_run(&copy, &made, note);
                turn_give(from->turn);
                if (failed)
                        return err_wrap(note, "copy VDI %s", uuid_format(&each->vdi).s);
        }
        return ERR_NONE;
}

static enum err delete_one(const struct host_sr *sr, const struct uuid *vdi, struct err_note *note) {
        enum err failed;

        turn_take(sr->turn, "vm delete");
        /* A snapshot that was cut short is not seen, and may be finished by the next change. */
        failed = sr_recover(sr->sr, note);
        if (!failed && sr_get_vdi(sr->sr, vdi))
                failed = sr_vdi_delete(sr->sr, vdi, note);
        turn_give(sr->turn);
        return failed;
}

enum err vms_delete_made(struct host *host, const struct vms_parts *parts, struct err_note *note) {
        struct err_note later;
        enum err failed = ERR_NONE;

        VEC_EACH (&parts->list, each) {
                struct err_note *say = failed ? &later : note;
                const struct host_sr *sr;

                if ((need_sr(host, &each->to, &sr, say) || delete_one(sr, &each->made, say)) && !failed)
                        failed = note->code;
        }
        return failed;
}

enum err vms_has_made(struct host *host, const struct vms_parts *parts, bool *ret, struct err_note *note) {
        *ret = true;
        VEC_EACH (&parts->list, each) {
                const struct host_sr *sr;
                enum err failed;

                if (need_sr(host, &each->to, &sr, note))
                        return note->code;
                turn_take(sr->turn, "look for a VDI");
                failed = sr_recover(sr->sr, note);
                *ret &= sr_get_vdi(sr->sr, &each->made) != NULL;
                turn_give(sr->turn);
                if (failed)
                        return failed;
        }
        return ERR_NONE;
}

/* ---- revert ---- */

enum err vms_check_closed(struct host *host, const struct vms_parts *parts, struct err_note *note) {
        VEC_EACH (&parts->list, each) {
                const struct host_sr *sr;
                enum err failed;

                if (need_sr(host, &each->sr, &sr, note))
                        return note->code;
                if (!each->is_in_place)
                        continue;
                turn_take(sr->turn, "vm revert");
                failed = sr_vdi_need_closed(sr->sr, &each->vdi, "revert", note);
                turn_give(sr->turn);
                if (failed)
                        return failed;
        }
        return ERR_NONE;
}

static enum err revert_one(const struct host_sr *sr, const struct vms_part *part, struct err_note *note) {
        struct vdi_options options = {.uuid = &part->made};
        AUTO_FREE char *name = NULL;
        const struct vdi *content;
        struct uuid unused;

        if (part->is_in_place)
                return sr_vdi_revert(sr->sr, &part->vdi, &part->content, note);
        content = sr_get_vdi(sr->sr, &part->content);
        if (sr_get_vdi(sr->sr, &part->made)) /* it was cloned before a crash */
                return ERR_NONE;
        name = content ? mem_text(content->row.name) : NULL;
        options.name = name;
        return sr_vdi_clone(sr->sr, &part->content, &options, &unused, note);
}

enum err vms_revert_disks(struct host *host, const struct vms_parts *parts, struct err_note *note) {
        size_t n = 0;

        VEC_EACH (&parts->list, each) {
                const struct host_sr *sr;
                enum err failed;

                if (need_sr(host, &each->sr, &sr, note))
                        return note->code;
                turn_take(sr->turn, "vm revert");
                failed = revert_one(sr, each, note);
                turn_give(sr->turn);
                if (failed && n)
                        return err_wrap(note, "%zu of %zu disks are reverted; revert again", n,
                                        parts->list.n);
                if (failed)
                        return failed;
                n++;
        }
        return ERR_NONE;
}
