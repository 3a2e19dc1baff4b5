// SPDX-License-Identifier: Apache-2.0
/* An index that was opened, kept on this machine: its tables and a filter in memory, its entries in a file,
 * read piece by piece as they are asked for.
 *
 * The file is a cache: made whole under another name, never changed, and believed only as far as its sums go.
 * The front (filter, tables) is checked when it is opened, each piece of entries when it is read; so damage
 * is noticed wherever it is, and opening costs nothing for entries that nobody asks for.  Whoever meets
 * damage makes it again.
 *
 *      | head | filter | sums of pieces | tables of the index |  to 4 KiB  | entries, 64 a piece |
 *
 * Errors: ERR_NOT_FOUND, there is no such file; ERR_CORRUPT, ERR_CUT_SHORT, to be made again; ERR_IO.
 * Threads: any.  Ownership: io outlives it.
 * Memory: 11 bits an entry, 80 bytes a pack, the fan-out; without a path, all of it.
 */
#ifndef VAULT_INDEX_FILE_H
#define VAULT_INDEX_FILE_H

#include "io.h"
#include "vault_index.h"

struct index_file;

/* Of an opened body.  path NULL: in memory. */
MUST_USE enum err index_file_make(struct io *, const char *path, const struct vault_name *, struct span body,
                                  struct index_file **ret, struct err_note *);
MUST_USE enum err index_file_open(struct io *, const char *path, const struct vault_name *,
                                  struct index_file **ret, struct err_note *);
void index_file_free(struct index_file *);
DEFINE_AUTO(struct index_file *, index_file_free);

/* Its tables: all but the entries. */
const struct vault_index_view *index_file_tables(const struct index_file *);

/* What was read last of one index's entries, so that neighbours are read once. */
enum { INDEX_PIECE = 64, INDEX_PIECES_KEPT = 2 };
struct index_pieces {
        struct {
                uint64_t number; /* from 1; 0: none */
                uint8_t bytes[INDEX_PIECE * VAULT_INDEX_ENTRY_SIZE];
        } kept[INDEX_PIECES_KEPT];
};
static inline void index_pieces_init(struct index_pieces *pieces) {
        for (unsigned i = 0; i < INDEX_PIECES_KEPT; i++)
                pieces->kept[i].number = 0;
}
MUST_USE enum err index_file_entry(const struct index_file *, struct index_pieces *, uint64_t i,
                                   struct vault_index_entry *ret, struct err_note *);
/* May it be here?  If not, it is not. */
bool index_file_may_have(const struct index_file *, const struct vault_id *);
/* The entries that have the id: *ret_i and the *ret_n - 1 behind it; *ret_n is 0 where there are none. */
MUST_USE enum err index_file_find(const struct index_file *, struct index_pieces *, const struct vault_id *,
                                  uint64_t *ret_i, uint64_t *ret_n, struct err_note *);

#endif
