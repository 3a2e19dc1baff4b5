// SPDX-License-Identifier: Apache-2.0
#include "line.h"

#include "vhd_meta.h"

/* While a line is read. */
struct place_on_line {
        const struct vdi *vdi;      /* borrowed from the SR */
        const struct node *content; /* borrowed from the SR's tree */
};
struct places {
        VEC(struct place_on_line) list; /* owned */
};
static void places_fini(struct places *places) {
        vec_fini(&places->list);
}
DEFINE_AUTO_IN_PLACE(struct places, places_fini);

/* Without a lock: a coalesce may be moving its blocks away at this moment, and then either answer is true. */
static enum err is_empty(struct sr *sr, const struct node *node, bool *ret, struct err_note *note) {
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(sr->io, path, IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note) ||
            sr_file_is_empty(file, &meta, ret, note))
                return err_wrap(note, "look into %s", path);
        return ERR_NONE;
}

static enum err find_content(struct sr *sr, const struct vdi *vdi, const struct node **ret,
                             struct err_note *note) {
        bool empty = false;

        /* Of one that is written to it is not asked. */
        if (vdi->row.is_snapshot && vdi->node->parent && is_empty(sr, vdi->node, &empty, note))
                return note->code;
        *ret = empty ? vdi->node->parent : vdi->node;
        return ERR_NONE;
}

/* Of two snapshots, the second reading through the first's content. */
static int compare(const struct place_on_line *a, const struct place_on_line *b) {
        if (a->content->depth != b->content->depth)
                return a->content->depth < b->content->depth ? -1 : 1;
        if (a->vdi->row.snapshot_time != b->vdi->row.snapshot_time)
                return a->vdi->row.snapshot_time < b->vdi->row.snapshot_time ? -1 : 1;
        return uuid_compare(&a->vdi->row.uuid, &b->vdi->row.uuid);
}

static bool is_before(const struct place_on_line *older, const struct place_on_line *newer) {
        if (older == newer || !older->vdi->row.is_snapshot ||
            !node_is_above(newer->vdi->node, older->content))
                return false;
        return !newer->vdi->row.is_snapshot || compare(older, newer) < 0;
}

static struct uuid find_before(const struct places *places, const struct place_on_line *newer) {
        const struct place_on_line *found = NULL;

        VEC_EACH (&places->list, each) {
                if (is_before(each, newer) && (!found || compare(found, each) < 0))
                        found = each;
        }
        return found ? found->vdi->row.uuid : (struct uuid){0};
}

enum err line_read(struct sr *sr, struct line *ret, struct err_note *note) {
        AUTO(places_fini) struct places places = {0};
        struct line line = {0};
        enum err err;

        VEC_EACH (&sr->vdis, each) {
                struct place_on_line at = {.vdi = each};

                if (!each->has_data || each->node->error.code)
                        continue;
                err = find_content(sr, each, &at.content, note);
                /* Damaged: the others have their places without it. */
                if (err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED)
                        continue;
                if (err)
                        return err;
                *vec_add(&places.list) = at;
        }
        VEC_EACH (&places.list, each) {
                *vec_add(&line.members) = (struct line_member){.uuid = each->vdi->row.uuid,
                                                               .before = find_before(&places, each),
                                                               .is_snapshot = each->vdi->row.is_snapshot,
                                                               .has_cbt = each->vdi->row.has_cbt};
        }
        *ret = line;
        return ERR_NONE;
}

void line_fini(struct line *line) {
        vec_fini(&line->members);
}

const struct line_member *line_find(const struct line *line, const struct uuid *uuid) {
        VEC_EACH (&line->members, each) {
                if (uuid_equal(&each->uuid, uuid))
                        return each;
        }
        return NULL;
}

bool line_leads(const struct line *line, const struct uuid *older, const struct uuid *newer) {
        const struct line_member *member = line_find(line, newer);

        for (size_t i = 0; member && i < line->members.n; i++) {
                if (uuid_is_null(&member->before))
                        return false;
                if (uuid_equal(&member->before, older))
                        return true;
                member = line_find(line, &member->before);
        }
        return false;
}
