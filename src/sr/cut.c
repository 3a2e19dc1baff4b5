// SPDX-License-Identifier: Apache-2.0
#include "cut.h"

#include "coalesce.h"
#include "pivot.h"
#include "sr_fork.h"
#include "sr_new.h"

/* One VDI. */
struct cut_part {
        struct uuid vdi;
        struct intent intent; /* with the row of what is made */
        struct pivot_live
                live; /* chain NULL: nobody of us writes to it; new_leaf NULL also where nothing pivots */
        struct io_file *lock; /* owned; of a closed VDI; NULL: not taken */
        bool must_pivot;      /* it was found written to when it was frozen */
        bool is_frozen;
};

struct sr_cut {
        struct sr *sr; /* borrowed, outlives us */
        struct uuid together;
        VEC(struct cut_part) parts; /* owned, and what each holds */
        bool is_noted;              /* the intents may be in the catalog */
};

static bool is_pivot(const struct cut_part *part) {
        return part->intent.kind == INTENT_PIVOT;
}

/* ---- what is on disk: of intents, as recovery has nothing else ---- */

static enum err has_happened(struct sr *sr, const struct intent *intent, bool *ret, struct err_note *note) {
        struct place_name node = place_name_of(&intent->new_node, IMAGE_VHD);
        struct io_stat stat;

        if (intent->kind == INTENT_PIVOT)
                return pivot_look(sr, intent, ret, note);
        return place_find(sr->place, &node, ret, &stat, note);
}

typedef VEC(const struct intent *) parts_vec; /* borrowed from whoever listed them */

static enum err all_have_happened(struct sr *sr, const struct intent *const *parts, size_t n, bool *ret,
                                  struct err_note *note) {
        *ret = true;
        for (size_t i = 0; i < n && *ret; i++)
                if (has_happened(sr, parts[i], ret, note))
                        return note->code;
        return ERR_NONE;
}

static enum err drop_all(struct sr *sr, const struct intent *const *parts, size_t n, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note))
                return note->code;
        for (size_t i = 0; i < n; i++)
                if (intent_drop(change, &parts[i]->uuid, note))
                        return note->code;
        return store_commit(TAKE(change), note);
}

static enum err undo_node(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct place_name node = place_name_of(&intent->new_node, IMAGE_VHD);
        struct place_name prepared = place_name_new(&intent->new_node, IMAGE_VHD);

        if (place_remove_if_there(sr->place, &node, note) ||
            place_remove_if_there(sr->place, &prepared, note))
                return note->code;
        return sr_sync_names(sr, note);
}

/* One that has not happened never seems to have while the others are undone: whatever the order, a crash in
 * the middle leaves what is to be undone. */
static enum err undo_all(struct sr *sr, const struct intent *const *parts, size_t n, struct err_note *note) {
        for (size_t i = 0; i < n; i++)
                if (parts[i]->kind == INTENT_PIVOT ? pivot_undo_names(sr, parts[i], note)
                                                   : undo_node(sr, parts[i], note))
                        return note->code;
        return drop_all(sr, parts, n, note);
}

/* All names are durable. */
static enum err finish_all(struct sr *sr, const struct intent *const *parts, size_t n,
                           struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (catalog_begin(sr->catalog, &change, note))
                return note->code;
        for (size_t i = 0; i < n; i++) {
                if (parts[i]->kind == INTENT_PIVOT) {
                        if (pivot_finish_in(sr, parts[i], change, note))
                                return note->code;
                } else if (catalog_put_vdi(change, &parts[i]->row, note) ||
                           intent_drop(change, &parts[i]->uuid, note)) {
                        return note->code;
                }
        }
        return store_commit(TAKE(change), note);
}

static enum err end_all(struct sr *sr, const struct intent *const *parts, size_t n, struct err_note *note) {
        bool did;

        if (all_have_happened(sr, parts, n, &did, note))
                return note->code;
        if (!did)
                return undo_all(sr, parts, n, note);
        for (size_t i = 0; i < n; i++)
                if (parts[i]->kind == INTENT_PIVOT && pivot_finish_node(sr, parts[i], note))
                        return note->code;
        if (sr_sync_names(sr, note))
                return note->code;
        return finish_all(sr, parts, n, note);
}

enum err cut_recover(struct sr *sr, const struct intents *intents, const struct intent *intent,
                     struct err_note *note) {
        parts_vec parts = {0};
        enum err err = ERR_NONE;

        VEC_EACH (&intents->list, each) {
                if (uuid_equal(&each->together, &intent->together))
                        *vec_add(&parts) = each;
        }
        if (parts.data[0] == intent)
                err = end_all(sr, parts.data, parts.n, note);
        vec_fini(&parts);
        return err;
}

static void list_parts(const struct sr_cut *cut, parts_vec *ret) {
        VEC_EACH (&cut->parts, each) {
                *vec_add(ret) = &each->intent;
        }
}

/* ---- preparing ---- */

static void discard_part(struct sr *sr, struct cut_part *part) {
        if (!part->intent.has_row)
                return;
        sr_new_discard(sr, &part->intent.row.uuid, IMAGE_VHD);
        if (is_pivot(part))
                sr_new_discard(sr, &part->vdi, IMAGE_VHD);
}

static void release_part(struct cut_part *part) {
        if (part->live.new_leaf)
                image_unref(TAKE(part->live.new_leaf));
        if (part->lock)
                io_close(TAKE(part->lock));
}

static enum err make_files(struct sr *sr, const struct vdi *vdi, const struct node *base,
                           struct cut_part *part, struct err_note *note) {
        struct place_name base_name =
                base ? node_place_name(base) : place_name_of(&part->intent.other, vdi->node->kind);
        const struct node *of = base ? base : vdi->node;

        if (sr_new_child(sr, &part->intent.row.uuid, &base_name, of, vdi->node->size, note))
                return note->code;
        if (base)
                return ERR_NONE;
        if (sr_new_child(sr, &part->vdi, &base_name, vdi->node, vdi->node->size, note))
                return note->code;
        return part->live.chain ? sr_fork_open_leaf(sr, &part->vdi, &part->live.new_leaf, note)
                                : sr_fork_lock_out(sr, vdi->node, &part->lock, note);
}

static enum err prepare_part(struct sr_cut *cut, struct cut_part *part, struct err_note *note) {
        struct sr *sr = cut->sr;
        struct sr_open_chain *writer = sr_writer_of(sr, &part->vdi);
        struct intent *intent = &part->intent;
        const struct node *base = NULL;
        const struct vdi *vdi;

        if (sr_need_vdi(sr, &part->vdi, &vdi, note) ||
            (!part->must_pivot && sr_fork_find_base(sr, vdi, &base, note)) ||
            sr_fork_check_depth(sr, vdi, (base ? base : vdi->node)->depth + 1, note) ||
            (!base && sr_fork_refuse_alias(vdi->node, note)))
                return note->code;
        part->live.chain = writer ? writer->chain : NULL;
        intent->kind = base ? INTENT_NODE : INTENT_PIVOT;
        intent->vdi_kind = vdi->node->kind;
        intent->other = base ? (struct uuid){0} : sr_fresh_uuid(sr);
        return make_files(sr, vdi, base, part, note);
}

static enum err note_intents(struct sr_cut *cut, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        cut->is_noted = cut->sr->must_recover = true; /* until they are known to be gone */
        if (catalog_begin(cut->sr->catalog, &change, note))
                return note->code;
        VEC_EACH (&cut->parts, each) {
                if (intent_put(change, &each->intent, note))
                        return note->code;
        }
        return store_commit(TAKE(change), note);
}

static enum err prepare(struct sr_cut *cut, struct err_note *note) {
        VEC_EACH (&cut->parts, each) {
                if (prepare_part(cut, each, note))
                        return err_wrap(note, "VDI %s", uuid_format(&each->vdi).s);
        }
        return note_intents(cut, note);
}

/* ---- stopping writers ---- */

static void thaw(struct sr_cut *cut) {
        VEC_EACH (&cut->parts, each) {
                if (each->is_frozen)
                        chain_thaw(each->live.chain);
                each->is_frozen = false;
        }
}

static enum err freeze(struct sr_cut *cut, struct err_note *note) {
        /* Once without stopping anybody, so that little is left to do while writers wait. */
        VEC_EACH (&cut->parts, each) {
                if (each->live.chain && chain_settle(each->live.chain, note))
                        return note->code;
        }
        VEC_EACH (&cut->parts, each) {
                if (!each->live.chain)
                        continue;
                if (chain_freeze(each->live.chain, note))
                        return note->code;
                each->is_frozen = true;
        }
        return ERR_NONE;
}

/* Which leaves that were empty got their first block before they were frozen. */
static enum err look_again(struct sr_cut *cut, bool *ret_is_as_prepared, struct err_note *note) {
        *ret_is_as_prepared = true;
        VEC_EACH (&cut->parts, each) {
                const struct node *base = NULL;
                const struct vdi *vdi;

                if (is_pivot(each) || !each->is_frozen)
                        continue;
                if (sr_need_vdi(cut->sr, &each->vdi, &vdi, note) ||
                    sr_fork_find_base(cut->sr, vdi, &base, note))
                        return note->code;
                each->must_pivot = !base;
                *ret_is_as_prepared &= base != NULL;
        }
        return ERR_NONE;
}

/* Nothing of it has happened; what was prepared goes. */
static enum err undo(struct sr_cut *cut, struct err_note *note) {
        parts_vec parts = {0};
        enum err err;

        list_parts(cut, &parts);
        err = undo_all(cut->sr, parts.data, parts.n, note);
        vec_fini(&parts);
        if (!err)
                cut->is_noted = cut->sr->must_recover = false;
        return err;
}

static enum err start_over(struct sr_cut *cut, struct err_note *note) {
        thaw(cut);
        VEC_EACH (&cut->parts, each) {
                release_part(each);
        }
        return undo(cut, note);
}

static enum err prepare_and_freeze(struct sr_cut *cut, struct err_note *note) {
        bool is_as_prepared = false;

        while (!is_as_prepared) {
                if (prepare(cut, note) || freeze(cut, note) || look_again(cut, &is_as_prepared, note) ||
                    (!is_as_prepared && start_over(cut, note)))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- beginning ---- */

static enum err refuse_twice(const struct sr_snapshot_ask *asks, size_t n, struct err_note *note) {
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                        if (uuid_equal(&asks[i].vdi, &asks[j].vdi))
                                return err_set(note, ERR_INVALID, "VDI %s is named twice",
                                               uuid_format(&asks[i].vdi).s);
        return ERR_NONE;
}

static enum err make_way(struct sr *sr, const struct sr_snapshot_ask *asks, size_t n, struct err_note *note) {
        for (size_t i = 0; i < n; i++)
                if (coalesce_make_way(sr, &asks[i].vdi, "snapshot", note))
                        return note->code;
        return ERR_NONE;
}

static enum err add_part(struct sr_cut *cut, const struct sr_snapshot_ask *ask, int64_t now,
                         struct err_note *note) {
        struct cut_part *part = vec_add(&cut->parts);
        const struct vdi *vdi;

        part->vdi = ask->vdi;
        part->intent.kind = INTENT_NODE; /* until it is looked at: nothing of the VDI's own is touched */
        part->intent.uuid = sr_fresh_uuid(cut->sr);
        part->intent.vdi = ask->vdi;
        part->intent.together = cut->together;
        if (sr_need_vdi(cut->sr, &ask->vdi, &vdi, note) ||
            sr_fork_row(cut->sr, vdi, &ask->options, !ask->is_clone, &part->intent.row, note))
                return note->code;
        part->intent.has_row = true;
        part->intent.new_node = part->intent.row.uuid;
        part->intent.row.created = now;
        if (!ask->is_clone)
                part->intent.row.snapshot_time = now;
        return ERR_NONE;
}

static enum err begin(struct sr_cut *cut, const struct sr_snapshot_ask *asks, size_t n,
                      struct err_note *note) {
        int64_t now = sr_now(cut->sr);

        if (refuse_twice(asks, n, note) || sr_begin_change(cut->sr, note) || make_way(cut->sr, asks, n, note))
                return note->code;
        for (size_t i = 0; i < n; i++)
                if (add_part(cut, &asks[i], now, note))
                        return note->code;
        return prepare_and_freeze(cut, note);
}

enum err sr_cut_begin(struct sr *sr, const struct sr_snapshot_ask *asks, size_t n, struct sr_cut **ret,
                      struct err_note *note) {
        AUTO(sr_cut_abort) struct sr_cut *cut = mem_new(struct sr_cut);

        cut->sr = sr;
        cut->together = sr_fresh_uuid(sr);
        if (begin(cut, asks, n, note))
                return err_wrap(note, "snapshot %zu VDIs at once", n);
        *ret = TAKE(cut);
        return ERR_NONE;
}

/* ---- ending ---- */

static void free_cut(struct sr_cut *cut) {
        VEC_EACH (&cut->parts, each) {
                release_part(each);
                intent_fini(&each->intent);
        }
        vec_fini(&cut->parts);
        free(cut);
}

/* Writers go on, and nothing of it is left; where that cannot be, the next change begins with it. */
static void give_up(struct sr_cut *cut) {
        struct err_note unused;

        thaw(cut);
        if (cut->is_noted)
                (void)!undo(cut, &unused);
        else
                VEC_EACH (&cut->parts, each) {
                        discard_part(cut->sr, each);
                }
}

void sr_cut_abort(struct sr_cut *cut) {
        struct err_note unused;

        give_up(cut);
        (void)!sr_refresh(cut->sr, &unused);
        free_cut(cut);
}

static enum err link_all(struct sr_cut *cut, struct err_note *note) {
        VEC_EACH (&cut->parts, each) {
                if (is_pivot(each) && pivot_link(cut->sr, &each->intent, note))
                        return note->code;
        }
        /* The renames to come take the contents' first names away: their second must be durable before
         * that, of all: from the first rename on, recovery may have to finish. */
        return sr_sync_names(cut->sr, note);
}

static enum err rename_part(struct sr *sr, const struct cut_part *part, struct err_note *note) {
        struct place_name node = place_name_of(&part->intent.new_node, IMAGE_VHD);
        struct place_name prepared = place_name_new(&part->intent.new_node, IMAGE_VHD);

        return is_pivot(part) ? pivot_take_name(sr, &part->intent, note)
                              : place_rename(sr->place, &prepared, &node, note);
}

static enum err rename_all(struct sr_cut *cut, struct err_note *note) {
        VEC_EACH (&cut->parts, each) {
                if (rename_part(cut->sr, each, note))
                        return note->code;
        }
        return ERR_NONE;
}

static void publish_all(struct sr_cut *cut) {
        VEC_EACH (&cut->parts, each) {
                if (is_pivot(each) && each->live.chain)
                        pivot_publish(cut->sr, &each->intent, &each->live);
        }
}

static void release_flushes(struct sr_cut *cut, bool did_fail) {
        VEC_EACH (&cut->parts, each) {
                if (is_pivot(each) && each->live.chain)
                        chain_release_flush(each->live.chain, did_fail);
        }
}

/* Every part has its names; chains are frozen. */
static enum err go_on(struct sr_cut *cut, struct err_note *note) {
        parts_vec parts = {0};
        enum err err;

        publish_all(cut);
        thaw(cut);
        err = sr_sync_names(cut->sr, note);
        release_flushes(cut, err != ERR_NONE);
        if (!err) {
                list_parts(cut, &parts);
                err = finish_all(cut->sr, parts.data, parts.n, note);
                vec_fini(&parts);
        }
        if (err)
                return err_wrap(note, "cut short; it is finished or undone before the SR is changed next");
        cut->is_noted = cut->sr->must_recover = false;
        return ERR_NONE;
}

enum err sr_cut_commit(struct sr_cut *cut, struct uuid *ret, struct err_note *note) {
        enum err err = link_all(cut, note);

        if (!err)
                err = rename_all(cut, note);
        if (err)
                give_up(cut);
        else
                err = go_on(cut, note);
        err = sr_refresh_after(cut->sr, err, note);
        for (size_t i = 0; i < cut->parts.n && !err; i++)
                ret[i] = cut->parts.data[i].intent.new_node;
        if (err)
                (void)err_wrap(note, "snapshot %zu VDIs at once", cut->parts.n);
        free_cut(cut);
        return err;
}

enum err sr_vdis_snapshot(struct sr *sr, const struct sr_snapshot_ask *asks, size_t n, struct uuid *ret,
                          struct err_note *note) {
        struct sr_cut *cut;

        if (sr_cut_begin(sr, asks, n, &cut, note))
                return note->code;
        return sr_cut_commit(cut, ret, note);
}
