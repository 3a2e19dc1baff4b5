// SPDX-License-Identifier: Apache-2.0
#include "chain_map_inside.h"

#include <inttypes.h>

#include "mem.h"
#include "vhd_bitmap.h"

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

/* Nobody else has the map yet. */
static uint64_t entry_in(const struct chain_map *map, uint64_t block) {
        return atomic_load_explicit(&map->entries[block], memory_order_relaxed);
}
static void set_entry(struct chain_map *map, uint64_t block, uint64_t entry) {
        atomic_store_explicit(&map->entries[block], entry, memory_order_relaxed);
}

/* While it is built an entry is the number of holders, and whether the lowest has the block whole. */
#define COUNT_CLOSED ((uint64_t)1 << 63)

/* A layer below all that were added so far. */
static void builder_add(struct builder *b, unsigned layer, const struct image_slots *slots) {
        struct chain_map *map = b->map;

        b->begin[map->n_layers - 1 - layer] = b->kept.n;
        vec_reserve(&b->kept, b->kept.n + slots->held.n);
        VEC_EACH (&slots->held, held) {
                uint64_t entry;
                bool is_whole;

                if (held->block * IMAGE_BLOCK_SIZE >= map->seen[layer])
                        break; /* they ascend */
                entry = entry_in(map, held->block);
                if (entry & COUNT_CLOSED)
                        continue;
                is_whole = held->slot & SLOT_WHOLE && !is_cut(map, layer, held->block);
                set_entry(map, held->block, (entry + 1) | (is_whole ? COUNT_CLOSED : 0));
                b->kept.data[b->kept.n++] =
                        (is_whole ? ROW_WHOLE : 0) | held->block << 32 | slot_where(held->slot);
        }
}

/* From numbers to places: of rows, which are as long as they will be, or one each. */
static void builder_lay_out(struct builder *b) {
        struct chain_map *map = b->map;
        uint64_t n_rows = 0;

        b->begin[map->n_layers] = b->kept.n;
        for (uint64_t block = 0; block < map->n_blocks; block++) {
                uint64_t n = entry_in(map, block) & ~COUNT_CLOSED;

                /* Memory of empty ones is not touched, and so not taken. */
                if (n > 0)
                        set_entry(map, block, n == 1 ? KIND_PART : row_entry_make(n_rows, 0));
                if (n > 1)
                        n_rows += n;
        }
        chain_map_make_rows(map, n_rows);
        map->n_rows = n_rows;
}

static void builder_place(struct builder *b, unsigned layer, uint64_t kept) {
        uint64_t block = kept >> 32 & BLOCK_MASK, entry = entry_in(b->map, block);
        image_slot slot = slot_make((uint32_t)kept, kept & ROW_WHOLE);

        if (!is_row(entry)) {
                set_entry(b->map, block, single_make(layer, slot));
                return;
        }
        b->map->rows[(entry & INDEX_MASK) + row_count(entry)] = row_make(layer, slot);
        set_entry(b->map, block, entry + ((uint64_t)1 << 36)); /* one more in the row */
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

enum { ROWS_SPARE = 4096, LAYERS_SPARE = 32 };

struct chain_map *chain_map_make(uint64_t size, unsigned n_layers, uint64_t owners_bytes) {
        struct chain_map *map = mem_new(struct chain_map);

        map->size = size;
        map->n_blocks = div_up(size, IMAGE_BLOCK_SIZE);
        map->n_layers = n_layers;
        map->layers_room = n_layers + LAYERS_SPARE;
        map->layers = mem_grow(NULL, map->layers_room, sizeof *map->layers);
        map->seen = mem_zero(map->layers_room * sizeof *map->seen);
        map->entries = mem_table(map->n_blocks * sizeof *map->entries);
        map->owners = owners_new(owners_bytes, map->n_blocks);
        return map;
}

/* Rows never move, and changed ones are put behind the rest.  Memory that nobody has touched costs nothing.
 */
void chain_map_make_rows(struct chain_map *map, uint64_t n_rows) {
        map->rows_room = 2 * n_rows + map->n_blocks + ROWS_SPARE;
        map->rows = mem_grow(NULL, map->rows_room, sizeof *map->rows);
}

uint64_t chain_map_seen(const struct chain_map *map, unsigned layer) {
        uint64_t above = layer + 1 < map->n_layers ? atomic_load(&map->seen[layer + 1]) : map->size;

        return min_u64(map->layers[layer]->size, above);
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
        map = chain_map_make(size, n_layers, owners_bytes);
        builder.map = map;
        builder.begin = mem_grow(NULL, n_layers + 1, sizeof *builder.begin);
        for (unsigned layer = n_layers; layer-- > 0 && !e;) {
                map->layers[layer] = layers[layer];
                atomic_init(&map->seen[layer], chain_map_seen(map, layer));
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
        mem_table_free(map->entries, map->n_blocks * sizeof *map->entries);
        free(map->rows);
        free(map);
}

/* ---- looking up ---- */

uint64_t chain_map_entry(const struct chain_map *map, uint64_t block) {
        return block >= map->n_blocks ? KIND_EMPTY
                                      : atomic_load_explicit(&map->entries[block], memory_order_acquire);
}

unsigned chain_map_holders(uint64_t entry) {
        return holders_of(entry);
}

struct chain_holder chain_map_holder(const struct chain_map *map, uint64_t entry, unsigned i) {
        uint64_t element = element_of(map, entry, i);

        return (struct chain_holder){place_layer(element), slot_make((uint32_t)element, element & ROW_WHOLE)};
}

enum { OPEN_WORDS = IMAGE_BLOCK_SECTORS / 64 };

/* What the bitmap of one holder says, cut at where it is no longer seen. */
static enum err read_bits(const struct chain_map *map, uint64_t block, struct chain_holder holder,
                          uint8_t bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        struct image *image = map->layers[holder.layer];
        uint64_t seen = atomic_load(&map->seen[holder.layer]), at = block * IMAGE_BLOCK_SIZE;
        uint64_t left = seen > at ? seen - at : 0;

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
static enum err resolve(const struct chain_map *map, uint64_t block, uint64_t entry,
                        uint16_t of[IMAGE_BLOCK_SECTORS], struct err_note *note) {
        unsigned n = holders_of(entry);
        uint64_t open[OPEN_WORDS];

        memset(open, 0xff, sizeof open);
        memset(of, 0xff, IMAGE_BLOCK_SECTORS * sizeof *of);
        for (unsigned i = 0; i < n && is_any_open(open); i++) {
                uint8_t bits[IMAGE_BITMAP_SIZE];

                if (read_bits(map, block, chain_map_holder(map, entry, i), bits, note))
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

/* An index into the block's row, or OWNER_NONE.  False: it is not known, and is put with the ticket. */
static bool find_known(struct chain_map *map, uint64_t block, uint64_t entry, unsigned sector, unsigned limit,
                       uint16_t *ret_owner, unsigned *ret_end, uint64_t *ret_ticket) {
        bool is_empty = (entry & KIND_MASK) == KIND_EMPTY;

        if (!is_empty && (entry & KIND_MASK) != KIND_WHOLE)
                return owners_find(map->owners, block, entry, sector, limit, ret_owner, ret_end, ret_ticket);
        *ret_owner = is_empty ? OWNER_NONE : 0;
        *ret_end = limit;
        return true;
}

static void tell_owner(const struct chain_map *map, uint64_t entry, uint16_t owner, struct chain_holder *ret,
                       bool *ret_is_held) {
        *ret_is_held = owner != OWNER_NONE;
        if (*ret_is_held)
                *ret = chain_map_holder(map, entry, owner);
}

bool chain_map_owner_known(struct chain_map *map, uint64_t block, uint64_t entry, unsigned sector,
                           unsigned limit, struct chain_holder *ret, bool *ret_is_held, unsigned *ret_end) {
        uint64_t ticket;
        uint16_t owner;

        if (!find_known(map, block, entry, sector, limit, &owner, ret_end, &ticket))
                return false;
        tell_owner(map, entry, owner, ret, ret_is_held);
        return true;
}

/* entry was loaded once: all that follows speaks of that word, whatever is published meanwhile. */
enum err chain_map_owner(struct chain_map *map, uint64_t block, uint64_t entry, unsigned sector,
                         unsigned limit, struct chain_holder *ret, bool *ret_is_held, unsigned *ret_end,
                         struct err_note *note) {
        uint16_t owner;
        uint64_t ticket;

        if (!find_known(map, block, entry, sector, limit, &owner, ret_end, &ticket)) {
                uint16_t of[IMAGE_BLOCK_SECTORS];

                if (resolve(map, block, entry, of, note))
                        return err_wrap(note, "resolve block %llu", (unsigned long long)block);
                owners_put(map->owners, block, entry, of, ticket);
                owner = of[sector];
                *ret_end = run_end(of, sector, limit);
        }
        tell_owner(map, entry, owner, ret, ret_is_held);
        return ERR_NONE;
}

uint64_t chain_map_bytes(const struct chain_map *map) {
        return sizeof *map + map->n_layers * sizeof *map->layers +
               (map->n_blocks + map->n_rows) * sizeof *map->entries;
}
