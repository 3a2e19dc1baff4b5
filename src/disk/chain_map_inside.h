// SPDX-License-Identifier: Apache-2.0
/* What chain_map.c (building, looking up) and chain_map_change.c (changing) share: the words of a map; nobody
 * else includes this.
 *
 * Errors: none.  Threads: any.
 */
#ifndef DISK_CHAIN_MAP_INSIDE_H
#define DISK_CHAIN_MAP_INSIDE_H

#include "chain_map.h"

/* An entry: kind in bits 63..62.  WHOLE and PART: one layer (bits 47..32) at `where` (31..0).  ROW: the
 * layers stand in rows[index] (bits 35..0), `count` of them (51..36).  A row's element: bit 63 whole, layer
 * and where as above. */
#define KIND_MASK  ((uint64_t)3 << 62)
#define KIND_EMPTY ((uint64_t)0 << 62)
#define KIND_WHOLE ((uint64_t)1 << 62)
#define KIND_PART  ((uint64_t)2 << 62)
#define KIND_ROW   ((uint64_t)3 << 62)
#define ROW_WHOLE  ((uint64_t)1 << 63)
#define INDEX_MASK (((uint64_t)1 << 36) - 1)
#define BLOCK_MASK (((uint64_t)1 << 31) - 1)

static inline uint64_t place_make(unsigned layer, image_slot slot) {
        return (uint64_t)layer << 32 | slot_where(slot);
}
static inline unsigned place_layer(uint64_t place) {
        return (unsigned)(place >> 32 & 0xffff);
}
static inline uint64_t row_make(unsigned layer, image_slot slot) {
        return place_make(layer, slot) | (slot & SLOT_WHOLE ? ROW_WHOLE : 0);
}
static inline uint64_t single_make(unsigned layer, image_slot slot) {
        return place_make(layer, slot) | (slot & SLOT_WHOLE ? KIND_WHOLE : KIND_PART);
}
static inline uint64_t row_entry_make(uint64_t index, uint64_t count) {
        return KIND_ROW | count << 36 | index;
}
static inline unsigned row_count(uint64_t entry) {
        return (unsigned)(entry >> 36 & 0xffff);
}

static inline bool is_row(uint64_t entry) {
        return (entry & KIND_MASK) == KIND_ROW;
}
static inline unsigned holders_of(uint64_t entry) {
        return is_row(entry) ? row_count(entry) : (entry & KIND_MASK) != KIND_EMPTY;
}
static inline uint64_t element_of(const struct chain_map *map, uint64_t entry, unsigned i) {
        if (is_row(entry))
                return map->rows[(entry & INDEX_MASK) + i];
        return (entry & ~KIND_MASK) | ((entry & KIND_MASK) == KIND_WHOLE ? ROW_WHOLE : 0);
}
/* What a lone element is as an entry. */
static inline uint64_t entry_of_element(uint64_t element) {
        return (element & ~KIND_MASK) | (element & ROW_WHOLE ? KIND_WHOLE : KIND_PART);
}

/* Does the layer end, for who looks from the top, within the block or before it? */
static inline bool is_cut(const struct chain_map *map, unsigned layer, uint64_t block) {
        uint64_t seen = atomic_load_explicit(&map->seen[layer], memory_order_relaxed);

        return (block + 1) * IMAGE_BLOCK_SIZE > seen && map->size > seen;
}

/* Without layers, all blocks empty, with room for that many elements in rows. */
struct chain_map *chain_map_make(uint64_t size, unsigned n_layers, uint64_t owners_bytes);
void chain_map_make_rows(struct chain_map *, uint64_t n_rows);

#endif
