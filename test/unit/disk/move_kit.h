// SPDX-License-Identifier: Apache-2.0
/* What the tests of moving blocks share: three layers and a leaf on a simulated machine, and the steps of a
 * move done by hand, one at a time, so that anything can be put in between.
 *
 * The layers are the same each time:   block 0        1        2       3         4        5
 *                          /base.vhd   whole          part     -       a sector  -        -
 *                          /low.vhd    part           part     whole   -         -        -
 *                          /mid.vhd    part           part     part    whole     part     -
 *                          /leaf.vhd   a sector       -        -       -         part     -
 *
 * Errors: each ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_DISK_MOVE_KIT_H
#define TEST_UNIT_DISK_MOVE_KIT_H

#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "vhd_bitmap.h"

enum { KIT_BLOCK = 2 * 1024 * 1024, KIT_BLOCKS = 6, KIT_SECTORS = KIT_BLOCKS * 4096 };

static const struct images_options kit_images_options = {.growth_bytes = 5 * MIB};
static const uint64_t kit_all_blocks[KIT_BLOCKS] = {0, 1, 2, 3, 4, 5};

struct kit_extent {
        uint64_t first, n; /* sectors */
};

/* One more file over parent, holding these, all of one generation. */
UNUSED static enum err kit_layer(struct io *io, const char *path, const char *parent, uint64_t generation,
                                 const struct kit_extent *extents, size_t n, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e;

        images_init(&images, io, &kit_images_options);
        if (fixture_vhd(io, path, (uint64_t)KIT_BLOCKS * KIT_BLOCK, parent, note) ||
            chain_open(&images, path, CHAIN_WRITE, &chain, note))
                return note->code;
        for (size_t i = 0; i < n; i++) {
                AUTO_FREE uint8_t *data = mem_zero(extents[i].n * 512);

                fixture_fill(data, extents[i].n * 512, extents[i].first * 512, generation);
                if (chain_write(chain, data, extents[i].n * 512, extents[i].first * 512, note))
                        return note->code;
        }
        e = chain_close(TAKE(chain), note);
        images_fini(&images);
        return e;
}

UNUSED static enum err kit_layers(struct io *io, struct err_note *note) {
        static const struct kit_extent base[] = {{0, 4096}, {4096 + 10, 500}, {3 * 4096 + 7, 1}};
        static const struct kit_extent low[] = {{100, 64}, {4096 + 200, 700}, {2 * 4096, 4096}};
        static const struct kit_extent mid[] = {
                {120, 8}, {4096, 50}, {2 * 4096 + 1, 30}, {3 * 4096, 4096}, {5 * 4096 - 9, 9}};
        static const struct kit_extent leaf[] = {{125, 1}, {5 * 4096 - 5, 3}};

        if (kit_layer(io, "/base.vhd", NULL, 1, base, 3, note) ||
            kit_layer(io, "/low.vhd", "/base.vhd", 2, low, 3, note) ||
            kit_layer(io, "/mid.vhd", "/low.vhd", 3, mid, 5, note))
                return note->code;
        return kit_layer(io, "/leaf.vhd", "/mid.vhd", 4, leaf, 2, note);
}

/* ---- the steps ---- */

/* Each present sector of from's block is written to `to`, and said to be there. */
UNUSED static enum err kit_copy(struct image *from, struct image *to, uint64_t block, struct err_note *note) {
        AUTO_FREE uint8_t *data = mem_zero(KIT_BLOCK);
        uint8_t bits[IMAGE_BITMAP_SIZE];
        image_slot slot, at;
        bool is_set;

        if (from->ops->look(from, block, &slot, bits, note))
                return note->code;
        if (!(slot & SLOT_HELD))
                return ERR_NONE;
        if (slot & SLOT_WHOLE)
                memset(bits, 0xff, sizeof bits);
        if (to->ops->prepare(to, block, &at, note))
                return note->code;
        for (unsigned s = 0, end; s < 4096; s = end) {
                uint64_t n, skip = (uint64_t)s * 512;

                end = vhd_bitmap_next_run(bits, s, 4096, &is_set);
                n = (end - s) * 512;
                if (is_set && (io_read(from->file, data, n, image_data_at(from, slot) + skip, note) ||
                               io_write(to->file, data, n, image_data_at(to, at) + skip, note) ||
                               to->ops->wrote(to, block, s, end - s, note)))
                        return note->code;
        }
        return ERR_NONE;
}

/* All blocks of from are left; the flush that takes them out of its BAT. */
UNUSED static enum err kit_clear(struct image *from, struct err_note *note) {
        for (uint64_t block = 0; block < KIT_BLOCKS; block++)
                if (from->ops->slot(from, block) & SLOT_HELD)
                        from->ops->leave(from, block);
        return from->ops->flush(from, note);
}

/* What of one layer moves down into target, up to where it is to be published. */
UNUSED static enum err kit_move(struct image *from, struct image *target, struct err_note *note) {
        for (uint64_t block = 0; block < KIT_BLOCKS; block++)
                if (kit_copy(from, target, block, note))
                        return note->code;
        return target->ops->flush(target, note) ? note->code : kit_clear(from, note);
}

/* ---- a world with a chain ---- */

struct kit_world {
        struct io *io;
        struct images images;
        struct chain *chain;
        struct image *base, *low, *mid; /* borrowed from the chain */
        uint8_t *before;                /* owned: what the disk reads as */
};

UNUSED static uint8_t *kit_read_all(struct chain *chain) {
        uint8_t *data = mem_zero((size_t)KIT_BLOCKS * KIT_BLOCK);
        struct err_note note;

        assert_ok(chain_read(chain, data, (size_t)KIT_BLOCKS * KIT_BLOCK, 0, &note));
        return data;
}

UNUSED static void kit_world_open(struct kit_world *w, enum chain_mode mode) {
        struct err_note note;

        assert_ok(chain_open(&w->images, "/leaf.vhd", mode, &w->chain, &note));
        w->base = (struct image *)chain_layer(w->chain, 3);
        w->low = (struct image *)chain_layer(w->chain, 2);
        w->mid = (struct image *)chain_layer(w->chain, 1);
}

UNUSED static void kit_world_init(struct kit_world *w) {
        struct err_note note;

        *w = (struct kit_world){.io = io_sim_new(1, 0)};
        images_init(&w->images, w->io, &kit_images_options);
        assert_ok(kit_layers(w->io, &note));
        kit_world_open(w, CHAIN_WRITE);
        w->before = kit_read_all(w->chain);
}

UNUSED static void kit_world_fini(struct kit_world *w) {
        if (w->chain)
                chain_abandon(w->chain);
        images_fini(&w->images);
        io_free(w->io);
        free(w->before);
}

UNUSED static void kit_same(const struct kit_world *w, struct chain *chain) {
        AUTO_FREE uint8_t *now = kit_read_all(chain);

        assert_memory_equal(now, w->before, (size_t)KIT_BLOCKS * KIT_BLOCK);
}

UNUSED static void kit_begin(struct image *image) {
        struct err_note note;

        assert_ok(image_begin_write(image, &note));
}

UNUSED static void kit_end(struct image *image) {
        struct err_note note;

        assert_ok(image_end_write(image, &note));
}

UNUSED static unsigned kit_held(struct image *image) {
        unsigned n = 0;

        for (uint64_t block = 0; block < KIT_BLOCKS; block++)
                n += (image->ops->slot(image, block) & SLOT_HELD) != 0;
        return n;
}

#endif
