// SPDX-License-Identifier: Apache-2.0
#include "mover_tally.h"

#include <inttypes.h>

#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_bitmaps.h"

enum { CHUNK = 4096 }; /* blocks looked at together */

struct layer {
        struct image_slots slots; /* owned */
        size_t at;                /* the first that was not looked at */
        uint64_t seen;            /* bytes */
};

/* One block of the chunk. */
struct cell {
        uint8_t bits[IMAGE_BITMAP_SIZE]; /* what the layers looked at so far have */
        uint8_t own[IMAGE_BITMAP_SIZE];  /* of these, what a target above them has */
        unsigned layer;                  /* the topmost that holds it, but for the target */
        uint32_t where;
        bool is_held;  /* by any of them */
        bool is_whole; /* no layer further down can add to it */
        bool is_in_target;
};

struct tally {
        struct image *const *run; /* borrowed for the call */
        size_t n, into;
        struct layer *layers; /* owned; n */
        struct cell *cells;   /* owned; CHUNK, of the blocks from `first` on */
        uint64_t first;
        size_t merging; /* the layer whose bitmaps are being read */
};

static void tally_fini(struct tally *tally) {
        for (size_t i = 0; i < tally->n; i++)
                vec_fini(&tally->layers[i].slots.held);
        free(tally->layers);
        free(tally->cells);
}
DEFINE_AUTO_IN_PLACE(struct tally, tally_fini);

uint64_t mover_seen(struct image *const *run, size_t n, size_t i) {
        uint64_t seen = UINT64_MAX;

        for (; i < n; i++)
                seen = min_u64(seen, run[i]->size);
        return seen;
}

uint32_t mover_sectors_below(uint64_t seen, uint64_t block) {
        if (block >= div_up(seen, IMAGE_BLOCK_SIZE))
                return 0;
        return (uint32_t)(min_u64(seen - block * IMAGE_BLOCK_SIZE, IMAGE_BLOCK_SIZE) / SECTOR);
}

static enum err load(struct tally *tally, struct err_note *note) {
        for (size_t i = 0; i < tally->n; i++) {
                struct image *image = tally->run[i];

                tally->layers[i].seen = mover_seen(tally->run, tally->n, i);
                if (i != tally->into && image->data_skip == 0)
                        return err_set(note, ERR_UNSUPPORTED,
                                       "%s: a %s image has all blocks always: it cannot be emptied",
                                       image->path, image->ops->kind);
                if (image->ops->load(image, &tally->layers[i].slots, note))
                        return err_wrap(note, "read which blocks %s holds", image->path);
        }
        return ERR_NONE;
}

/* The bits of one layer come below those of the layers above it. */
static enum err add_bits(void *user, uint32_t block, const uint8_t bits[VHD_BITMAP_SIZE],
                         struct err_note *note) {
        struct tally *tally = user;
        struct cell *cell = &tally->cells[block - tally->first];
        uint32_t n = mover_sectors_below(tally->layers[tally->merging].seen, block), s = 0, end;

        (void)note;
        while ((s = vhd_bitmap_next_set(bits, s, n)) < n) {
                end = vhd_bitmap_next_clear(bits, s, n);
                vhd_bitmap_set_range(cell->bits, s, end - s);
                if (tally->merging == tally->into)
                        vhd_bitmap_set_range(cell->own, s, end - s);
                s = end;
        }
        return ERR_NONE;
}

static bool is_target(const struct tally *tally) {
        return tally->merging == tally->into;
}

static enum err merge_block(struct tally *tally, const struct image_held *held, struct vhd_bitmaps *to_read,
                            struct err_note *note) {
        uint8_t all[IMAGE_BITMAP_SIZE];
        struct cell *cell = &tally->cells[held->block - tally->first];
        uint32_t n = mover_sectors_below(tally->layers[tally->merging].seen, held->block);

        if (is_target(tally)) {
                cell->is_in_target = true;
        } else if (!cell->is_held) {
                cell->is_held = true;
                cell->layer = (unsigned)tally->merging;
                cell->where = slot_where(held->slot);
        }
        if (cell->is_whole || n == 0)
                return ERR_NONE;
        if (held->slot & SLOT_WHOLE) {
                cell->is_whole = true;
                memset(all, 0xff, sizeof all);
                return add_bits(tally, (uint32_t)held->block, all, note);
        }
        vhd_bitmaps_add(to_read, (uint32_t)held->block, slot_where(held->slot));
        return ERR_NONE;
}

static enum err merge_layer(struct tally *tally, size_t i, struct err_note *note) {
        AUTO(vhd_bitmaps_fini) struct vhd_bitmaps to_read = {0};
        struct layer *layer = &tally->layers[i];
        struct image *image = tally->run[i];

        tally->merging = i;
        for (; layer->at < layer->slots.held.n; layer->at++) {
                const struct image_held *held = &layer->slots.held.data[layer->at];

                if (held->block >= tally->first + CHUNK)
                        break;
                if (i == 0 && is_target(tally)) /* nothing of the run lies below what it has */
                        tally->cells[held->block - tally->first].is_in_target = true;
                else if (merge_block(tally, held, &to_read, note))
                        return note->code;
        }
        if (vhd_bitmaps_read(&to_read, image->images->io, image->file, add_bits, tally, note))
                return err_wrap(note, "%s", image->path);
        return ERR_NONE;
}

/* What the target has of its own stays. */
static uint32_t count_cell(const struct cell *cell) {
        return vhd_bitmap_count(cell->bits, 0, IMAGE_BLOCK_SECTORS) -
               vhd_bitmap_count(cell->own, 0, IMAGE_BLOCK_SECTORS);
}

static enum err tally_chunk(struct tally *tally, mover_found_fn *found, void *user, struct err_note *note) {
        memset(tally->cells, 0, CHUNK * sizeof *tally->cells);
        for (size_t i = tally->n; i-- > 0;)
                if (merge_layer(tally, i, note))
                        return note->code;
        for (uint64_t i = 0; i < CHUNK; i++) {
                const struct cell *cell = &tally->cells[i];

                if (cell->is_held)
                        found(user, &(struct mover_found){.block = tally->first + i,
                                                          .n_sectors = count_cell(cell),
                                                          .layer = cell->layer,
                                                          .where = cell->where,
                                                          .is_new = !cell->is_in_target});
        }
        return ERR_NONE;
}

enum err mover_tally(struct image *const *run, size_t n, size_t into, mover_found_fn *found, void *user,
                     struct err_note *note) {
        AUTO(tally_fini) struct tally tally = {.run = run, .n = n, .into = into};
        uint64_t n_blocks = 0;

        tally.layers = mem_zero(n * sizeof *tally.layers);
        tally.cells = mem_zero(CHUNK * sizeof *tally.cells);
        for (size_t i = 0; i < n; i++)
                n_blocks = max_u64(n_blocks, image_blocks(run[i]));
        if (load(&tally, note))
                return note->code;
        for (; tally.first < n_blocks; tally.first += CHUNK)
                if (tally_chunk(&tally, found, user, note))
                        return note->code;
        return ERR_NONE;
}
