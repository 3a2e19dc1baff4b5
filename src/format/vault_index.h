// SPDX-License-Identifier: Apache-2.0
/* An opened index: where chunks and nodes are, sorted by id.  docs/format/vault.md "Indexes".
 *
 * A view lies over the bytes (of a mapped file, say) and copies nothing: opening checks the tables and that
 * everything fits, not each of the entries; an entry is checked when it is found.
 *
 *      vault_index_view(span, &view, note)
 *      vault_index_find(&view, &id, &where, note)
 *
 * Building takes entries in any order, and several indexes into one: their packs, then their entries.
 *
 * Errors: ERR_CORRUPT, says where; ERR_NOT_FOUND of find, without a text.  Threads: any; a builder's, one.
 * Ownership: a view borrows its bytes.  Memory: a builder's entries, 64 bytes each.
 */
#ifndef FORMAT_VAULT_INDEX_H
#define FORMAT_VAULT_INDEX_H

#include "buf.h"
#include "vault_pack.h"

/* A pack as an index knows it: all that is needed to read a blob of it. */
struct vault_index_pack {
        struct vault_pack_head head; /* is_sealed is the vault's, and not stored */
        uint64_t length;
        uint32_t n_blobs;
};
struct vault_index_entry {
        struct vault_pack_entry blob;
        uint32_t pack;   /* its row */
        uint32_t number; /* of the blob in the pack */
        uint64_t at;     /* in the pack */
};

enum {
        VAULT_INDEX_HEAD = 32,
        VAULT_INDEX_PACK_SIZE = 80,
        VAULT_INDEX_ENTRY_SIZE = 64,
        VAULT_INDEX_FAN_BITS_MAX = 24,
};

struct vault_index_view {
        struct span bytes; /* borrowed */
        uint32_t n_packs, n_replaced;
        uint64_t n_entries;
        unsigned fan_bits;
        const uint8_t *replaced, *packs, *fan, *entries; /* borrowed from bytes */
};
MUST_USE enum err vault_index_view(struct span, struct vault_index_view *ret, struct err_note *);
void vault_index_replaced(const struct vault_index_view *, uint32_t i, struct vault_name *ret);
/* row, i: below the view's numbers of them. */
MUST_USE enum err vault_index_pack(const struct vault_index_view *, uint32_t row,
                                   struct vault_index_pack *ret, struct err_note *);
MUST_USE enum err vault_index_entry(const struct vault_index_view *, uint64_t i,
                                    struct vault_index_entry *ret, struct err_note *);
/* The first entry that has the id; its copies follow it.  Touches a page of the fan-out and, most often, one
 * of the entries. */
MUST_USE bool vault_index_first(const struct vault_index_view *, const struct vault_id *, uint64_t *ret_i);

/* ---- building ---- */

struct vault_index_builder;
struct vault_index_builder *vault_index_builder_new(void);
void vault_index_builder_free(struct vault_index_builder *);
DEFINE_AUTO(struct vault_index_builder *, vault_index_builder_free);
void vault_index_replace(struct vault_index_builder *, const struct vault_name *);
/* The pack's row, until encode sorts them; its entries follow in their order … */
uint32_t vault_index_add_pack(struct vault_index_builder *, const struct vault_index_pack *);
void vault_index_add(struct vault_index_builder *, const struct vault_pack_entry *);
/* … or, of another index, in any: at and number are theirs, pack is a row that add_pack told. */
void vault_index_add_entry(struct vault_index_builder *, const struct vault_index_entry *);
/* Sorts; what was added twice is there once; the builder is spent.  Into an empty buf. */
void vault_index_encode(struct vault_index_builder *, struct buf *);

#endif
