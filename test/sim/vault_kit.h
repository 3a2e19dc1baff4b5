// SPDX-License-Identifier: Apache-2.0
/* Packs and indexes for tests of a vault's floor, with the bytes made by their codecs alone.
 *
 * A chunk is told by a number: that of an odd one is compressed, that of an even one is stored as it is.
 *
 * Errors: those of what is called.  Threads: any.
 */
#ifndef TEST_SIM_VAULT_KIT_H
#define TEST_SIM_VAULT_KIT_H

#include "keyring.h"
#include "target.h"

enum { KIT_CHUNK = VAULT_CHUNK_MIN };

struct kit_pack {
        struct vault_index_pack pack;
        struct vault_pack_entries entries;
};
void kit_pack_fini(struct kit_pack *);
DEFINE_AUTO_IN_PLACE(struct kit_pack, kit_pack_fini);

void kit_chunk(uint64_t number, uint8_t ret[KIT_CHUNK]);
struct vault_id kit_chunk_id(const struct keyring *, uint64_t number);

/* What every case works with. */
struct kit {
        struct target *target;   /* borrowed */
        struct io *dice;         /* borrowed */
        struct keyring *keyring; /* borrowed */
};
/* Chunks first … first + n - 1, and a node at the end. */
MUST_USE enum err kit_put_pack(const struct kit *, uint64_t first, unsigned n, struct kit_pack *ret,
                               struct err_note *);
void kit_node(uint64_t number, struct vault_id ret[VAULT_NODE_IDS]);
struct vault_id kit_node_id(const struct keyring *, uint64_t number); /* of the pack with that first chunk */
/* Of so many packs; replaced: so many names of other indexes. */
MUST_USE enum err kit_put_index(const struct kit *, const struct kit_pack *, unsigned n,
                                const struct vault_name *replaced, unsigned n_replaced,
                                struct vault_name *ret, struct buf *ret_body, struct err_note *);

#endif
