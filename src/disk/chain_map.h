// SPDX-License-Identifier: Apache-2.0
/* The map of a chain's frozen layers: for each block of 2 MiB who holds it and where.  8 bytes a block; a
 * block that several layers hold, or one only in part with others below, has a row of 8 bytes for each of its
 * layers beside it.
 *
 * What a reader sees of a block is one word, its entry.  It is loaded once and all that is asked about the
 * block is asked about that word; so while blocks move from layer to layer each reader sees the old places or
 * the new ones, never a mixture.  Entries are replaced one at a time; a row never changes once an entry names
 * it, and its place is not used again within one map.  Where a change has no room a new map is made, which
 * the chain publishes whole; the old one is freed when no reader can have it.
 *
 * Layers are numbered from the bottom (0) so that numbers stay when a layer is put on top.
 *
 * Errors: those of reading the layers.  Threads: building and changing: the chain's owner; looking up: any,
 * under a hold of the chain's readers.
 */
#ifndef DISK_CHAIN_MAP_H
#define DISK_CHAIN_MAP_H

#include <stdint.h>

#include "image.h"
#include "owners.h"

struct chain_map {
        uint64_t size; /* bytes of the disk on top */
        uint64_t n_blocks;
        unsigned n_layers, layers_room; /* the owner's; a reader's view says how many it has */
        /* owned array; the images are borrowed from the chain, whose count holds them */
        struct image **layers;
        /* owned; bytes of each layer that are seen: the least size of it and all above it, for a child reads
         * zeros past its parent's end, whatever lies below that parent */
        _Atomic uint64_t *seen;
        _Atomic uint64_t *entries; /* owned; n_blocks */
        uint64_t *rows; /* owned; rows_room, of which n_rows are used: of shared blocks, top first */
        uint64_t n_rows, rows_room;
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

/* ---- changing ---- */

/* One more layer on top, a leaf that nobody writes to any more.  Whoever has it as a leaf over this map reads
 * the same all the time.  False: there is no room, or its size is another, and chain_map_pushed is to be
 * asked, whatever of it is in this map by then. */
MUST_USE bool chain_map_push(struct chain_map *, struct image *top);
/* A new map with it; the old one stays as it is. */
struct chain_map *chain_map_pushed(const struct chain_map *, struct image *top, uint64_t owners_bytes);
/* A map without the layer, which holds nothing that is seen; CHAIN_LAYERS_MAX: with all of them, and room for
 * more rows. */
struct chain_map *chain_map_without(const struct chain_map *, unsigned layer, uint64_t owners_bytes);
/* A map without the layers from `lowest` up to right below `top`: what of them is seen, top holds, which has
 * a write side or is the leaf above the map (n_layers). */
struct chain_map *chain_map_collapsed(const struct chain_map *, unsigned lowest, unsigned top,
                                      uint64_t owners_bytes);
/* What the layers above `target` up to `top` had of the block, target has now, which has a write side. False:
 * there is no room for the row, and nothing has changed. */
MUST_USE bool chain_map_move(struct chain_map *, unsigned target, unsigned top, uint64_t block);
/* The layers' sizes are looked at again. */
void chain_map_look_at_sizes(struct chain_map *);
/* Bits of a layer were set: who owns which sector of the block is found out anew. */
void chain_map_forget_owners(struct chain_map *, uint64_t block);
/* As the sizes are now; of those above as noted. */
uint64_t chain_map_seen(const struct chain_map *, unsigned layer);

/* ---- looking up ---- */

/* The word of a block; 0 past the end. */
uint64_t chain_map_entry(const struct chain_map *, uint64_t block);
/* The holders, top first, down to the first that has it whole; how many: 0 if no layer holds any of it.  i:
 * which of them. */
unsigned chain_map_holders(uint64_t entry);
struct chain_holder chain_map_holder(const struct chain_map *, uint64_t entry, unsigned i);

/* Who owns `sector` of `block`, whose entry is given, up to where (at most limit).  *ret_is_held false:
 * nobody. */
MUST_USE enum err chain_map_owner(struct chain_map *, uint64_t block, uint64_t entry, unsigned sector,
                                  unsigned limit, struct chain_holder *ret, bool *ret_is_held,
                                  unsigned *ret_end, struct err_note *);
/* The same from memory alone; false: it is not known. */
bool chain_map_owner_known(struct chain_map *, uint64_t block, uint64_t entry, unsigned sector,
                           unsigned limit, struct chain_holder *ret, bool *ret_is_held, unsigned *ret_end);
uint64_t chain_map_bytes(const struct chain_map *); /* without the cache */

#endif
