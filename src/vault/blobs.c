// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <stdlib.h>
#include <string.h>

#include "blobs_inside.h"
#include "mem.h"

struct map_key blobs_key(const uint8_t bytes[16]) {
        be64 high, low;

        memcpy(&high, bytes, 8);
        memcpy(&low, bytes + 8, 8);
        return (struct map_key){be64_get(high), be64_get(low)};
}

/* Two indexes may tell different things of a pack; which is right shows when it is read. */
static bool is_same(const struct vault_index_pack *a, const struct vault_index_pack *b) {
        return vault_name_compare(&a->head.name, &b->head.name) == 0 &&
               vault_name_compare(&a->head.session, &b->head.session) == 0 &&
               memcmp(a->head.salt, b->head.salt, sizeof a->head.salt) == 0 &&
               a->head.epoch == b->head.epoch && a->head.is_sealed == b->head.is_sealed &&
               a->length == b->length && a->n_blobs == b->n_blobs;
}

struct pack_row *blobs_row(struct blobs *blobs, const struct vault_index_pack *pack) {
        struct map_key key = blobs_key(pack->head.name.b);
        struct pack_row *row = map_get(&blobs->row_of, key);

        if (row && is_same(&row->pack, pack))
                return row;
        row = mem_new(struct pack_row);
        row->pack = *pack;
        *vec_add(&blobs->rows) = row;
        if (!map_get(&blobs->row_of, key))
                map_put(&blobs->row_of, key, row);
        return row;
}

static int compare_names(const void *a, const void *b) {
        return vault_name_compare(a, b);
}

bool blobs_excludes(const struct blobs_excluded *excluded, const struct vault_name *name) {
        return excluded->packs.n && bsearch(name, excluded->packs.data, excluded->packs.n,
                                            sizeof *excluded->packs.data, compare_names) != NULL;
}

bool blobs_is_live(const struct opened *opened) {
        return opened->file && !opened->is_replaced && (opened->is_listed || opened->is_ours);
}

void opened_free(struct opened *opened) {
        if (opened->file)
                index_file_free(opened->file);
        free(opened->rows);
        free(opened);
}

enum err blobs_new(const struct blobs_options *options, struct blobs **ret, struct err_note *note) {
        struct blobs *blobs;
        enum err err;

        if (options->cache) {
                err = io_make_private_dir(options->io, options->cache, note);
                if (err && err != ERR_EXISTS)
                        return err_wrap(note, "make the cache of indexes");
        }
        blobs = mem_new(struct blobs);
        blobs->io = options->io;
        blobs->target = options->target;
        blobs->keyring = options->keyring;
        blobs->cache = options->cache ? mem_text(options->cache) : NULL;
        pthread_rwlock_init(&blobs->lock, NULL);
        *ret = blobs;
        return ERR_NONE;
}

void blobs_free(struct blobs *blobs) {
        VEC_EACH (&blobs->indexes, each)
                opened_free(*each);
        VEC_EACH (&blobs->rows, each)
                free(*each);
        VEC_EACH (&blobs->recent, each)
                free(each->blobs);
        vec_fini(&blobs->indexes);
        vec_fini(&blobs->rows);
        vec_fini(&blobs->recent);
        vec_fini(&blobs->tainted);
        map_fini(&blobs->row_of);
        map_fini(&blobs->recent_of);
        pthread_rwlock_destroy(&blobs->lock);
        free(blobs->cache);
        free(blobs);
}

/* ---- damage ---- */

static int compare_packs(const void *a, const void *b) {
        return vault_name_compare(&((const struct vault_place *)a)->pack,
                                  &((const struct vault_place *)b)->pack);
}

void blobs_mark_tainted(struct blobs *blobs) {
        VEC_EACH (&blobs->rows, each) {
                struct vault_place any = {.pack = (*each)->pack.head.name};

                (*each)->is_tainted =
                        blobs->tainted.n && bsearch(&any, blobs->tainted.data, blobs->tainted.n,
                                                    sizeof *blobs->tainted.data, compare_packs) != NULL;
        }
}

static bool has_place(const struct blobs *blobs, const struct pack_row *row, uint32_t number) {
        struct vault_place place = {row->pack.head.name, number};

        return bsearch(&place, blobs->tainted.data, blobs->tainted.n, sizeof place, vault_place_compare) !=
               NULL;
}

bool blobs_is_tainted(const struct blobs *blobs, const struct pack_row *row, uint32_t number) {
        return row->is_tainted && (has_place(blobs, row, number) || has_place(blobs, row, VAULT_WHOLE_PACK));
}

void blobs_taint(struct blobs *blobs, const struct vault_place *places, size_t n) {
        pthread_rwlock_wrlock(&blobs->lock);
        blobs->tainted.n = 0;
        vec_reserve(&blobs->tainted, n);
        if (n)
                memcpy(blobs->tainted.data, places, n * sizeof *places);
        blobs->tainted.n = n;
        blobs_mark_tainted(blobs);
        pthread_rwlock_unlock(&blobs->lock);
}

/* ---- adding ---- */

void blobs_add(struct blobs *blobs, const struct vault_index_pack *pack,
               const struct vault_pack_entry *entries, unsigned n) {
        struct recent recent = {.n = n};
        uint64_t at = VAULT_PACK_HEAD;

        pthread_rwlock_wrlock(&blobs->lock);
        recent.row = blobs_row(blobs, pack);
        recent.row->is_listed = true;
        recent.blobs = mem_grow(NULL, n, sizeof *recent.blobs);
        for (unsigned i = 0; i < n; i++) {
                recent.blobs[i] = (struct recent_blob){recent.row, i, at, entries[i]};
                at += entries[i].stored;
                map_put(&blobs->recent_of, blobs_key(entries[i].id.b), &recent.blobs[i]);
        }
        *vec_add(&blobs->recent) = recent;
        pthread_rwlock_unlock(&blobs->lock);
}

enum err blobs_add_index(struct blobs *blobs, const struct vault_name *name, struct span body,
                         struct err_note *note) {
        AUTO(opened_free) struct opened *opened = mem_new(struct opened);

        opened->name = *name;
        opened->is_ours = true;
        pthread_rwlock_wrlock(&blobs->lock);
        if (blobs_open_body(blobs, opened, body, note)) {
                pthread_rwlock_unlock(&blobs->lock);
                return note->code;
        }
        *vec_add(&blobs->indexes) = TAKE(opened);
        blobs_forget_recent(blobs);
        pthread_rwlock_unlock(&blobs->lock);
        return ERR_NONE;
}

static uint64_t loose_packs(const struct opened *opened) {
        return blobs_is_live(opened) && vault_name_is_null(&opened->name)
                       ? index_file_tables(opened->file)->n_packs
                       : 0;
}

struct blobs_count blobs_count(struct blobs *blobs) {
        struct blobs_count count = {0};

        pthread_rwlock_rdlock(&blobs->lock);
        count.n_damaged_packs = blobs->n_damaged_packs;
        count.n_damaged_indexes = blobs->n_damaged_indexes;
        VEC_EACH (&blobs->rows, each) {
                count.n_packs += (*each)->is_listed;
                count.n_blobs += (*each)->is_listed ? (*each)->pack.n_blobs : 0;
                count.stored += (*each)->is_listed ? (*each)->pack.length : 0;
        }
        VEC_EACH (&blobs->indexes, each)
                count.n_loose += loose_packs(*each);
        VEC_EACH (&blobs->indexes, each)
                count.n_indexes += blobs_is_live(*each) && !vault_name_is_null(&(*each)->name);
        pthread_rwlock_unlock(&blobs->lock);
        return count;
}
