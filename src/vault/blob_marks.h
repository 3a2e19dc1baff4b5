// SPDX-License-Identifier: Apache-2.0
/* A bit for each entry of each index of a vault: which blobs somebody needs.
 *
 *      blob_marks_new(blobs)                       of what the last refresh found
 *      blob_marks_set(marks, &id, &was, note)      all copies of a blob
 *      blob_marks_sum(marks, note)                 then, of each pack, how much of it is marked
 *
 * While marks are in use nobody refreshes the blobs or adds to them.
 *
 * Errors: ERR_NOT_FOUND, no index knows the blob; ERR_CORRUPT, ERR_IO: an index that cannot be read, which
 * the next refresh fetches again.
 * Threads: one at a time.  Ownership: blobs outlive it.  Memory: a bit an entry, 80 bytes a pack.
 */
#ifndef VAULT_BLOB_MARKS_H
#define VAULT_BLOB_MARKS_H

#include "blobs.h"

struct blob_marks;
struct blob_marks *blob_marks_new(struct blobs *);
void blob_marks_free(struct blob_marks *);
DEFINE_AUTO(struct blob_marks *, blob_marks_free);

MUST_USE enum err blob_marks_set(struct blob_marks *, const struct vault_id *, bool *ret_was,
                                 struct err_note *);

/* A pack that some index knows, listed or not. */
struct blob_marks_pack {
        const struct pack_row *row;   /* borrowed from blobs */
        bool has_index;               /* an object; else its trailer was read */
        uint32_t n, n_marked, n_only; /* blobs; marked ones; of these, those of which no other listed, indexed
                                       * pack has a copy that is not recorded as damaged */
        uint64_t bytes, bytes_marked;
};
MUST_USE enum err blob_marks_sum(struct blob_marks *, struct err_note *);
/* Of the last sum, ascending by name; borrowed. */
const struct blob_marks_pack *blob_marks_packs(const struct blob_marks *, size_t *ret_n);
const struct blob_marks_pack *blob_marks_pack(const struct blob_marks *, const struct vault_name *);

/* Each marked blob of these packs, in any order. */
struct blob_marks_blob {
        const struct pack_row *row; /* borrowed from blobs */
        uint32_t number;
        uint64_t at;
        struct vault_pack_entry blob;
};
typedef enum err (*blob_marks_fn)(void *user, const struct blob_marks_blob *, struct err_note *);
MUST_USE enum err blob_marks_each(struct blob_marks *, const struct blobs_excluded *of_packs, blob_marks_fn,
                                  void *user, struct err_note *);

/* Whether a pack has a copy that is listed and indexed, not recorded as damaged, and none of those left out
 * (sorted). */
MUST_USE enum err blob_marks_has_copy(struct blob_marks *, const struct vault_id *,
                                      const struct blobs_excluded *left_out, bool *ret, struct err_note *);

#endif
