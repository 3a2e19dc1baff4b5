// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <stdlib.h>
#include <string.h>

#include "blobs_inside.h"
#include "mem.h"
#include "pack_trailer.h"
#include "vault_path.h"

/* What an index may have, as an object; ours have less (index_tiers.h). */
enum { INDEX_BYTES_MAX = 1 << 30 };

static char *cache_path(const struct blobs *blobs, const struct vault_name *name) {
        return blobs->cache ? mem_format("%s/%s", blobs->cache, vault_name_format(name).s) : NULL;
}

/* ---- opening an index ---- */

/* The packs of its table, each as blobs know it. */
static enum err find_rows(struct blobs *blobs, struct opened *opened, struct err_note *note) {
        const struct vault_index_view *view = index_file_tables(opened->file);
        struct vault_index_pack pack;

        opened->rows = mem_grow(NULL, view->n_packs, sizeof *opened->rows);
        for (uint32_t i = 0; i < view->n_packs; i++) {
                if (vault_index_pack(view, i, &pack, note))
                        return note->code;
                pack.head.is_sealed = !keyring_is_plain(blobs->keyring);
                opened->rows[i] = blobs_row(blobs, &pack);
        }
        return ERR_NONE;
}

static enum err use_file(struct blobs *blobs, struct opened *opened, struct index_file *file,
                         struct err_note *note) {
        opened->file = file;
        free(opened->rows);
        opened->rows = NULL;
        if (find_rows(blobs, opened, note) == ERR_NONE)
                return ERR_NONE;
        index_file_free(file);
        opened->file = NULL;
        return note->code;
}

enum err blobs_open_body(struct blobs *blobs, struct opened *opened, struct span body,
                         struct err_note *note) {
        AUTO_FREE char *path = cache_path(blobs, &opened->name);
        struct index_file *file = NULL;
        bool is_cached = path && !vault_name_is_null(&opened->name);

        /* Where the cache takes it not, memory does: a full disk here is no reason to lack what is there. */
        if (!is_cached || index_file_make(blobs->io, path, &opened->name, body, &file, note))
                if (index_file_make(blobs->io, NULL, &opened->name, body, &file, note))
                        return note->code;
        return use_file(blobs, opened, file, note);
}

static enum err fetch_index(struct blobs *blobs, struct opened *opened, struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};
        AUTO(buf_fini) struct buf body = {0};

        if (target_get(blobs->target, vault_path_of(VAULT_INDEX, &opened->name).s, INDEX_BYTES_MAX, &object,
                       note) ||
            keyring_open_object(blobs->keyring, (struct span){object.data, object.n}, VAULT_INDEX,
                                &opened->name, &body, NULL, note))
                return note->code;
        buf_fini(&object);
        return blobs_open_body(blobs, opened, (struct span){body.data, body.n}, note);
}

enum err blobs_open_index(struct blobs *blobs, struct opened *opened, struct err_note *note) {
        AUTO_FREE char *path = cache_path(blobs, &opened->name);
        struct index_file *file;

        /* Whatever is wrong with a cached one, it is made again. */
        if (path && index_file_open(blobs->io, path, &opened->name, &file, note) == ERR_NONE &&
            use_file(blobs, opened, file, note) == ERR_NONE)
                return ERR_NONE;
        return fetch_index(blobs, opened, note);
}

void blobs_open_again(struct blobs *blobs, struct opened *opened) {
        struct err_note ignored;

        index_file_free(opened->file);
        opened->file = NULL;
        /* Once: what is damaged after that came so, or this machine cannot keep it. */
        if (opened->n_healed++ == 0)
                (void)!fetch_index(blobs, opened, &ignored);
}

/* ---- packs without an index ---- */

/* They become indexes of our own, in memory, none of them too large. */
struct loose {
        struct blobs *blobs;                 /* borrowed from the caller */
        struct vault_index_builder *builder; /* owned; NULL: nothing is in it */
        uint64_t n_entries;
};

static enum err loose_end(struct loose *loose, struct err_note *note) {
        AUTO(opened_free) struct opened *opened = NULL;
        AUTO(buf_fini) struct buf body = {0};

        if (!loose->builder)
                return ERR_NONE;
        opened = mem_new(struct opened);
        opened->is_ours = true;
        vault_index_encode(loose->builder, &body);
        vault_index_builder_free(TAKE(loose->builder));
        loose->n_entries = 0;
        if (blobs_open_body(loose->blobs, opened, (struct span){body.data, body.n}, note))
                return note->code;
        *vec_add(&loose->blobs->indexes) = TAKE(opened);
        return ERR_NONE;
}

static enum err loose_add(struct loose *loose, const struct vault_name *name, uint64_t size,
                          struct err_note *note) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct vault_index_pack pack;

        if (pack_trailer_read(loose->blobs->target, loose->blobs->keyring, name, size, &pack, &entries, note))
                return note->code;
        if (loose->n_entries + entries.list.n > INDEX_ENTRIES_MAX && loose_end(loose, note))
                return note->code;
        if (!loose->builder)
                loose->builder = vault_index_builder_new();
        vault_index_add_pack(loose->builder, &pack);
        VEC_EACH (&entries.list, each)
                vault_index_add(loose->builder, each);
        loose->n_entries += entries.list.n;
        return ERR_NONE;
}

/* Damage is found again by whoever asks for what is in it; a pack may go while we look. */
static bool is_passed_over(enum err err) {
        return err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_NOT_FOUND || err == ERR_UNSUPPORTED;
}

/* ---- indexes ---- */

static struct opened *find_opened(struct blobs *blobs, const struct vault_name *name) {
        VEC_EACH (&blobs->indexes, each)
                if (vault_name_compare(&(*each)->name, name) == 0)
                        return *each;
        return NULL;
}

static enum err see_index(struct blobs *blobs, const struct vault_name *name, struct err_note *note) {
        struct opened *opened = find_opened(blobs, name);
        enum err err = ERR_NONE;

        if (!opened) {
                opened = mem_new(struct opened);
                opened->name = *name;
                *vec_add(&blobs->indexes) = opened;
        }
        opened->is_listed = true;
        opened->is_ours = false;
        if (!opened->file)
                err = blobs_open_index(blobs, opened, note);
        if (err && !is_passed_over(err))
                return err;
        blobs->n_damaged_indexes += err && err != ERR_NOT_FOUND;
        return ERR_NONE;
}

static void mark_replaced(struct blobs *blobs, const struct opened *by) {
        const struct vault_index_view *view = index_file_tables(by->file);

        for (uint32_t i = 0; i < view->n_replaced; i++) {
                struct vault_name name;
                struct opened *replaced;

                vault_index_replaced(view, i, &name);
                replaced = find_opened(blobs, &name);
                if (replaced && replaced != by)
                        replaced->is_replaced = true;
        }
}

static bool is_loose(const struct opened *opened) {
        return vault_name_is_null(&opened->name);
}

/* Those that are listed no more go; of those made here, all whose packs are known otherwise or gone. */
static bool is_of_use(const struct opened *opened, const struct map *known) {
        const struct vault_index_view *view;

        if (!is_loose(opened))
                return opened->is_listed || opened->is_ours;
        if (!opened->file)
                return false;
        view = index_file_tables(opened->file);
        for (uint32_t i = 0; i < view->n_packs; i++)
                if (opened->rows[i]->is_listed &&
                    !map_get(known, blobs_key(opened->rows[i]->pack.head.name.b)))
                        return true;
        return false;
}

static void drop_useless(struct blobs *blobs, const struct map *known) {
        for (size_t i = blobs->indexes.n; i-- > 0;)
                if (!is_of_use(blobs->indexes.data[i], known)) {
                        opened_free(blobs->indexes.data[i]);
                        vec_remove_at(&blobs->indexes, i);
                }
}

/* The packs that live indexes have; loose: also those made here. */
static void note_known(const struct blobs *blobs, bool loose, struct map *ret) {
        VEC_EACH (&blobs->indexes, each) {
                uint32_t n = blobs_is_live(*each) && (loose || !is_loose(*each))
                                     ? index_file_tables((*each)->file)->n_packs
                                     : 0;

                for (uint32_t i = 0; i < n; i++)
                        map_put(ret, blobs_key((*each)->rows[i]->pack.head.name.b), (*each)->rows[i]);
        }
}

void blobs_forget_recent(struct blobs *blobs) {
        AUTO(map_fini) struct map known = {0};

        note_known(blobs, false, &known);
        for (size_t i = blobs->recent.n; i-- > 0;) {
                struct recent recent = blobs->recent.data[i];

                if (!map_get(&known, blobs_key(recent.row->pack.head.name.b)))
                        continue;
                for (unsigned j = 0; j < recent.n; j++) {
                        struct map_key key = blobs_key(recent.blobs[j].blob.id.b);

                        if (map_get(&blobs->recent_of, key) == &recent.blobs[j])
                                (void)map_remove(&blobs->recent_of, key);
                }
                free(recent.blobs);
                vec_remove_at(&blobs->recent, i);
        }
}

static enum err see_indexes(struct blobs *blobs, const struct target_list *list, struct err_note *note) {
        struct vault_name name;

        blobs->n_damaged_indexes = 0;
        VEC_EACH (&blobs->indexes, each)
                (*each)->is_listed = (*each)->is_replaced = false;
        VEC_EACH (&list->items, each)
                if (vault_path_parse(each->name, &name) && see_index(blobs, &name, note))
                        return note->code;
        VEC_EACH (&blobs->indexes, each)
                if ((*each)->file && ((*each)->is_listed || (*each)->is_ours))
                        mark_replaced(blobs, *each);
        return ERR_NONE;
}

/* ---- packs ---- */

static enum err see_pack(struct loose *loose, const struct target_item *item, const struct map *known,
                         struct err_note *note) {
        struct blobs *blobs = loose->blobs;
        struct vault_name name;
        enum err err = ERR_NONE;

        if (!vault_path_parse(item->name, &name) || map_get(known, blobs_key(name.b)))
                return ERR_NONE;
        err = loose_add(loose, &name, item->size, note);
        if (err && !is_passed_over(err))
                return err;
        blobs->n_damaged_packs += err && err != ERR_NOT_FOUND;
        return ERR_NONE;
}

static void mark_listed(struct blobs *blobs, const struct target_list *list) {
        AUTO(map_fini) struct map listed = {0};
        struct vault_name name;

        VEC_EACH (&list->items, each)
                if (vault_path_parse(each->name, &name))
                        map_put(&listed, blobs_key(name.b), each);
        VEC_EACH (&blobs->rows, each)
                (*each)->is_listed = map_get(&listed, blobs_key((*each)->pack.head.name.b)) != NULL;
}

static void mark_excluded(struct blobs *blobs, const struct blobs_excluded *excluded) {
        VEC_EACH (&blobs->rows, each)
                (*each)->is_excluded = blobs_excludes(excluded, &(*each)->pack.head.name);
}

static enum err see_packs(struct blobs *blobs, const struct target_list *list, struct err_note *note) {
        AUTO(map_fini) struct map known = {0};
        struct loose loose = {.blobs = blobs};
        enum err err = ERR_NONE;

        blobs->n_damaged_packs = 0;
        note_known(blobs, true, &known);
        VEC_EACH (&blobs->recent, each)
                map_put(&known, blobs_key(each->row->pack.head.name.b), each->row);
        VEC_EACH (&list->items, each)
                if (!err)
                        err = see_pack(&loose, each, &known, note);
        if (!err)
                return loose_end(&loose, note);
        if (loose.builder)
                vault_index_builder_free(loose.builder);
        return err;
}

/* ---- all of it ---- */

/* Cached indexes that are listed no more; what cannot be removed now is the next one's to remove. */
static void clean_cache(const struct blobs *blobs) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note ignored;

        if (!blobs->cache || io_list(blobs->io, blobs->cache, &names, &ignored))
                return;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", blobs->cache, *each);
                bool is_used = false;

                VEC_EACH (&blobs->indexes, opened)
                        is_used = is_used || strcmp(*each, vault_name_format(&(*opened)->name).s) == 0;
                /* A name with an ending may be one that another process is just making. */
                if (!is_used && strlen(*each) == sizeof(struct vault_name_text) - 1)
                        (void)!io_unlink(blobs->io, path, &ignored);
        }
}

static enum err refresh(struct blobs *blobs, const struct blobs_excluded *excluded,
                        const struct target_list *packs, const struct target_list *indexes,
                        struct err_note *note) {
        AUTO(map_fini) struct map known = {0};

        if (see_indexes(blobs, indexes, note))
                return note->code;
        blobs_forget_recent(blobs);
        if (see_packs(blobs, packs, note))
                return note->code;
        mark_listed(blobs, packs);
        mark_excluded(blobs, excluded);
        blobs_mark_tainted(blobs);
        note_known(blobs, false, &known);
        drop_useless(blobs, &known);
        clean_cache(blobs);
        return ERR_NONE;
}

enum err blobs_refresh(struct blobs *blobs, const struct blobs_excluded *excluded, struct err_note *note) {
        AUTO(target_list_fini) struct target_list packs = {0};
        AUTO(target_list_fini) struct target_list indexes = {0};
        enum err err;

        /* Packs first: one that is put between the two is known by its index, and does not count, which
         * costs less than reading its trailer. */
        if (target_list(blobs->target, "packs/", &packs, note) ||
            target_list(blobs->target, "indexes/", &indexes, note))
                return note->code;
        pthread_rwlock_wrlock(&blobs->lock);
        err = refresh(blobs, excluded, &packs, &indexes, note);
        pthread_rwlock_unlock(&blobs->lock);
        return err;
}
