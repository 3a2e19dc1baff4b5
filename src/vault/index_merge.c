// SPDX-License-Identifier: Apache-2.0
#include "index_merge.h"

#include <stdlib.h>
#include <string.h>

#include "blobs_inside.h"
#include "mem.h"
#include "vault_path.h"

struct merge {
        struct blobs *blobs;                   /* borrowed from the caller */
        const struct blobs_excluded *left_out; /* borrowed from the caller */
        struct vault_index_builder *builder;   /* owned */
};

static void merge_fini(struct merge *merge) {
        vault_index_builder_free(merge->builder);
}
DEFINE_AUTO_IN_PLACE(struct merge, merge_fini);

void index_merge_sizes(struct blobs *blobs, struct index_sizes *ret) {
        pthread_rwlock_rdlock(&blobs->lock);
        ret->list.n = 0;
        VEC_EACH (&blobs->indexes, each)
                if (blobs_is_live(*each) && !vault_name_is_null(&(*each)->name))
                        *vec_add(&ret->list) = (struct index_size){
                                (*each)->name, index_file_tables((*each)->file)->n_entries};
        pthread_rwlock_unlock(&blobs->lock);
}

/* What each row of the old index is in the new one; left_out_row: it is not in it. */
static const uint32_t left_out_row = UINT32_MAX;

static uint32_t *add_packs(struct merge *merge, const struct opened *opened) {
        uint32_t n = index_file_tables(opened->file)->n_packs;
        uint32_t *rows = mem_grow(NULL, n, sizeof *rows);

        for (uint32_t i = 0; i < n; i++)
                rows[i] = blobs_excludes(merge->left_out, &opened->rows[i]->pack.head.name)
                                  ? left_out_row
                                  : vault_index_add_pack(merge->builder, &opened->rows[i]->pack);
        return rows;
}

static enum err add_entries(struct merge *merge, const struct opened *opened, struct err_note *note) {
        AUTO_FREE uint32_t *rows = add_packs(merge, opened);
        uint64_t n = index_file_tables(opened->file)->n_entries;
        struct vault_index_entry entry;
        struct index_pieces pieces;

        index_pieces_init(&pieces);
        for (uint64_t i = 0; i < n; i++) {
                if (index_file_entry(opened->file, &pieces, i, &entry, note))
                        return note->code;
                entry.pack = rows[entry.pack];
                if (entry.pack != left_out_row)
                        vault_index_add_entry(merge->builder, &entry);
        }
        return ERR_NONE;
}

/* Its name; and those that it replaces and that are still there, which nobody replaced otherwise. */
static void add_replaced(struct merge *merge, const struct opened *opened) {
        const struct vault_index_view *view = index_file_tables(opened->file);
        struct vault_name name;

        vault_index_replace(merge->builder, &opened->name);
        for (uint32_t i = 0; i < view->n_replaced; i++) {
                vault_index_replaced(view, i, &name);
                VEC_EACH (&merge->blobs->indexes, each)
                        if ((*each)->is_replaced && vault_name_compare(&(*each)->name, &name) == 0)
                                vault_index_replace(merge->builder, &name);
        }
}

static enum err take_index(struct merge *merge, const struct vault_name *name, struct err_note *note) {
        struct opened *opened = NULL;

        VEC_EACH (&merge->blobs->indexes, each)
                if (vault_name_compare(&(*each)->name, name) == 0 && blobs_is_live(*each))
                        opened = *each;
        if (!opened)
                return err_set(note, ERR_NOT_FOUND, "index %s is not in use", vault_name_format(name).s);
        if (add_entries(merge, opened, note))
                return err_wrap(note, "index %s", vault_name_format(name).s);
        add_replaced(merge, opened);
        return ERR_NONE;
}

static enum err put_index(struct blobs *blobs, const struct vault_name *name, struct span body,
                          struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};

        if (keyring_seal_object(blobs->keyring, blobs->io, VAULT_INDEX, name, body, &object, note))
                return note->code;
        return target_put(blobs->target, vault_path_of(VAULT_INDEX, name).s, object.data, object.n, note);
}

static void mark_replaced(struct blobs *blobs, const struct index_sizes *replaced) {
        pthread_rwlock_wrlock(&blobs->lock);
        VEC_EACH (&replaced->list, each)
                VEC_EACH (&blobs->indexes, opened)
                        if (vault_name_compare(&(*opened)->name, &each->name) == 0)
                                (*opened)->is_replaced = true;
        pthread_rwlock_unlock(&blobs->lock);
}

static enum err build(struct blobs *blobs, const struct index_sizes *merged,
                      const struct blobs_excluded *left_out, struct buf *ret, struct err_note *note) {
        AUTO(merge_fini)
        struct merge merge = {.blobs = blobs, .left_out = left_out, .builder = vault_index_builder_new()};
        enum err err = ERR_NONE;

        pthread_rwlock_rdlock(&blobs->lock);
        VEC_EACH (&merged->list, each)
                if (!err)
                        err = take_index(&merge, &each->name, note);
        pthread_rwlock_unlock(&blobs->lock);
        if (!err)
                vault_index_encode(merge.builder, ret);
        return err;
}

enum err index_merge(struct blobs *blobs, const struct index_sizes *merged,
                     const struct blobs_excluded *left_out, struct vault_name *ret, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;

        io_random(blobs->io, name.b, sizeof name.b);
        if (build(blobs, merged, left_out, &body, note) ||
            put_index(blobs, &name, (struct span){body.data, body.n}, note) ||
            blobs_add_index(blobs, &name, (struct span){body.data, body.n}, note))
                return err_wrap(note, "make one of %zu indexes", merged->list.n);
        mark_replaced(blobs, merged);
        *ret = name;
        return ERR_NONE;
}

enum err index_merge_tiers(struct blobs *blobs, unsigned *ret_made, struct err_note *note) {
        AUTO(index_sizes_fini) struct index_sizes sizes = {0};
        AUTO(index_sizes_fini) struct index_sizes picked = {0};
        const struct blobs_excluded none = {0};
        struct vault_name ignored;

        for (*ret_made = 0;; ++*ret_made) {
                index_merge_sizes(blobs, &sizes);
                index_tiers_pick(&sizes, &picked);
                if (picked.list.n == 0)
                        return ERR_NONE;
                if (index_merge(blobs, &picked, &none, &ignored, note))
                        return note->code;
        }
}
