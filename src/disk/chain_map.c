// SPDX-License-Identifier: Apache-2.0
#include "chain_map.h"

#include <inttypes.h>

#include "mem.h"
#include "vhd_bitmap.h"

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

/* First all layers are read: what counts of each block is counted in its entry, and kept in a list, layer by
 * layer.  Then each element of the list goes to its place, which is known by now.  So memory is walked in
 * order, and nothing is chased from link to link: with many layers this, and reading the BATs, is the time
 * that opening takes.
 * kept: bit 63 whole, 62..32 block, 31..0 where; the layer follows from where it stands. */
struct builder {
        struct chain_map *map; /* borrowed from the caller */
        VEC(uint64_t) kept;    /* owned */
        size_t *begin; /* owned; n_layers + 1: where what is kept of each layer begins, the top first */
};

/* While it is built an entry is the number of holders, and whether the lowest has the block whole. */
#define COUNT_CLOSED ((uint64_t)1 << 63)

static bool is_cut(const struct chain_map *map, unsigned layer, uint64_t block) {
        return (block + 1) * IMAGE_BLOCK_SIZE > map->seen[layer] && map->size > map->seen[layer];
}

/* A layer below all that were added so far. */
static void builder_add(struct builder *b, unsigned layer, const struct image_slots *slots) {
        struct chain_map *map = b->map;

        b->begin[map->n_layers - 1 - layer] = b->kept.n;
        vec_reserve(&b->kept, b->kept.n + slots->held.n);
        VEC_EACH (&slots->held, held) {
                uint64_t *entry = &map->entries[held->block];
                bool is_whole;

                if (held->block * IMAGE_BLOCK_SIZE >= map->seen[layer])
                        break; /* they ascend */
                if (*entry & COUNT_CLOSED)
                        continue;
                is_whole = held->slot & SLOT_WHOLE && !is_cut(map, layer, held->block);
                *entry = (*entry + 1) | (is_whole ? COUNT_CLOSED : 0);
                b->kept.data[b->kept.n++] =
                        (is_whole ? ROW_WHOLE : 0) | held->block << 32 | slot_where(held->slot);
        }
}

/* From numbers to places: of rows, which are as long as they will be, or one each. */
static void builder_lay_out(struct builder *b) {
        struct chain_map *map = b->map;

        b->begin[map->n_layers] = b->kept.n;
        for (uint64_t block = 0; block < map->n_blocks; block++) {
                uint64_t n = map->entries[block] & ~COUNT_CLOSED;

                map->entries[block] = n == 0   ? KIND_EMPTY
                                      : n == 1 ? KIND_PART
                                               : row_entry_make(map->n_rows, 0);
                if (n > 1)
                        map->n_rows += n;
        }
        map->rows = mem_grow(NULL, map->n_rows, sizeof *map->rows);
}

static void builder_place(struct builder *b, unsigned layer, uint64_t kept) {
        uint64_t *entry = &b->map->entries[kept >> 32 & BLOCK_MASK];
        image_slot slot = slot_make((uint32_t)kept, kept & ROW_WHOLE);

        if ((*entry & KIND_MASK) != KIND_ROW) {
                *entry = single_make(layer, slot);
                return;
        }
        b->map->rows[(*entry & INDEX_MASK) + row_count(*entry)] = row_make(layer, slot);
        *entry += (uint64_t)1 << 36; /* one more in the row */
}

static void builder_finish(struct builder *b) {
        unsigned n = b->map->n_layers;

        builder_lay_out(b);
        for (unsigned i = 0; i < n; i++)
                for (size_t k = b->begin[i]; k < b->begin[i + 1]; k++)
                        builder_place(b, n - 1 - i, b->kept.data[k]);
}

static void builder_fini(struct builder *b) {
        vec_fini(&b->kept);
        free(b->begin);
}
DEFINE_AUTO_IN_PLACE(struct builder, builder_fini);

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
        AUTO(chain_map_free) struct chain_map *map = NULL;
        AUTO(builder_fini) struct builder builder = {0};
        struct image_slots slots = {0};
        enum err e = ERR_NONE;

        if (size > BLOCK_MASK * IMAGE_BLOCK_SIZE)
                return err_set(note, ERR_TOO_LARGE,
                               "a disk of %" PRIu64 " bytes is more than a chain can map", size);
        map = map_make(size, n_layers, owners_bytes);
        builder.map = map;
        builder.begin = mem_grow(NULL, n_layers + 1, sizeof *builder.begin);
        for (unsigned layer = n_layers; layer-- > 0 && !e;) {
                map->layers[layer] = layers[layer];
                map->seen[layer] =
                        min_u64(layers[layer]->size, layer + 1 < n_layers ? map->seen[layer + 1] : size);
                slots.held.n = 0;
                e = layers[layer]->ops->load(layers[layer], &slots, note);
                if (!e)
                        builder_add(&builder, layer, &slots);
        }
        vec_fini(&slots.held);
        if (e)
                return e;
        builder_finish(&builder);
        *ret = TAKE(map);
        return ERR_NONE;
}

void chain_map_free(struct chain_map *map) {
        owners_free(map->owners);
        free(map->layers);
        free(map->seen);
        free(map->entries);
        free(map->rows);
        free(map);
}

enum { SLOTS_PIECE = 512 };

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

static uint64_t push_row(struct row_writer *w, const struct chain_map *old, uint64_t entry, unsigned layer,
                         image_slot slot) {
        unsigned n = holders_of(entry);
        uint64_t first = w->map->n_rows;
        bool has_top = slot & SLOT_HELD;

        if (has_top)
                row_add(w, row_make(layer, slot));
        for (unsigned i = 0; i < n; i++)
                row_add(w, element_of(old, entry, i));
        return row_entry_make(first, n + has_top);
}

static uint64_t push_onto(struct row_writer *w, const struct chain_map *old, uint64_t entry, unsigned layer,
                          image_slot slot) {
        if (slot & SLOT_HELD ? slot & SLOT_WHOLE || (entry & KIND_MASK) == KIND_EMPTY
                             : (entry & KIND_MASK) != KIND_ROW)
                return slot & SLOT_HELD ? single_make(layer, slot) : entry;
        return push_row(w, old, entry, layer, slot);
}

/* Under a larger top, what was whole at the old end is whole no longer.  Rows are cut when they are
 * resolved. */
static uint64_t recut(const struct chain_map *map, uint64_t block, uint64_t entry) {
        if ((entry & KIND_MASK) == KIND_WHOLE && is_cut(map, place_layer(entry), block))
                return (entry & ~KIND_MASK) | KIND_PART;
        return entry;
}

/* Writers wait while this runs over all blocks of the disk, a million of them where it is large. */
struct chain_map *chain_map_pushed(const struct chain_map *old, struct image *top, uint64_t owners_bytes) {
        struct chain_map *map = map_make(top->size, old->n_layers + 1, owners_bytes);
        struct row_writer w = {.map = map};

        memcpy(map->layers, old->layers, old->n_layers * sizeof *map->layers);
        map->layers[old->n_layers] = top;
        map->seen[old->n_layers] = top->size;
        for (unsigned i = 0; i < old->n_layers; i++)
                map->seen[i] = min_u64(old->seen[i], top->size);
        for (uint64_t first = 0, n; first < map->n_blocks; first += n) {
                image_slot slots[SLOTS_PIECE];

                n = min_u64(SLOTS_PIECE, map->n_blocks - first);
                top->ops->slots(top, first, n, slots);
                for (uint64_t block = first; block < first + n; block++) {
                        uint64_t entry =
                                block < old->n_blocks ? recut(map, block, old->entries[block]) : KIND_EMPTY;

                        map->entries[block] = push_onto(&w, old, entry, old->n_layers, slots[block - first]);
                }
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

enum { OPEN_WORDS = IMAGE_BLOCK_SECTORS / 64 };

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

/* The sectors of one bitmap that no layer above has: they are layer i's.  By words, of which most have
 * nothing left. */
static void claim(const uint8_t bits[IMAGE_BITMAP_SIZE], uint16_t i, uint64_t open[OPEN_WORDS],
                  uint16_t of[IMAGE_BLOCK_SECTORS]) {
        for (unsigned w = 0; w < OPEN_WORDS; w++) {
                uint64_t hit = be64_get(((const be64 *)bits)[w]) & open[w];

                open[w] &= ~hit;
                while (hit) {
                        unsigned s = (unsigned)__builtin_clzll(hit);

                        of[w * 64 + s] = i;
                        hit &= ~(((uint64_t)1 << 63) >> s);
                }
        }
}

static bool is_any_open(const uint64_t open[OPEN_WORDS]) {
        uint64_t any = 0;

        for (unsigned w = 0; w < OPEN_WORDS; w++)
                any |= open[w];
        return any != 0;
}

/* Reads the bitmaps from the top down until each sector has an owner or no layer is left. */
static enum err resolve(struct chain_map *map, uint64_t block, uint16_t of[IMAGE_BLOCK_SECTORS],
                        struct err_note *note) {
        unsigned n = chain_map_holders(map, block);
        uint64_t open[OPEN_WORDS];

        memset(open, 0xff, sizeof open);
        memset(of, 0xff, IMAGE_BLOCK_SECTORS * sizeof *of);
        for (unsigned i = 0; i < n && is_any_open(open); i++) {
                uint8_t bits[IMAGE_BITMAP_SIZE];

                if (read_bits(map, block, chain_map_holder(map, block, i), bits, note))
                        return note->code;
                claim(bits, (uint16_t)i, open, of);
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
