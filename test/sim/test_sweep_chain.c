// SPDX-License-Identifier: Apache-2.0
/* The crash and fail sweeps over what a leaf does: write, zero, trim, flush, grow, close, under every fault.
 *
 * The model knows for each sector which generations may be there: the one that the last successful flush
 * covered, and all since.  After a fault each sector must be one of these, wholly; and it stays what it was
 * found to be, whoever opens the disk afterwards. */
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "mem.h"
#include "sweep.h"
#include "vhd_bat.h"
#include "vhd_meta.h"

enum {
        BLOCK = 2 * 1024 * 1024,
        BLOCKS = 5,
        SECTORS = BLOCKS * BLOCK / 512,
        GENERATIONS = 64, /* bits of a word */
        PLACES = 6,       /* sectors of a block that are written to at all: first, some, last */
};

struct ctx {
        uint64_t seed;
        unsigned n_steps;
        uint64_t may_be[SECTORS]; /* bit g: generation g may be there; bit 0: zeros */
        uint64_t now[SECTORS];
        uint64_t base[SECTORS]; /* what the parent holds */
        bool has_parent;
};

static const struct images_options options = {.growth_bytes = 5 * MIB};

static void wrote(struct ctx *ctx, uint64_t first, uint64_t n, uint64_t generation) {
        for (uint64_t s = first; s < first + n; s++) {
                ctx->now[s] = generation;
                ctx->may_be[s] |= (uint64_t)1 << generation;
        }
}

static void flushed(struct ctx *ctx) {
        for (uint64_t s = 0; s < SECTORS; s++)
                ctx->may_be[s] = (uint64_t)1 << ctx->now[s];
}

/* ---- setup ---- */

static enum err write_some(struct chain *chain, struct ctx *ctx, uint64_t first, uint64_t n,
                           uint64_t generation, struct err_note *note) {
        AUTO_FREE uint8_t *data = mem_zero(n * 512);

        fixture_fill(data, n * 512, first * 512, generation);
        wrote(ctx, first, n, generation);
        return chain_write(chain, data, n * 512, first * 512, note);
}

/* Parent: block 0 whole, block 1 in part, block 3 one sector.  Leaf: block 1 in part, block 2 whole. */
static enum err make_disks(struct io *io, struct ctx *ctx, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e;

        memset(ctx->now, 0, sizeof ctx->now);
        memset(ctx->may_be, 0, sizeof ctx->may_be);
        images_init(&images, io, &options);
        if (ctx->has_parent) {
                if (fixture_vhd(io, "/base.vhd", BLOCKS * (uint64_t)BLOCK, NULL, note) ||
                    chain_open(&images, "/base.vhd", CHAIN_WRITE, &chain, note) ||
                    write_some(chain, ctx, 0, 4096, 1, note) ||
                    write_some(chain, ctx, 4096 + 10, 100, 1, note) ||
                    write_some(chain, ctx, 3 * 4096, 1, 1, note) || chain_close(TAKE(chain), note))
                        return note->code;
        }
        if (fixture_vhd(io, "/leaf.vhd", BLOCKS * (uint64_t)BLOCK, ctx->has_parent ? "/base.vhd" : NULL,
                        note) ||
            chain_open(&images, "/leaf.vhd", CHAIN_WRITE, &chain, note) ||
            write_some(chain, ctx, 4096 + 50, 100, 2, note) ||
            write_some(chain, ctx, 2 * 4096, 4096, 2, note))
                return note->code;
        e = chain_close(TAKE(chain), note);
        images_fini(&images);
        return e;
}

static enum err setup(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;

        if (make_disks(io, ctx, note))
                return note->code;
        memcpy(ctx->base, ctx->now, sizeof ctx->base);
        return ERR_NONE;
}

/* ---- the operation ---- */

static uint64_t some_sector(struct fixture_dice *dice) {
        static const uint64_t places[PLACES] = {0, 1, 55, 120, 2048, 4095};

        return fixture_roll(dice, BLOCKS) * 4096 + places[fixture_roll(dice, PLACES)];
}

static enum err zero_some(struct chain *chain, struct ctx *ctx, struct fixture_dice *dice,
                          struct err_note *note) {
        uint64_t first = some_sector(dice), n = min_u64(1 + fixture_roll(dice, 64), SECTORS - first);
        bool is_trim = fixture_roll(dice, 2);

        if (fixture_roll(dice, 2)) {
                first = round_down(first, 4096);
                n = 4096;
        }
        /* A trim may be declined: then what was there is there still. */
        for (uint64_t s = first; is_trim && s < first + n; s++)
                ctx->may_be[s] |= (uint64_t)1 << ctx->now[s];
        wrote(ctx, first, n, 0);
        return is_trim ? chain_trim(chain, n * 512, first * 512, note)
                       : chain_write_zeroes(chain, n * 512, first * 512, note);
}

static enum err one_step(struct chain *chain, struct ctx *ctx, struct fixture_dice *dice, uint64_t generation,
                         struct err_note *note) {
        uint64_t kind = fixture_roll(dice, 10), first = some_sector(dice);

        if (kind < 4)
                return write_some(chain, ctx, first, min_u64(1 + fixture_roll(dice, 16), SECTORS - first),
                                  generation, note);
        if (kind < 5)
                return write_some(chain, ctx, round_down(first, 4096), 4096, generation, note);
        if (kind < 7)
                return zero_some(chain, ctx, dice, note);
        if (chain_flush(chain, note))
                return note->code;
        flushed(ctx);
        return ERR_NONE;
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        struct fixture_dice dice = {ctx->seed};
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e = ERR_NONE;

        memcpy(ctx->now, ctx->base, sizeof ctx->now);
        flushed(ctx);
        images_init(&images, io, &options);
        if (chain_open(&images, "/leaf.vhd", CHAIN_WRITE, &chain, note))
                e = note->code;
        for (uint64_t i = 0; i < ctx->n_steps && !e; i++)
                e = one_step(chain, ctx, &dice, 3 + i, note);
        if (!e) {
                e = chain_close(TAKE(chain), note);
                if (!e)
                        flushed(ctx);
        }
        if (chain)
                chain_abandon(TAKE(chain));
        images_fini(&images);
        return e;
}

/* ---- the check ---- */

/* Where small writes and zeros can have been, and their neighbours; the rest of a block is only ever changed
 * with all of it, and one look in the middle tells. */
static const struct { uint64_t first, n; } windows[] = {{0, 200}, {1024, 1}, {2040, 80}, {4088, 8}};

static enum err read_window(struct chain *chain, uint64_t first, uint64_t n, uint64_t *ret,
                            struct err_note *note) {
        uint8_t data[200 * 512];

        if (chain_read(chain, data, n * 512, first * 512, note))
                return note->code;
        for (uint64_t s = 0; s < n; s++) {
                bool is_sound;

                ret[first + s] = fixture_generation(data + s * 512, (first + s) * 512, &is_sound);
                if (!is_sound)
                        return sweep_violation(note, "sector %llu holds what was never written there",
                                               (unsigned long long)(first + s));
        }
        return ERR_NONE;
}

/* The generation of each sector that is looked at, as the disk reads now; the others are said to be as they
 * should. */
static enum err read_all(struct io *io, const struct ctx *ctx, enum chain_mode mode, uint64_t ret[SECTORS],
                         struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        enum err e;

        memcpy(ret, ctx->now, SECTORS * sizeof *ret);
        images_init(&images, io, &options);
        e = chain_open(&images, "/leaf.vhd", mode, &chain, note);
        for (uint64_t block = 0; block < BLOCKS; block++)
                for (size_t i = 0; i < sizeof windows / sizeof *windows && !e; i++)
                        e = read_window(chain, block * 4096 + windows[i].first, windows[i].n, ret, note);
        if (!e)
                e = chain_close(TAKE(chain), note);
        if (chain)
                chain_abandon(TAKE(chain));
        images_fini(&images);
        return e;
}

static enum err check_slots(struct io *io, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;
        uint32_t bat[BLOCKS];

        if (io_open(io, "/leaf.vhd", IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note) ||
            vhd_meta_read_bat(file, &meta, bat, BLOCKS, note))
                return note->code;
        return vhd_bat_check_overlaps(bat, BLOCKS, NULL, note);
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        static uint64_t first[SECTORS], again[SECTORS];
        const struct ctx *ctx = user;

        (void)outcome;
        if (check_slots(io, note) || read_all(io, ctx, CHAIN_READ, first, note))
                return note->code;
        for (uint64_t s = 0; s < SECTORS; s++)
                if (first[s] >= GENERATIONS || !(ctx->may_be[s] >> first[s] & 1))
                        return sweep_violation(note, "sector %llu is generation %llu; may be %#llx",
                                               (unsigned long long)s, (unsigned long long)first[s],
                                               (unsigned long long)ctx->may_be[s]);
        if (read_all(io, ctx, CHAIN_WRITE, again, note) || check_slots(io, note))
                return note->code;
        if (memcmp(first, again, sizeof first) != 0)
                return sweep_violation(note, "a writer's open changed what is there");
        if (read_all(io, ctx, CHAIN_READ, again, note))
                return note->code;
        if (memcmp(first, again, sizeof first) != 0)
                return sweep_violation(note, "a writer's close changed what is there");
        return ERR_NONE;
}

static void sweep(const char *name, bool has_parent, uint64_t seed, unsigned lacks, uint64_t size) {
        struct ctx *ctx = mem_new(struct ctx);
        const struct sweep s = {.name = name,
                                .ctx = ctx,
                                .setup = setup,
                                .operate = operate,
                                .check = check,
                                .lacks = lacks,
                                .size = size,
                                .may_fail = size != 0,
                                .max_points = 40};

        ctx->has_parent = has_parent;
        ctx->seed = seed;
        ctx->n_steps = 30;
        assert_int_equal(sweep_all(&s, 9), 0);
        free(ctx);
}

static void a_leaf_survives_every_fault(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++)
                sweep("leaf", false, seed, 0, 0);
}

static void a_leaf_over_a_parent_survives_every_fault(void **state) {
        (void)state;
        for (uint64_t seed = 11; seed <= 16; seed++)
                sweep("leaf-over-parent", true, seed, 0, 0);
}

static void a_leaf_survives_where_nothing_can_be_punched(void **state) {
        (void)state;
        sweep("leaf-no-punch", true, 21, IO_SIM_NO_PUNCH, 0);
}

static void a_leaf_survives_a_full_file_system(void **state) {
        (void)state;
        for (uint64_t seed = 31; seed <= 33; seed++)
                sweep("leaf-full", true, seed, 0, 9 * MIB);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_leaf_survives_every_fault),
                cmocka_unit_test(a_leaf_over_a_parent_survives_every_fault),
                cmocka_unit_test(a_leaf_survives_where_nothing_can_be_punched),
                cmocka_unit_test(a_leaf_survives_a_full_file_system),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
