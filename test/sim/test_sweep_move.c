// SPDX-License-Identifier: Apache-2.0
/* The crash and fail sweeps over blocks that leave an image, one step at a time, with what a push of its own
 * does not do: writes to blocks that leave or have left, which go to both files, and flushes in between.
 *
 * All of the leaf moves into its parent under an open chain.  Whatever happens, each sector is what a flush
 * of both files covered, or one of the writes since. */
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "mem.h"
#include "sweep.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_meta.h"

enum { BLOCK = 2 * 1024 * 1024, BLOCKS = 5, SECTORS = BLOCKS * 4096, LOOKED_AT = 160 };

struct ctx {
        uint64_t may_be[SECTORS]; /* bit g: generation g may be there */
        uint64_t now[SECTORS];
        uint64_t base[SECTORS]; /* as the setup left it */
        uint64_t generation;
};

static const struct images_options options = {.growth_bytes = 5 * MIB};

static const struct {
        uint64_t first, n;
} layers[2][6] = {
        {{0, 4096}, {4096 + 10, 60}, {3 * 4096 + 7, 1}},
        {{20, 64}, {4096 + 40, 70}, {2 * 4096, 50}, {3 * 4096, 4096}, {4 * 4096 + 100, 9}},
};

/* ---- setup ---- */

static enum err make_layer(struct io *io, struct ctx *ctx, unsigned i, struct err_note *note) {
        const char *path = i ? "/leaf.vhd" : "/base.vhd";
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e;

        images_init(&images, io, &options);
        if (fixture_vhd(io, path, (uint64_t)BLOCKS * BLOCK, i ? "/base.vhd" : NULL, note) ||
            chain_open(&images, path, CHAIN_WRITE, &chain, note))
                return note->code;
        for (size_t k = 0; k < 6 && layers[i][k].n; k++) {
                uint64_t first = layers[i][k].first, n = layers[i][k].n;
                AUTO_FREE uint8_t *data = mem_zero(n * 512);

                fixture_fill(data, n * 512, first * 512, 1 + i);
                for (uint64_t s = first; s < first + n; s++)
                        ctx->base[s] = 1 + i;
                if (chain_write(chain, data, n * 512, first * 512, note))
                        return note->code;
        }
        e = chain_close(TAKE(chain), note);
        images_fini(&images);
        return e;
}

static enum err setup(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;

        memset(ctx->base, 0, sizeof ctx->base);
        return make_layer(io, ctx, 0, note) ? note->code : make_layer(io, ctx, 1, note);
}

/* ---- reading ---- */

/* All that is ever written to lies in the first sectors of a block, but for whole blocks; one look at the end
 * tells of these. */
static enum err read_block(struct chain *chain, uint64_t block, uint64_t *ret, struct err_note *note) {
        uint8_t data[LOOKED_AT * 512];

        for (uint64_t first = block * 4096, n = LOOKED_AT; n > 0; first = block * 4096 + 4095, n = n > 1) {
                if (chain_read(chain, data, n * 512, first * 512, note))
                        return note->code;
                for (uint64_t s = 0; s < n; s++) {
                        bool is_sound;

                        ret[first + s] = fixture_generation(data + s * 512, (first + s) * 512, &is_sound);
                        if (!is_sound)
                                return sweep_violation(note, "sector %llu holds what was never written there",
                                                       (unsigned long long)(first + s));
                }
        }
        return ERR_NONE;
}

/* Those that are not looked at are said to be as they should. */
static enum err read_all(struct chain *chain, const struct ctx *ctx, uint64_t ret[SECTORS],
                         struct err_note *note) {
        memcpy(ret, ctx->now, SECTORS * sizeof *ret);
        for (uint64_t block = 0; block < BLOCKS; block++)
                if (read_block(chain, block, ret, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- the operation ---- */

struct scene {
        struct ctx *ctx;
        struct images images;
        struct chain *chain;
        struct image *base, *leaf; /* borrowed from the chain */
        unsigned n_begun;          /* write sides: of base, then of leaf */
};

static enum err reads_as_now(struct scene *s, struct err_note *note) {
        static uint64_t is[SECTORS];

        if (read_all(s->chain, s->ctx, is, note))
                return note->code;
        for (uint64_t i = 0; i < SECTORS; i++)
                if (is[i] != s->ctx->now[i])
                        return sweep_violation(note, "sector %llu reads as generation %llu, not %llu",
                                               (unsigned long long)i, (unsigned long long)is[i],
                                               (unsigned long long)s->ctx->now[i]);
        return ERR_NONE;
}

static enum err copy_block(struct image *from, struct image *to, uint64_t block, struct err_note *note) {
        AUTO_FREE uint8_t *data = mem_zero(BLOCK);
        uint8_t bits[IMAGE_BITMAP_SIZE];
        image_slot slot, at;
        bool is_set;

        memset(bits, 0xff, sizeof bits);
        if (from->ops->look(from, block, &slot, bits, note) || to->ops->prepare(to, block, &at, note))
                return note->code;
        for (unsigned s = 0, end; s < 4096; s = end) {
                uint64_t skip = (uint64_t)s * 512, n;

                end = vhd_bitmap_next_run(bits, s, 4096, &is_set);
                n = (end - s) * 512;
                if (is_set && (io_read(from->file, data, n, image_data_at(from, slot) + skip, note) ||
                               io_write(to->file, data, n, image_data_at(to, at) + skip, note) ||
                               to->ops->wrote(to, block, s, end - s, note)))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err put(struct image *image, const uint8_t *data, uint64_t sector, struct err_note *note) {
        uint64_t block = sector / 4096, in_block = sector % 4096;
        image_slot slot;

        if (image->ops->prepare(image, block, &slot, note) ||
            io_write(image->file, data, 512, image_data_at(image, slot) + in_block * 512, note))
                return note->code;
        return image->ops->wrote(image, block, (uint32_t)in_block, 1, note);
}

/* A guest's write while the block leaves: to both files. */
static enum err mirror(struct scene *s, uint64_t sector, struct err_note *note) {
        uint8_t data[512];

        fixture_fill(data, 512, sector * 512, ++s->ctx->generation);
        s->ctx->now[sector] = s->ctx->generation;
        s->ctx->may_be[sector] |= (uint64_t)1 << s->ctx->generation;
        return put(s->leaf, data, sector, note) ? note->code : put(s->base, data, sector, note);
}

static enum err flush_both(struct scene *s, struct err_note *note) {
        if (s->base->ops->flush(s->base, note) || s->leaf->ops->flush(s->leaf, note))
                return note->code;
        for (uint64_t i = 0; i < SECTORS; i++)
                s->ctx->may_be[i] = (uint64_t)1 << s->ctx->now[i];
        return ERR_NONE;
}

static enum err move_all(struct scene *s, struct err_note *note) {
        static const uint64_t all[BLOCKS] = {0, 1, 2, 3, 4};

        if (image_begin_write(s->base, note))
                return note->code;
        s->n_begun = 1;
        if (image_begin_write(s->leaf, note))
                return note->code;
        s->n_begun = 2;
        for (uint64_t block = 0; block < BLOCKS; block++)
                if (copy_block(s->leaf, s->base, block, note))
                        return note->code;
        if (s->base->ops->flush(s->base, note))
                return note->code;
        s->leaf->ops->leave(s->leaf, 0);
        s->leaf->ops->leave(s->leaf, 3);
        if (mirror(s, 3, note) || flush_both(s, note) || mirror(s, 4, note) ||
            mirror(s, 3 * 4096 + 9, note) || reads_as_now(s, note) || flush_both(s, note))
                return note->code;
        for (uint64_t block = 0; block < BLOCKS; block++)
                s->leaf->ops->leave(s->leaf, block);
        if (mirror(s, 4096, note) || flush_both(s, note) || mirror(s, 2 * 4096 + 60, note) ||
            reads_as_now(s, note) || flush_both(s, note))
                return note->code;
        chain_publish_moved(s->chain, s->base, s->leaf, all, BLOCKS);
        s->leaf->ops->forget_left(s->leaf);
        image_wait_readers(s->leaf);
        return s->leaf->ops->punch_left(s->leaf, note) ? note->code : reads_as_now(s, note);
}

static enum err end_all(struct scene *s, struct err_note *note) {
        enum err e = image_end_write(s->leaf, note);

        s->n_begun = 1;
        if (!e)
                e = reads_as_now(s, note);
        if (!e) {
                s->n_begun = 0;
                e = image_end_write(s->base, note);
        }
        return e ? e : chain_close(TAKE(s->chain), note);
}

static void give_up(struct scene *s) {
        if (s->n_begun > 1)
                image_abandon_write(s->leaf);
        if (s->n_begun > 0)
                image_abandon_write(s->base);
        if (s->chain)
                chain_abandon(s->chain);
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        struct scene s = {.ctx = user};
        enum err e;

        memcpy(s.ctx->now, s.ctx->base, sizeof s.ctx->now);
        for (uint64_t i = 0; i < SECTORS; i++)
                s.ctx->may_be[i] = (uint64_t)1 << s.ctx->now[i];
        s.ctx->generation = 2;
        images_init(&s.images, io, &options);
        e = chain_open(&s.images, "/leaf.vhd", CHAIN_WRITE, &s.chain, note);
        if (!e) {
                s.leaf = (struct image *)chain_layer(s.chain, 0);
                s.base = (struct image *)chain_layer(s.chain, 1);
                e = move_all(&s, note);
        }
        if (!e)
                e = end_all(&s, note);
        give_up(&s);
        images_fini(&s.images);
        return e;
}

/* ---- the check ---- */

/* No two blocks in one place; what the batmap calls whole is whole. */
static enum err check_file(struct images *images, const char *path, struct err_note *note) {
        AUTO(image_unref) struct image *image = NULL;
        struct image_slots slots = {0};
        uint32_t bat[BLOCKS] = {0};
        enum err e;

        if (images_open(images, path, IMAGE_VHD, false, &image, note))
                return note->code;
        memset(bat, 0xff, sizeof bat);
        e = image->ops->load(image, &slots, note);
        VEC_EACH (&slots.held, held) {
                uint8_t bits[IMAGE_BITMAP_SIZE];

                bat[held->block] = slot_where(held->slot);
                if (!e && held->slot & SLOT_WHOLE)
                        e = image->ops->bitmap(image, held->block, held->slot, bits, note);
                if (!e && held->slot & SLOT_WHOLE && !vhd_bitmap_is_full(bits))
                        e = sweep_violation(note, "%s: block %llu is not whole, but its batmap bit is set",
                                            path, (unsigned long long)held->block);
        }
        vec_fini(&slots.held);
        return e ? e : vhd_bat_check_overlaps(bat, BLOCKS, NULL, note);
}

static enum err look(struct io *io, const struct ctx *ctx, enum chain_mode mode, uint64_t ret[SECTORS],
                     struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e;

        images_init(&images, io, &options);
        e = check_file(&images, "/base.vhd", note) ? note->code : check_file(&images, "/leaf.vhd", note);
        if (!e)
                e = chain_open(&images, "/leaf.vhd", mode, &chain, note);
        if (!e)
                e = read_all(chain, ctx, ret, note);
        if (!e)
                e = chain_close(TAKE(chain), note);
        if (chain)
                chain_abandon(TAKE(chain));
        images_fini(&images);
        return e;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        static uint64_t first[SECTORS], again[SECTORS];
        const struct ctx *ctx = user;

        (void)outcome;
        if (look(io, ctx, CHAIN_READ, first, note))
                return note->code;
        for (uint64_t s = 0; s < SECTORS; s++)
                if (first[s] >= 64 || !(ctx->may_be[s] >> first[s] & 1))
                        return sweep_violation(note, "sector %llu is generation %llu; may be %#llx",
                                               (unsigned long long)s, (unsigned long long)first[s],
                                               (unsigned long long)ctx->may_be[s]);
        if (look(io, ctx, CHAIN_WRITE, again, note) || look(io, ctx, CHAIN_READ, again, note))
                return note->code;
        if (memcmp(first, again, sizeof first) != 0)
                return sweep_violation(note, "a writer changed what is there");
        return ERR_NONE;
}

static void sweep(const char *name, unsigned lacks, unsigned max_points, unsigned seeds) {
        struct ctx *ctx = mem_new(struct ctx);
        const struct sweep s = {.name = name,
                                .ctx = ctx,
                                .setup = setup,
                                .operate = operate,
                                .check = check,
                                .lacks = lacks,
                                .max_points = max_points};

        assert_int_equal(sweep_all(&s, seeds), 0);
        free(ctx);
}

static void blocks_that_leave_survive_every_fault(void **state) {
        (void)state;
        sweep("move", 0, 300, 8);
}

static void blocks_leave_where_nothing_can_be_punched(void **state) {
        (void)state;
        sweep("move-no-punch", IO_SIM_NO_PUNCH, 30, 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(blocks_that_leave_survive_every_fault),
                cmocka_unit_test(blocks_leave_where_nothing_can_be_punched),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
