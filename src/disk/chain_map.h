// SPDX-License-Identifier: Apache-2.0
/* The map of a chain's frozen layers: for each block of 2 MiB who holds it and where.  8 bytes a block; a
 * block that several layers hold, or one only in part with others below, has a row of 8 bytes for each of its
 * layers beside it.
 *
 * A map never changes once it is made: a chain replaces it by publication and frees it when no reader can
 * have it. Layers are numbered from the bottom (0) so that numbers stay when a layer is put on top.
 *
 * Errors: those of reading the layers.  Threads: building: the chain's owner; looking up: any.
 */
#ifndef DISK_CHAIN_MAP_H
#define DISK_CHAIN_MAP_H

#include <stdint.h>

#include "image.h"
#include "owners.h"

struct chain_map {
        uint64_t size; /* bytes of the disk on top */
        uint64_t n_blocks;
        unsigned n_layers;
        /* owned array; the images are borrowed from the chain, whose count holds them */
        struct image **layers;
        /* owned; bytes of each layer that are seen: the least size of it and all above it, for a child reads
         * zeros past its parent's end, whatever lies below that parent */
        uint64_t *seen;
        uint64_t *entries; /* owned; n_blocks */
        uint64_t *rows;    /* owned; n_rows: the rows of shared blocks, top first */
        uint64_t n_rows;
        struct owners *owners; /* owned */
};

/* What one layer has of one block. */
struct chain_holder {
        unsigned layer;
        image_slot slot;
};

enum { CHAIN_LAYERS_MAX = 65535 };

/* layers[0] is the bottom.  size: of the disk that is seen, bytes. */
MUST_USE enum err chain_map_new(struct image *const *layers, unsigned n_layers, uint64_t size,
                                uint64_t owners_bytes, struct chain_map **ret, struct err_note *);
void chain_map_free(struct chain_map *);
DEFINE_AUTO(struct chain_map *, chain_map_free);

/* A map with one more layer on top, a leaf that nobody writes to any more; the old map stays as it is. */
struct chain_map *chain_map_pushed(const struct chain_map *, struct image *top, uint64_t owners_bytes);

bool chain_map_is_empty(const struct chain_map *, uint64_t block); /* no layer holds any of it */
/* The holders, top first, down to the first that has it whole; returns how many.  i: which of them. */
unsigned chain_map_holders(const struct chain_map *, uint64_t block);
struct chain_holder chain_map_holder(const struct chain_map *, uint64_t block, unsigned i);

/* Who owns `sector` of `block`, up to where (at most limit).  *ret_is_held false: nobody. */
MUST_USE enum err chain_map_owner(struct chain_map *, uint64_t block, unsigned sector, unsigned limit,
                                  struct chain_holder *ret, bool *ret_is_held, unsigned *ret_end,
                                  struct err_note *);
uint64_t chain_map_bytes(const struct chain_map *); /* without the cache */

#endif
