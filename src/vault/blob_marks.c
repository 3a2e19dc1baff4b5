// SPDX-License-Identifier: Apache-2.0
#include "blob_marks.h"

#include <stdlib.h>

#include "blobs_inside.h"
#include "mem.h"

struct marked_index {
        const struct opened *opened; /* borrowed from blobs */
        uint64_t n;
        uint64_t *bits; /* owned; a bit an entry */
        struct index_pieces pieces;
};

struct blob_marks {
        struct blobs *blobs;                /* borrowed, outlives it */
        VEC(struct marked_index *) indexes; /* owned, and each */
        VEC(struct blob_marks_pack) packs;  /* owned; ascending by name once summed */
};

struct blob_marks *blob_marks_new(struct blobs *blobs) {
        struct blob_marks *marks = mem_new(struct blob_marks);

        marks->blobs = blobs;
        VEC_EACH (&blobs->indexes, each) {
                struct marked_index *index;

                if (!blobs_is_live(*each))
                        continue;
                index = mem_new(struct marked_index);
                index->opened = *each;
                index->n = index_file_tables((*each)->file)->n_entries;
                index->bits = mem_zero((size_t)(index->n / 64 + 1) * sizeof *index->bits);
                index_pieces_init(&index->pieces);
                *vec_add(&marks->indexes) = index;
        }
        return marks;
}

void blob_marks_free(struct blob_marks *marks) {
        if (!marks)
                return;
        VEC_EACH (&marks->indexes, each) {
                free((*each)->bits);
                free(*each);
        }
        vec_fini(&marks->indexes);
        vec_fini(&marks->packs);
        free(marks);
}

static bool has_bit(const struct marked_index *index, uint64_t i) {
        return index->bits[i / 64] >> (i % 64) & 1;
}

/* ---- finding ---- */

static enum err find(struct marked_index *index, const struct vault_id *id, uint64_t *ret_i, uint64_t *ret_n,
                     struct err_note *note) {
        *ret_n = 0;
        if (!index_file_may_have(index->opened->file, id))
                return ERR_NONE;
        return index_file_find(index->opened->file, &index->pieces, id, ret_i, ret_n, note);
}

enum err blob_marks_set(struct blob_marks *marks, const struct vault_id *id, bool *ret_was,
                        struct err_note *note) {
        bool is_found = false;
        uint64_t first, n;

        VEC_EACH (&marks->indexes, each) {
                if (find(*each, id, &first, &n, note))
                        return err_wrap(note, "index %s", vault_name_format(&(*each)->opened->name).s);
                for (uint64_t i = first; n > 0 && i < first + n; i++) {
                        if (!is_found)
                                *ret_was = has_bit(*each, i);
                        is_found = true;
                        (*each)->bits[i / 64] |= (uint64_t)1 << (i % 64);
                }
        }
        return is_found ? ERR_NONE
                        : err_set(note, ERR_NOT_FOUND, "no pack has the blob %s", vault_id_format(id).s);
}

static bool is_loose(const struct opened *opened) {
        return vault_name_is_null(&opened->name);
}

enum err blob_marks_has_copy(struct blob_marks *marks, const struct vault_id *id,
                             const struct blobs_excluded *left_out, bool *ret, struct err_note *note) {
        struct vault_index_entry entry;
        uint64_t first, n;

        *ret = false;
        VEC_EACH (&marks->indexes, each) {
                if (is_loose((*each)->opened))
                        continue;
                if (find(*each, id, &first, &n, note))
                        return note->code;
                for (uint64_t i = first; n > 0 && i < first + n; i++) {
                        const struct pack_row *row;

                        if (index_file_entry((*each)->opened->file, &(*each)->pieces, i, &entry, note))
                                return note->code;
                        row = (*each)->opened->rows[entry.pack];
                        if (row->is_listed && !blobs_excludes(left_out, &row->pack.head.name) &&
                            !blobs_is_tainted(marks->blobs, row, entry.number)) {
                                *ret = true;
                                return ERR_NONE;
                        }
                }
        }
        return ERR_NONE;
}

/* ---- packs ---- */

static int compare_packs(const void *a, const void *b) {
        const struct blob_marks_pack *x = a, *y = b;
        int order = vault_name_compare(&x->row->pack.head.name, &y->row->pack.head.name);

        return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int compare_name(const void *name, const void *pack) {
        return vault_name_compare(name, &((const struct blob_marks_pack *)pack)->row->pack.head.name);
}

const struct blob_marks_pack *blob_marks_pack(const struct blob_marks *marks, const struct vault_name *name) {
        return marks->packs.n == 0 ? NULL
                                   : bsearch(name, marks->packs.data, marks->packs.n,
                                             sizeof *marks->packs.data, compare_name);
}

const struct blob_marks_pack *blob_marks_packs(const struct blob_marks *marks, size_t *ret_n) {
        *ret_n = marks->packs.n;
        return marks->packs.data;
}

/* Two indexes may have the same pack, or tell different things of it: the row is one, or the first. */
static void collect_packs(struct blob_marks *marks) {
        size_t n = 0;

        marks->packs.n = 0;
        VEC_EACH (&marks->indexes, each)
                for (uint32_t i = 0; i < index_file_tables((*each)->opened->file)->n_packs; i++)
                        *vec_add(&marks->packs) = (struct blob_marks_pack){
                                .row = (*each)->opened->rows[i], .has_index = !is_loose((*each)->opened)};
        if (marks->packs.n > 1)
                qsort(marks->packs.data, marks->packs.n, sizeof *marks->packs.data, compare_packs);
        for (size_t i = 0; i < marks->packs.n; i++) {
                struct blob_marks_pack *pack = &marks->packs.data[i];
                struct blob_marks_pack *last = n > 0 ? &marks->packs.data[n - 1] : NULL;

                if (last && compare_name(&pack->row->pack.head.name, last) == 0)
                        last->has_index |= pack->has_index;
                else
                        marks->packs.data[n++] = *pack;
        }
        marks->packs.n = n;
}

/* The other copies of a marked blob may be in any index, this one too. */
static enum err sum_entry(struct blob_marks *marks, const struct marked_index *index, uint64_t i,
                          const struct vault_index_entry *entry, struct err_note *note) {
        const struct vault_name *name = &index->opened->rows[entry->pack]->pack.head.name;
        struct blob_marks_pack *pack = (struct blob_marks_pack *)blob_marks_pack(marks, name);
        const struct blobs_excluded itself = {.packs = {.data = (struct vault_name *)name, .n = 1}};
        bool has_copy;

        pack->n++;
        pack->bytes += entry->blob.stored;
        if (!has_bit(index, i))
                return ERR_NONE;
        pack->n_marked++;
        pack->bytes_marked += entry->blob.stored;
        if (blob_marks_has_copy(marks, &entry->blob.id, &itself, &has_copy, note))
                return note->code;
        pack->n_only += !has_copy;
        return ERR_NONE;
}

typedef enum err (*entry_fn)(void *user, struct marked_index *, uint64_t i, const struct vault_index_entry *,
                             struct err_note *);

static enum err each_entry(struct blob_marks *marks, entry_fn fn, void *user, struct err_note *note) {
        struct vault_index_entry entry;
        struct index_pieces pieces;

        VEC_EACH (&marks->indexes, each) {
                index_pieces_init(&pieces);
                for (uint64_t i = 0; i < (*each)->n; i++)
                        if (index_file_entry((*each)->opened->file, &pieces, i, &entry, note) ||
                            fn(user, *each, i, &entry, note))
                                return err_wrap(note, "index %s",
                                                vault_name_format(&(*each)->opened->name).s);
        }
        return ERR_NONE;
}

static enum err sum_one(void *user, struct marked_index *index, uint64_t i,
                        const struct vault_index_entry *entry, struct err_note *note) {
        return sum_entry(user, index, i, entry, note);
}

enum err blob_marks_sum(struct blob_marks *marks, struct err_note *note) {
        collect_packs(marks);
        return each_entry(marks, sum_one, marks, note);
}

/* ---- blobs ---- */

struct each {
        const struct blobs_excluded *of_packs; /* borrowed from the caller */
        blob_marks_fn fn;                      /* borrowed from the caller */
        void *user;                            /* borrowed from the caller */
};

static enum err tell_one(void *user, struct marked_index *index, uint64_t i,
                         const struct vault_index_entry *entry, struct err_note *note) {
        const struct each *each = user;
        const struct pack_row *row = index->opened->rows[entry->pack];

        if (!has_bit(index, i) || !blobs_excludes(each->of_packs, &row->pack.head.name))
                return ERR_NONE;
        return each->fn(each->user, &(struct blob_marks_blob){row, entry->number, entry->at, entry->blob},
                        note);
}

enum err blob_marks_each(struct blob_marks *marks, const struct blobs_excluded *of_packs, blob_marks_fn fn,
                         void *user, struct err_note *note) {
        struct each each = {of_packs, fn, user};

        return each_entry(marks, tell_one, &each, note);
}
