// SPDX-License-Identifier: Apache-2.0
/* From deleting on. */
#include <string.h>

#include "blobs_inside.h"
#include "index_merge.h"
#include "prune_inside.h"

/* ---- packs ---- */

enum err prune_delete(struct prune *prune, struct err_note *note) {
        prune->has_deleted = prune->going.packs.n > 0;
        VEC_EACH (&prune->going.packs, each)
                if (prune_tick(prune, note) ||
                    target_remove(prune->vault->target, vault_pack_path(each).s, note))
                        return note->code;
        return ERR_NONE;
}

static void collect(const struct target_list *objects, struct blobs_excluded *ret, uint64_t *ret_bytes) {
        struct vault_name name;

        *ret_bytes = 0;
        VEC_EACH (&objects->items, each)
                if (vault_path_parse(each->name, &name)) {
                        *vec_add(&ret->packs) = name;
                        *ret_bytes += each->size;
                }
        prune_sort_names(ret->packs.data, ret->packs.n);
}

/* [F4] */
static void note_gone(struct prune *prune, const struct blobs_excluded *there) {
        VEC_EACH (&prune->others.list, doom) {
                doom->is_gone = true;
                VEC_EACH (&doom->doom.packs, pack)
                        doom->is_gone &= !blobs_excludes(there, pack);
        }
}

static void report_gone(struct prune *prune) {
        VEC_EACH (&prune->report.packs, each)
                if (!each->is_kept && each->why != PRUNE_SPARSE && each->length > 0) {
                        prune->report.n_removed++;
                        prune->report.removed += each->length;
                }
}

enum err prune_see_gone(struct prune *prune, bool *ret, struct err_note *note) {
        AUTO(target_list_fini) struct target_list packs = {0};
        struct blobs_excluded there = {0};
        enum err err = ERR_NONE;

        if (target_list(prune->vault->target, "packs/", &packs, note))
                return note->code;
        collect(&packs, &there, &prune->report.left);
        *ret = true;
        VEC_EACH (&prune->going.packs, each)
                if (!err && blobs_excludes(&there, each)) {
                        *ret = false;
                        err = target_remove(prune->vault->target, vault_pack_path(each).s, note);
                }
        note_gone(prune, &there);
        prune->report.n_left = there.packs.n;
        vec_fini(&there.packs);
        if (!err && *ret)
                report_gone(prune);
        return err;
}

/* ---- index entries ---- */

enum has { HAS_NONE, HAS_SOME, HAS_ONLY };

/* Of packs that are gone. */
static enum has has_gone(const struct opened *opened, const struct blobs_excluded *gone) {
        uint32_t n = index_file_tables(opened->file)->n_packs, n_gone = 0;

        for (uint32_t i = 0; i < n; i++)
                n_gone += blobs_excludes(gone, &opened->rows[i]->pack.head.name);
        return n_gone == 0 ? HAS_NONE : n_gone == n ? HAS_ONLY : HAS_SOME;
}

static enum err remove_index(struct prune *prune, const struct vault_name *name, struct err_note *note) {
        return target_remove(prune->vault->target, vault_path_of(VAULT_INDEX, name).s, note);
}

/* A new one without them, which names this one, is there before this one goes. */
static enum err drop_of(struct prune *prune, const struct vault_name *name, enum has has,
                        struct err_note *note) {
        AUTO(index_sizes_fini) struct index_sizes sizes = {0};
        struct vault_name ignored;

        if (has == HAS_ONLY)
                return remove_index(prune, name, note);
        vec_add(&sizes.list)->name = *name;
        return index_merge(prune->vault->blobs, &sizes, &prune->going, &ignored, note);
}

static enum err remove_replaced(struct prune *prune, struct err_note *note) {
        struct blobs *blobs = prune->vault->blobs;

        VEC_EACH (&blobs->indexes, each)
                if ((*each)->is_replaced && (*each)->is_listed && !vault_name_is_null(&(*each)->name) &&
                    remove_index(prune, &(*each)->name, note))
                        return note->code;
        return ERR_NONE;
}

enum err prune_drop_entries(struct prune *prune, struct err_note *note) {
        struct blobs *blobs = prune->vault->blobs;
        size_t n = blobs->indexes.n; /* what is made here comes behind them */
        unsigned ignored;

        if (prune_put_state(prune, note))
                return note->code;
        vault_wait_for_listing(prune->vault);
        for (size_t i = 0; i < n; i++) {
                const struct opened *opened = blobs->indexes.data[i];
                enum has has = blobs_is_live(opened) && !vault_name_is_null(&opened->name)
                                       ? has_gone(opened, &prune->going)
                                       : HAS_NONE;

                if (prune_tick(prune, note))
                        return note->code;
                if (has != HAS_NONE && drop_of(prune, &opened->name, has, note))
                        return note->code;
        }
        if (index_merge_tiers(blobs, &ignored, note))
                return note->code;
        return remove_replaced(prune, note);
}

/* ---- records ---- */

/* [F4] */
enum err prune_drop_dooms(struct prune *prune, struct err_note *note) {
        struct target *target = prune->vault->target;

        VEC_EACH (&prune->others.list, each)
                if (each->is_gone && target_remove(target, vault_path_of(VAULT_DOOM, &each->name).s, note))
                        return note->code;
        return target_remove(target, vault_path_of(VAULT_DOOM, &prune->name).s, note);
}

/* A newer one was put before a list lag was waited for. */
static enum err clean_states(struct prune *prune, struct err_note *note) {
        if (!prune->is_state_new)
                return ERR_NONE;
        VEC_EACH (&prune->states, each)
                if (target_remove(prune->vault->target, vault_path_of(VAULT_ADMIN_STATE, each).s, note))
                        return note->code;
        return ERR_NONE;
}

/* Of sessions that had ended when it began to tidy. */
static enum err clean_sessions(struct prune *prune, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions now = {0};
        size_t n = 0;

        if (vault_sessions_list(prune->vault, &now, note))
                return note->code;
        VEC_EACH (&now.list, each) {
                const struct vault_sessions_row *before = vault_sessions_find(&prune->sessions, &each->name);

                if (before && before->is_done)
                        now.list.data[n++] = *each;
        }
        now.list.n = n;
        return vault_sessions_clean(prune->vault, &now, true, &prune->report.n_cleaned, note);
}

/* Drop records stay: another prune, begun long ago, may note a point as seen that has gone since, and whoever
 * misses it must find that it was let go. */
enum err prune_clean(struct prune *prune, struct err_note *note) {
        return clean_states(prune, note) ? note->code : clean_sessions(prune, note);
}
