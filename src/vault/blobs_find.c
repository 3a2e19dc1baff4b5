// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include "blobs_inside.h"

/* One look for an id: of the copies whose packs count, or of the others, the skip-th. */
struct search {
        const struct vault_id *id; /* borrowed from the caller */
        bool of_counting;
        unsigned skip;
        struct opened *damaged; /* borrowed from blobs; an index that could not be read; NULL: none */
        unsigned n_healed;      /* how often that had been healed by then */
};

static bool is_wanted(struct search *search, const struct pack_row *row) {
        return (row->is_listed && !row->is_excluded) == search->of_counting && search->skip-- == 0;
}

static bool search_recent(struct blobs *blobs, struct search *search, struct blob_place *ret) {
        const struct recent_blob *found = map_get(&blobs->recent_of, blobs_key(search->id->b));

        if (!found || vault_id_compare(&found->blob.id, search->id) != 0 || !is_wanted(search, found->row))
                return false;
        *ret = (struct blob_place){found->row, found->number, found->at, found->blob};
        return true;
}

static enum err search_copies(const struct opened *opened, struct search *search, struct blob_place *ret,
                              bool *ret_found, struct err_note *note) {
        struct index_pieces pieces;
        struct vault_index_entry entry;
        uint64_t at, n;

        index_pieces_init(&pieces);
        if (index_file_find(opened->file, &pieces, search->id, &at, &n, note))
                return note->code;
        for (uint64_t i = 0; i < n && !*ret_found; i++) {
                if (index_file_entry(opened->file, &pieces, at + i, &entry, note))
                        return note->code;
                *ret_found = is_wanted(search, opened->rows[entry.pack]);
        }
        if (*ret_found)
                *ret = (struct blob_place){opened->rows[entry.pack], entry.number, entry.at, entry.blob};
        return ERR_NONE;
}

static bool search_all(struct blobs *blobs, struct search *search, struct blob_place *ret) {
        struct err_note ignored;
        bool is_found = search_recent(blobs, search, ret);

        for (size_t i = blobs->indexes.n; i-- > 0 && !is_found && !search->damaged;) {
                struct opened *opened = blobs->indexes.data[i];

                if (blobs_is_live(opened) && index_file_may_have(opened->file, search->id) &&
                    search_copies(opened, search, ret, &is_found, &ignored))
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
