// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <stdlib.h>

#include "blobs_inside.h"

/* One look for an id: of the copies whose packs count, or of the others, the skip-th. */
struct search {
        const struct vault_id *id; /* borrowed from the caller */
        bool of_counting;
        unsigned skip;
        struct opened *damaged; /* borrowed from blobs; an index that could not be read; NULL: none */
        unsigned n_healed;      /* how often that had been healed by then */
};

static bool is_wanted(const struct blobs *blobs, struct search *search, const struct pack_row *row,
                      uint32_t number) {
        bool counts = row->is_listed && !row->is_excluded && !blobs_is_tainted(blobs, row, number);

        return counts == search->of_counting && search->skip-- == 0;
}

static bool search_recent(struct blobs *blobs, struct search *search, struct blob_place *ret) {
        const struct recent_blob *found = map_get(&blobs->recent_of, blobs_key(search->id->b));

        if (!found || vault_id_compare(&found->blob.id, search->id) != 0 ||
            !is_wanted(blobs, search, found->row, found->number))
                return false;
        *ret = (struct blob_place){found->row,  found->number, found->at,
                                   found->blob, UINT64_MAX,    search->of_counting};
        return true;
}

static enum err search_copies(const struct blobs *blobs, const struct opened *opened, struct search *search,
                              struct blob_place *ret, bool *ret_found, struct err_note *note) {
        struct index_pieces pieces;
        struct vault_index_entry entry;
        uint64_t at, n;

        index_pieces_init(&pieces);
        if (index_file_find(opened->file, &pieces, search->id, &at, &n, note))
                return note->code;
        for (uint64_t i = 0; i < n && !*ret_found; i++) {
                if (index_file_entry(opened->file, &pieces, at + i, &entry, note))
                        return note->code;
                *ret_found = is_wanted(blobs, search, opened->rows[entry.pack], entry.number);
                if (*ret_found)
                        *ret = (struct blob_place){
                                opened->rows[entry.pack],     entry.number,       entry.at, entry.blob,
                                opened->first_entry + at + i, search->of_counting};
        }
        return ERR_NONE;
}

static bool search_all(struct blobs *blobs, struct search *search, struct blob_place *ret) {
        struct err_note ignored;
        bool is_found = search_recent(blobs, search, ret);

        for (size_t i = blobs->indexes.n; i-- > 0 && !is_found && !search->damaged;) {
                struct opened *opened = blobs->indexes.data[i];

                if (blobs_is_live(opened) && index_file_may_have(opened->file, search->id) &&
                    search_copies(blobs, opened, search, ret, &is_found, &ignored))
                        *search = (struct search){.damaged = opened, .n_healed = opened->n_healed};
        }
        return is_found;
}

/* What cannot be read of a cached index is fetched again; what cannot be fetched is left out. */
static void heal(struct blobs *blobs, const struct search *search) {
        pthread_rwlock_wrlock(&blobs->lock);
        VEC_EACH (&blobs->indexes, each)
                if (*each == search->damaged && (*each)->n_healed == search->n_healed && (*each)->file)
                        blobs_open_again(blobs, *each);
        pthread_rwlock_unlock(&blobs->lock);
}

static bool search_healed(struct blobs *blobs, struct search search, struct blob_place *ret) {
        bool is_found;
        const struct search fresh = search;

        do {
                search = fresh;
                pthread_rwlock_rdlock(&blobs->lock);
                is_found = search_all(blobs, &search, ret);
                pthread_rwlock_unlock(&blobs->lock);
                if (search.damaged)
                        heal(blobs, &search);
        } while (search.damaged);
        return is_found;
}

static unsigned count_copies(struct blobs *blobs, const struct vault_id *id, bool of_counting) {
        struct blob_place ignored;
        unsigned n = 0;

        while (search_healed(blobs, (struct search){.id = id, .of_counting = of_counting, .skip = n},
                             &ignored))
                n++;
        return n;
}

bool blobs_find_copy(struct blobs *blobs, const struct vault_id *id, unsigned copy, struct blob_place *ret) {
        if (search_healed(blobs, (struct search){.id = id, .of_counting = true, .skip = copy}, ret))
                return true;
        copy -= copy ? count_copies(blobs, id, true) : 0;
        return search_healed(blobs, (struct search){.id = id, .of_counting = false, .skip = copy}, ret);
}

bool blobs_find(struct blobs *blobs, const struct vault_id *id, struct blob_place *ret) {
        return blobs_find_copy(blobs, id, 0, ret);
}

bool blobs_knows(struct blobs *blobs, const struct vault_id *id) {
        struct blob_place ignored;

        return search_healed(blobs, (struct search){.id = id, .of_counting = true}, &ignored);
}

/* ---- all of them ---- */

uint64_t blobs_number(struct blobs *blobs) {
        uint64_t n = 0;

        pthread_rwlock_wrlock(&blobs->lock);
        VEC_EACH (&blobs->indexes, each) {
                (*each)->first_entry = n;
                n += blobs_is_live(*each) ? index_file_tables((*each)->file)->n_entries : 0;
        }
        pthread_rwlock_unlock(&blobs->lock);
        return n;
}

void blob_places_fini(struct blob_places *places) {
        vec_fini(&places->list);
}

static bool has_pack(const struct opened *opened, const struct vault_name *name) {
        uint32_t n = index_file_tables(opened->file)->n_packs;

        for (uint32_t i = 0; i < n; i++)
                if (vault_name_compare(&opened->rows[i]->pack.head.name, name) == 0)
                        return true;
        return false;
}

static enum err add_places(const struct opened *opened, const struct vault_name *name,
                           struct blob_places *ret, struct err_note *note) {
        uint64_t n = index_file_tables(opened->file)->n_entries;
        struct index_pieces pieces;
        struct vault_index_entry entry;

        index_pieces_init(&pieces);
        for (uint64_t i = 0; i < n; i++) {
                if (index_file_entry(opened->file, &pieces, i, &entry, note))
                        return note->code;
                if (vault_name_compare(&opened->rows[entry.pack]->pack.head.name, name) == 0)
                        *vec_add(&ret->list) = (struct blob_place){.pack = opened->rows[entry.pack],
                                                                   .number = entry.number,
                                                                   .at = entry.at,
                                                                   .blob = entry.blob,
                                                                   .entry = opened->first_entry + i};
        }
        return ERR_NONE;
}

static int compare_places(const void *a, const void *b) {
        const struct blob_place *of_a = a, *of_b = b;

        return of_a->number < of_b->number ? -1 : of_a->number > of_b->number;
}

/* Of one index: another one that knows the pack says the same. */
enum err blobs_of_pack(struct blobs *blobs, const struct vault_name *name, struct blob_places *ret,
                       struct err_note *note) {
        AUTO(blob_places_fini) struct blob_places places = {0};
        enum err err = ERR_NONE;

        pthread_rwlock_rdlock(&blobs->lock);
        VEC_EACH (&blobs->indexes, each)
                if (!err && !places.list.n && blobs_is_live(*each) && has_pack(*each, name))
                        err = add_places(*each, name, &places, note);
        pthread_rwlock_unlock(&blobs->lock);
        if (err)
                return err;
        if (places.list.n > 1)
                qsort(places.list.data, places.list.n, sizeof *places.list.data, compare_places);
        *ret = places;
        places = (struct blob_places){0};
        return ERR_NONE;
}
