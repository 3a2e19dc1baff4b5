// SPDX-License-Identifier: Apache-2.0
#include "chain_map.h"

#include "mem.h"
#include "vhd_bitmap.h"

/* An entry: kind in bits 63..62.  WHOLE and PART: one layer (bits 47..32) at `where` (31..0).  ROW: the
 * layers stand in rows[index] (bits 35..0), `count` of them (51..36).  A row's element: bit 63 whole, layer
 * and where as above. While a map is being built, a ROW's index is that of its lowest element in the
 * builder's list. */
#define KIND_MASK  ((uint64_t)3 << 62)
#define KIND_EMPTY ((uint64_t)0 << 62)
#define KIND_WHOLE ((uint64_t)1 << 62)
#define KIND_PART  ((uint64_t)2 << 62)
#define KIND_ROW   ((uint64_t)3 << 62)
#define ROW_WHOLE  ((uint64_t)1 << 63)
#define INDEX_MASK (((uint64_t)1 << 36) - 1)

static uint64_t place_make(unsigned layer, image_slot slot) {
        return (uint64_t)layer << 32 | slot_where(slot);
}
static unsigned place_layer(uint64_t place) {
        return (unsigned)(place >> 32 & 0xffff);
}
static uint64_t row_make(unsigned layer, image_slot slot) {
        return place_make(layer, slot) | (slot & SLOT_WHOLE ? ROW_WHOLE : 0);
}
static uint64_t single_make(unsigned layer, image_slot slot) {
        return place_make(layer, slot) | (slot & SLOT_WHOLE ? KIND_WHOLE : KIND_PART);
}
static uint64_t row_entry_make(uint64_t index, uint64_t count) {
        return KIND_ROW | count << 36 | index;
}
static unsigned row_count(uint64_t entry) {
        return (unsigned)(entry >> 36 & 0xffff);
}

/* ---- building: from the top down ---- */

struct link {
        uint64_t element;
        uint64_t above; /* index of the next higher layer's link, NO_LINK for the top */
};
#define NO_LINK UINT64_MAX

struct builder {
        struct chain_map *map;  /* borrowed from the caller */
        VEC(struct link) links; /* owned */
};

static bool is_cut(const struct chain_map *map, unsigned layer, uint64_t block) {
        return (block + 1) * IMAGE_BLOCK_SIZE > map->seen[layer] && map->size > map->seen[layer];
}

static uint64_t builder_link(struct builder *b, uint64_t element, uint64_t above) {
        struct link *link = vec_add(&b->links);

        *link = (struct link){element, above};
        return b->links.n - 1;
}

/* A layer below all that were added so far. */
static void builder_add(struct builder *b, unsigned layer, const struct image_held *held) {
        uint64_t *entry = &b->map->entries[held->block];
        image_slot slot = is_cut(b->map, layer, held->block) ? held->slot & ~SLOT_WHOLE : held->slot;
        uint64_t top;

        switch (*entry & KIND_MASK) {
        case KIND_EMPTY:
                *entry = single_make(layer, slot);
                return;
        case KIND_WHOLE:
                return;
        case KIND_PART:
                top = builder_link(b, *entry & ~KIND_MASK, NO_LINK);
                *entry = row_entry_make(builder_link(b, row_make(layer, slot), top), 2);
                return;
        default:
                if (b->links.data[*entry & INDEX_MASK].element & ROW_WHOLE)
                        return;
                *entry = row_entry_make(builder_link(b, row_make(layer, slot), *entry & INDEX_MASK),
                                        row_count(*entry) + 1);
        }
}

/* The lists become rows, each in one piece, top first. */
static void builder_finish(struct builder *b) {
        struct chain_map *map = b->map;
        uint64_t n = 0;

        map->rows = mem_grow(NULL, b->links.n, sizeof *map->rows);
        for (uint64_t block = 0; block < map->n_blocks; block++) {
                uint64_t entry = map->entries[block];
                uint64_t at;

                if ((entry & KIND_MASK) != KIND_ROW)
                        continue;
                at = n + row_count(entry);
                for (uint64_t i = entry & INDEX_MASK; i != NO_LINK; i = b->links.data[i].above)
                        map->rows[--at] = b->links.data[i].element;
                map->entries[block] = row_entry_make(n, row_count(entry));
                n += row_count(entry);
        }
        map->n_rows = n;
        vec_fini(&b->links);
}

static struct chain_map *map_make(uint64_t size, unsigned n_layers, uint64_t owners_bytes) {
        struct chain_map *map = mem_new(struct chain_map);

        map->size = size;
        map->n_blocks = div_up(size, IMAGE_BLOCK_SIZE);
        map->n_layers = n_layers;
        map->layers = mem_grow(NULL, n_layers, sizeof *map->layers);
        map->seen = mem_grow(NULL, n_layers, sizeof *map->seen);
        map->entries = mem_zero(map->n_blocks * sizeof *map->entries);
        map->owners = owners_new(owners_bytes);
        return map;
}

enum err chain_map_new(struct image *const *layers, unsigned n_layers, uint64_t size, uint64_t owners_bytes,
                       struct chain_map **ret, struct err_note *note) {
        AUTO(chain_map_free) struct chain_map *map = map_make(size, n_layers, owners_bytes);
        struct builder builder = {.map = map};
        struct image_slots slots = {0};
        enum err e = ERR_NONE;

        for (unsigned layer = n_layers; layer-- > 0 && !e;) {
                map->layers[layer] = layers[layer];
                map->seen[layer] =
                        min_u64(layers[layer]->size, layer + 1 < n_layers ? map->seen[layer + 1] : size);
                slots.held.n = 0;
                e = layers[layer]->ops->load(layers[layer], &slots, note);
                if (e)
                        break;
                VEC_EACH (&slots.held, held)
                        if (held->block * IMAGE_BLOCK_SIZE < map->seen[layer])
                                builder_add(&builder, layer, held);
        }
        vec_fini(&slots.held);
        builder_finish(&builder);
        if (!e)
                *ret = TAKE(map);
        return e;
}

void chain_map_free(struct chain_map *map) {
        owners_free(map->owners);
        free(map->layers);
        free(map->seen);
        free(map->entries);
        free(map->rows);
        free(map);
}

/* ---- one layer more ---- */

struct row_writer {
        struct chain_map *map; /* borrowed from the caller */
        uint64_t room;
};

static void row_add(struct row_writer *w, uint64_t element) {
        if (w->map->n_rows == w->room) {
                w->room = w->room ? w->room * 2 : 256;
                w->map->rows = mem_grow(w->map->rows, w->room, sizeof *w->map->rows);
        }
        w->map->rows[w->map->n_rows++] = element;
}

static unsigned holders_of(uint64_t entry) {
        if ((entry & KIND_MASK) == KIND_ROW)
                return row_count(entry);
        return (entry & KIND_MASK) != KIND_EMPTY;
}

static uint64_t element_of(const struct chain_map *map, uint64_t entry, unsigned i) {
        if ((entry & KIND_MASK) == KIND_ROW)
                return map->rows[(entry & INDEX_MASK) + i];
        return (entry & ~KIND_MASK) | ((entry & KIND_MASK) == KIND_WHOLE ? ROW_WHOLE : 0);
}

static uint64_t push_onto(struct row_writer *w, const struct chain_map *old, uint64_t entry, unsigned layer,
                          image_slot slot) {
        unsigned n = holders_of(entry);
        uint64_t first = w->map->n_rows;
        bool has_top = slot & SLOT_HELD;

        if (has_top && (slot & SLOT_WHOLE || n == 0))
                return single_make(layer, slot);
        if (!has_top && (entry & KIND_MASK) != KIND_ROW)
                return entry;
        if (has_top)
                row_add(w, row_make(layer, slot));
        for (unsigned i = 0; i < n; i++)
                row_add(w, element_of(old, entry, i));
        return row_entry_make(first, n + has_top);
}

/* Under a larger top, what was whole at the old end is whole no longer.  Rows are cut when they are
 * resolved. */
static uint64_t recut(const struct chain_map *map, uint64_t block, uint64_t entry) {
        if ((entry & KIND_MASK) == KIND_WHOLE && is_cut(map, place_layer(entry), block))
                return (entry & ~KIND_MASK) | KIND_PART;
        return entry;
}

struct chain_map *chain_map_pushed(const struct chain_map *old, struct image *top,
                                   const struct image_slots *slots, uint64_t owners_bytes) {
        struct chain_map *map = map_make(top->size, old->n_layers + 1, owners_bytes);
        struct row_writer w = {.map = map};
        size_t next = 0;

        memcpy(map->layers, old->layers, old->n_layers * sizeof *map->layers);
        map->layers[old->n_layers] = top;
        map->seen[old->n_layers] = top->size;
        for (unsigned i = 0; i < old->n_layers; i++)
                map->seen[i] = min_u64(old->seen[i], top->size);
        for (uint64_t block = 0; block < map->n_blocks; block++) {
                uint64_t entry = block < old->n_blocks ? recut(map, block, old->entries[block]) : KIND_EMPTY;
                image_slot slot = SLOT_ABSENT;

                if (next < slots->held.n && slots->held.data[next].block == block)
                        slot = slots->held.data[next++].slot;
                map->entries[block] = push_onto(&w, old, entry, old->n_layers, slot);
        }
        return map;
}

/* ---- looking up ---- */

bool chain_map_is_empty(const struct chain_map *map, uint64_t block) {
        return block >= map->n_blocks || (map->entries[block] & KIND_MASK) == KIND_EMPTY;
}

unsigned chain_map_holders(const struct chain_map *map, uint64_t block) {
        return block >= map->n_blocks ? 0 : holders_of(map->entries[block]);
}

struct chain_holder chain_map_holder(const struct chain_map *map, uint64_t block, unsigned i) {
        uint64_t element = element_of(map, map->entries[block], i);

        return (struct chain_holder){place_layer(element), slot_make((uint32_t)element, element & ROW_WHOLE)};
}

/* What the bitmap of one holder says, cut at where it is no longer seen. */
static enum err read_bits(const struct chain_map *map, uint64_t block, struct chain_holder holder,
                          uint8_t bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        struct image *image = map->layers[holder.layer];
        uint64_t left = map->seen[holder.layer] - block * IMAGE_BLOCK_SIZE;

        if (holder.slot & SLOT_WHOLE)
                memset(bits, 0xff, IMAGE_BITMAP_SIZE);
        else if (image->ops->bitmap(image, block, holder.slot, bits, note))
                return note->code;
        if (left < IMAGE_BLOCK_SIZE)
                vhd_bitmap_clear_range(bits, (uint32_t)(left / SECTOR),
                                       IMAGE_BLOCK_SECTORS - (uint32_t)(left / SECTOR));
        return ERR_NONE;
}

/* Reads the bitmaps from the top down until each sector has an owner or no layer is left. */
static enum err resolve(struct chain_map *map, uint64_t block, uint16_t of[IMAGE_BLOCK_SECTORS],
                        struct err_note *note) {
        unsigned n = chain_map_holders(map, block), open = IMAGE_BLOCK_SECTORS;

        memset(of, 0xff, IMAGE_BLOCK_SECTORS * sizeof *of);
        for (unsigned i = 0; i < n && open > 0; i++) {
                uint8_t bits[IMAGE_BITMAP_SIZE];

                if (read_bits(map, block, chain_map_holder(map, block, i), bits, note))
                        return note->code;
                for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s++)
                        if (of[s] == OWNER_NONE && vhd_bitmap_test(bits, s)) {
                                of[s] = (uint16_t)i;
                                open--;
                        }
        }
        return ERR_NONE;
}

static unsigned run_end(const uint16_t *of, unsigned sector, unsigned limit) {
        unsigned end = sector + 1;

        while (end < limit && of[end] == of[sector])
                end++;
        return end;
}

enum err chain_map_owner(struct chain_map *map, uint64_t block, unsigned sector, unsigned limit,
                         struct chain_holder *ret, bool *ret_is_held, unsigned *ret_end,
                         struct err_note *note) {
        uint64_t entry = block < map->n_blocks ? map->entries[block] : KIND_EMPTY;
        uint16_t owner = 0;

        if ((entry & KIND_MASK) == KIND_EMPTY || (entry & KIND_MASK) == KIND_WHOLE) {
                *ret_end = limit;
        } else if (!owners_find(map->owners, block, sector, limit, &owner, ret_end)) {
                uint16_t of[IMAGE_BLOCK_SECTORS];

                if (resolve(map, block, of, note))
                        return err_wrap(note, "resolve block %llu", (unsigned long long)block);
                owners_put(map->owners, block, of);
                owner = of[sector];
                *ret_end = run_end(of, sector, limit);
        }
        *ret_is_held = (entry & KIND_MASK) != KIND_EMPTY && owner != OWNER_NONE;
        if (*ret_is_held)
                *ret = chain_map_holder(map, block, owner);
        return ERR_NONE;
}

uint64_t chain_map_bytes(const struct chain_map *map) {
        return sizeof *map + map->n_layers * sizeof *map->layers +
               (map->n_blocks + map->n_rows) * sizeof *map->entries;
}
