// SPDX-License-Identifier: Apache-2.0
/* Packs: a head, blobs, their entries, an end.  docs/format/vault.md "Packs".
 *
 * The trailer is carried as it stands; opening it is for vault/seal.h, then vault_pack_entries_decode.
 *
 * Errors: ERR_CORRUPT, the text says where; ERR_CUT_SHORT of a pack that ends too early; ERR_UNSUPPORTED.
 * Threads: any.
 */
#ifndef FORMAT_VAULT_PACK_H
#define FORMAT_VAULT_PACK_H

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "vault_name.h"
#include "vault_object.h"
#include "vec.h"

enum vault_blob_type { VAULT_CHUNK = 1, VAULT_NODE = 2 };
enum vault_codec { VAULT_AS_IS = 0, VAULT_ZSTD = 1 };

enum {
        VAULT_PACK_HEAD = 72,
        VAULT_PACK_END = 64,
        VAULT_ENTRY_SIZE = 48,
        VAULT_NODE_IDS = 256,
        VAULT_NODE_SIZE = VAULT_NODE_IDS * 32,
        VAULT_CHUNK_MIN = 64 * 1024,
        VAULT_CHUNK_MAX = 4 * 1024 * 1024,
        VAULT_HEIGHT_MAX = 6, /* levels of nodes: 2^48 chunks */
        /* What a pack may be: entries above this are refused before anything is allocated. */
        VAULT_PACK_BLOBS_MAX = 1 << 20,
};

/* A power of two, from VAULT_CHUNK_MIN to VAULT_CHUNK_MAX. */
bool vault_is_chunk_size(uint64_t);

struct vault_pack_head {
        bool is_sealed;
        uint16_t epoch;
        struct vault_name name, session;
        uint8_t salt[VAULT_SALT_SIZE];
};
struct vault_pack_entry {
        enum vault_blob_type type;
        uint8_t level; /* of a node, from 1 */
        enum vault_codec codec;
        uint32_t stored; /* bytes here, tag included */
        uint32_t length; /* of the content */
        struct vault_id id;
};
struct vault_pack_end {
        uint32_t n_blobs;
        uint64_t trailer_at, length;
        uint8_t sum[32];
};

void vault_pack_head_encode(const struct vault_pack_head *, uint8_t ret[VAULT_PACK_HEAD]);
MUST_USE enum err vault_pack_head_decode(const uint8_t bytes[VAULT_PACK_HEAD], struct vault_pack_head *ret,
                                         struct err_note *);

void vault_pack_entry_encode(const struct vault_pack_entry *, uint8_t ret[VAULT_ENTRY_SIZE]);
/* That one like this may be: for whoever has it from elsewhere (an index). */
MUST_USE enum err vault_pack_entry_check(const struct vault_pack_entry *, struct err_note *);
/* Of n entries, with its tag. */
uint64_t vault_pack_trailer_size(uint32_t n_blobs);
struct vault_pack_entries {
        VEC(struct vault_pack_entry) list; /* owned */
};
void vault_pack_entries_fini(struct vault_pack_entries *);
DEFINE_AUTO_IN_PLACE(struct vault_pack_entries, vault_pack_entries_fini);
/* Of an opened trailer; that the blobs fill [VAULT_PACK_HEAD, trailer_at) is checked. */
MUST_USE enum err vault_pack_entries_decode(struct span, const struct vault_pack_end *,
                                            struct vault_pack_entries *ret, struct err_note *);

/* Associated data of a blob, and of the trailer (entry NULL): how many bytes of ret. */
enum { VAULT_PACK_BOUND = VAULT_ENTRY_SIZE + 16 };
size_t vault_pack_bind(const struct vault_pack_head *, const struct vault_pack_entry *,
                       uint8_t ret[VAULT_PACK_BOUND]);

/* head and trailer as they stand in the pack: for the sum. */
void vault_pack_end_encode(const struct vault_pack_end *, const uint8_t head[VAULT_PACK_HEAD],
                           struct span trailer, uint8_t ret[VAULT_PACK_END]);
/* pack_length: of the object.  The sum is checked by vault_pack_end_check, once the trailer is there. */
MUST_USE enum err vault_pack_end_decode(const uint8_t bytes[VAULT_PACK_END], uint64_t pack_length,
                                        struct vault_pack_end *ret, struct err_note *);
MUST_USE enum err vault_pack_end_check(const struct vault_pack_end *, const uint8_t bytes[VAULT_PACK_END],
                                       const uint8_t head[VAULT_PACK_HEAD], struct span trailer,
                                       struct err_note *);

#endif
