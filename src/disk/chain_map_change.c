// SPDX-License-Identifier: Apache-2.0
/* The changing half of chain_map.h: one layer more, one less, blocks that moved from layer to layer. */
#include <assert.h>

#include "chain_map_inside.h"
#include "mem.h"

enum { SLOTS_PIECE = 512 };

/* ---- copying into a new map ---- */

struct copying {
        const struct chain_map *old; /* borrowed from the caller */
        struct chain_map *map;       /* borrowed from the caller */
        unsigned without, n_without; /* these layers are left out, those above them go down */
};

static bool is_left_out(const struct copying *c, unsigned layer) {
        return layer >= c->without && layer - c->without < c->n_without;
}

/* The new map is nobody else's yet: its rows may move. */
static void row_add(struct chain_map *map, uint64_t element) {
        if (map->n_rows == map->rows_room) {
                map->rows_room *= 2;
                map->rows = mem_grow(map->rows, map->rows_room, sizeof *map->rows);
        }
        map->rows[map->n_rows++] = element;
}

static uint64_t renumber(const struct copying *c, uint64_t word) {
        unsigned layer = place_layer(word);

        assert(!is_left_out(c, layer)); /* it was emptied, and that published */
        return layer > c->without ? word - ((uint64_t)c->n_without << 32) : word;
}

/* Under a larger top, what was whole at the old end is whole no longer.  Rows are cut when they are
 * resolved. */
static uint64_t recut(const struct chain_map *map, uint64_t block, uint64_t entry) {
        if ((entry & KIND_MASK) == KIND_WHOLE && is_cut(map, place_layer(entry), block))
                return (entry & ~KIND_MASK) | KIND_PART;
        return entry;
}

/* slot: what the top, if it is new, has of the block. */
static uint64_t copy_entry(const struct copying *c, uint64_t block, uint64_t entry, image_slot slot) {
        unsigned n = holders_of(entry), n_top, top = c->old->n_layers;
        uint64_t first = c->map->n_rows;

        if (n > 0 && place_layer(element_of(c->old, entry, 0)) == top)
                slot = SLOT_ABSENT; /* a push that was not ended put it there */
        n_top = (slot & SLOT_HELD) != 0;
        if (slot & SLOT_WHOLE || (n_top && n == 0))
                return single_make(top, slot);
        if (n_top == 0 && !is_row(entry))
                return n ? recut(c->map, block, renumber(c, entry)) : entry;
        if (n_top)
                row_add(c->map, row_make(top, slot));
        for (unsigned i = 0; i < n; i++)
                row_add(c->map, renumber(c, element_of(c->old, entry, i)));
        return row_entry_make(first, n + n_top);
}

/* Without those that were replaced. */
static uint64_t count_rows(const struct chain_map *map) {
        uint64_t n = 0;

        for (uint64_t block = 0; block < map->n_blocks; block++) {
                uint64_t entry = chain_map_entry(map, block);

                n += is_row(entry) ? row_count(entry) : 0;
        }
        return n;
}

static void copy_layers(const struct copying *c, struct image *top) {
        struct chain_map *map = c->map;
        unsigned n = 0;

        for (unsigned i = 0; i < c->old->n_layers; i++)
                if (!is_left_out(c, i))
                        map->layers[n++] = c->old->layers[i];
        if (top)
                map->layers[n++] = top;
        chain_map_look_at_sizes(map);
        chain_map_make_rows(map, count_rows(c->old));
}

static void copy_entries(const struct copying *c, struct image *top) {
        struct chain_map *map = c->map;

        for (uint64_t first = 0, n; first < map->n_blocks; first += n) {
                image_slot slots[SLOTS_PIECE] = {0};

                n = min_u64(SLOTS_PIECE, map->n_blocks - first);
                if (top)
                        top->ops->slots(top, first, n, slots);
                for (uint64_t block = first; block < first + n; block++)
                        atomic_init(&map->entries[block], copy_entry(c, block, chain_map_entry(c->old, block),
                                                                     slots[block - first]));
        }
}

/* The entry of a block that the top holds; false: there is no room for its row. */
static bool push_entry(struct chain_map *map, uint64_t block, image_slot slot) {
        uint64_t entry = chain_map_entry(map, block), first = map->n_rows, fresh;
        unsigned n = slot & SLOT_WHOLE ? 0 : holders_of(entry);

        fresh = single_make(map->n_layers, slot);
        if (n > 0) {
                if (map->rows_room - first < n + 1)
                        return false;
                map->rows[first] = row_make(map->n_layers, slot);
                for (unsigned i = 0; i < n; i++)
                        map->rows[first + 1 + i] = element_of(map, entry, i);
                map->n_rows += n + 1;
                fresh = row_entry_make(first, n + 1);
        }
        atomic_store_explicit(&map->entries[block], fresh, memory_order_release);
        return true;
}

/* Writers wait while this runs over all blocks of the disk, a million of them where it is large. */
bool chain_map_push(struct chain_map *map, struct image *top) {
        if (map->n_layers == map->layers_room || top->size != map->size)
                return false;
        map->layers[map->n_layers] = top;
        atomic_store(&map->seen[map->n_layers], top->size);
        for (uint64_t first = 0, n; first < map->n_blocks; first += n) {
                image_slot slots[SLOTS_PIECE];

                n = min_u64(SLOTS_PIECE, map->n_blocks - first);
                top->ops->slots(top, first, n, slots);
                for (uint64_t i = 0; i < n; i++)
                        if (slots[i] & SLOT_HELD && !push_entry(map, first + i, slots[i]))
                                return false;
        }
        map->n_layers++;
        return true;
}

struct chain_map *chain_map_pushed(const struct chain_map *old, struct image *top, uint64_t owners_bytes) {
        struct copying c = {.old = old, .without = CHAIN_LAYERS_MAX, .n_without = 1};

        c.map = chain_map_make(top->size, old->n_layers + 1, owners_bytes);
        copy_layers(&c, top);
        copy_entries(&c, top);
        return c.map;
}

struct chain_map *chain_map_without(const struct chain_map *old, unsigned layer, uint64_t owners_bytes) {
        struct copying c = {.old = old, .without = layer, .n_without = 1};

        c.map = chain_map_make(old->size, old->n_layers - (layer < old->n_layers), owners_bytes);
        copy_layers(&c, NULL);
        copy_entries(&c, NULL);
        return c.map;
}

void chain_map_forget_owners(struct chain_map *map, uint64_t block) {
        owners_drop(map->owners, block);
}

void chain_map_look_at_sizes(struct chain_map *map) {
        for (unsigned layer = map->n_layers; layer-- > 0;)
                atomic_store(&map->seen[layer], chain_map_seen(map, layer));
}

/* ---- blocks that moved ---- */

/* A row that is being put together behind those in use; nobody sees it before an entry names it. */
struct new_row {
        struct chain_map *map; /* borrowed from the caller */
        uint64_t n;
        bool is_closed; /* the last one has the block whole */
};

static void new_row_add(struct new_row *row, uint64_t element) {
        if (row->is_closed)
                return;
        row->map->rows[row->map->n_rows + row->n++] = element;
        row->is_closed = element & ROW_WHOLE;
}

static uint64_t element_of_target(const struct chain_map *map, unsigned target, uint64_t block) {
        struct image *image = map->layers[target];
        image_slot slot = image->ops->slot(image, block);

        if (!(slot & SLOT_HELD))
                return 0;
        return row_make(target, is_cut(map, target, block) ? slot & ~SLOT_WHOLE : slot);
}

static uint64_t new_row_end(struct new_row *row) {
        struct chain_map *map = row->map;
        uint64_t first = map->n_rows;

        if (row->n == 0)
                return KIND_EMPTY;
        if (row->n == 1)
                return entry_of_element(map->rows[first]);
        map->n_rows += row->n;
        return row_entry_make(first, row->n);
}

bool chain_map_move(struct chain_map *map, unsigned target, unsigned top, uint64_t block) {
        uint64_t entry = chain_map_entry(map, block), fresh;
        unsigned n = holders_of(entry), i = 0;
        struct new_row row = {.map = map};

        if (block >= map->n_blocks || block * IMAGE_BLOCK_SIZE >= atomic_load(&map->seen[target]))
                return true;
        if (map->rows_room - map->n_rows < n + 1)
                return false;
        for (; i < n && place_layer(element_of(map, entry, i)) > top; i++)
                new_row_add(&row, element_of(map, entry, i));
        if ((fresh = element_of_target(map, target, block)))
                new_row_add(&row, fresh);
        for (; i < n; i++)
                if (place_layer(element_of(map, entry, i)) < target)
                        new_row_add(&row, element_of(map, entry, i));
        atomic_store_explicit(&map->entries[block], new_row_end(&row), memory_order_release);
        chain_map_forget_owners(map, block);
        return true;
}

/* ---- layers that the one above them has pulled up ---- */

/* From the top down: what stays, with the puller's own word as it is now in the place of what it pulled. */
static uint64_t collapse_entry(const struct copying *c, unsigned top, uint64_t block) {
        uint64_t entry = chain_map_entry(c->old, block), fresh;
        struct new_row row = {.map = c->map};
        unsigned n = holders_of(entry), i = 0;

        for (; i < n && place_layer(element_of(c->old, entry, i)) > top; i++)
                new_row_add(&row, renumber(c, element_of(c->old, entry, i)));
        if (i < n && place_layer(element_of(c->old, entry, i)) >= c->without && top < c->old->n_layers &&
            (fresh = element_of_target(c->old, top, block)))
                new_row_add(&row, renumber(c, fresh));
        for (; i < n; i++)
                if (place_layer(element_of(c->old, entry, i)) < c->without)
                        new_row_add(&row, element_of(c->old, entry, i));
        return new_row_end(&row);
}

struct chain_map *chain_map_collapsed(const struct chain_map *old, unsigned lowest, unsigned top,
                                      uint64_t owners_bytes) {
        struct copying c = {.old = old, .without = lowest, .n_without = top - lowest};

        c.map = chain_map_make(old->size, old->n_layers - c.n_without, owners_bytes);
        copy_layers(&c, NULL);
        for (uint64_t block = 0; block < old->n_blocks; block++)
                atomic_init(&c.map->entries[block], collapse_entry(&c, top, block));
        return c.map;
}
