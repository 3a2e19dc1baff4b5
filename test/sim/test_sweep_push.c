// SPDX-License-Identifier: Apache-2.0
/* The crash and fail sweeps over a whole push, with a chain that reads through the run all the time.
 *
 * Whatever happens, the disk above reads as before [C1], no layer gains a block [C5], and what is left can be
 * pushed to the end by who begins anew; a push after that finds nothing. */
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "mem.h"
#include "push.h"
#include "sweep.h"
#include "vhd_bat.h"
#include "vhd_create.h"
#include "vhd_meta.h"

enum {
        BLOCK = 2 * 1024 * 1024,
        BLOCKS = 4, /* the last one is short */
        SECTORS = (BLOCKS - 1) * 4096 + 100,
        LAYERS_MAX = 4,
};

struct ctx {
        uint64_t seed;
        unsigned n; /* of the run; the leaf /<n>.vhd is one more */
        uint64_t batch_bytes;
        bool never_clones;
        bool is_raw;            /* the target */
        uint64_t want[SECTORS]; /* generations */
        bool held[LAYERS_MAX][BLOCKS];
        bool did_misread;
};

static const struct images_options options = {.growth_bytes = 5 * MIB};

static const char *path_of_layer(const struct ctx *ctx, unsigned i) {
        static const char *const paths[] = {"/0.vhd", "/1.vhd", "/2.vhd", "/3.vhd", "/4.vhd"};

        return i == 0 && ctx->is_raw ? "/0.raw" : paths[i];
}

/* ---- setup ---- */

/* Where less than a whole block is written, it is in one of these; so these are what is looked at. */
static const struct { uint64_t first, n; } windows[] = {{0, 90}, {2040, 80}, {4088, 8}};
enum { WINDOWS = 3 };

static enum err write_some(struct chain *chain, struct ctx *ctx, uint64_t first, uint64_t n,
                           uint64_t generation, struct err_note *note) {
        AUTO_FREE uint8_t *data = NULL;

        if (first >= SECTORS)
                return ERR_NONE;
        n = min_u64(n, SECTORS - first);
        data = mem_zero(n * 512);
        fixture_fill(data, n * 512, first * 512, generation);
        for (uint64_t s = first; s < first + n; s++)
                ctx->want[s] = generation;
        return chain_write(chain, data, n * 512, first * 512, note);
}

/* A third of the blocks are absent, some are whole, the rest have something in each of the windows. */
static enum err fill(struct chain *chain, struct ctx *ctx, struct fixture_dice *dice, unsigned layer,
                     struct err_note *note) {
        uint64_t generation = layer + 1;

        for (uint64_t block = 0; block < BLOCKS; block++) {
                uint64_t kind = fixture_roll(dice, 6);

                if (kind < 2)
                        continue;
                if (kind == 2 && write_some(chain, ctx, block * 4096, 4096, generation, note))
                        return note->code;
                for (unsigned i = 0; i < WINDOWS && kind > 2; i++) {
                        uint64_t skip = fixture_roll(dice, windows[i].n),
                                 n = 1 + fixture_roll(dice, windows[i].n - skip);

                        if (write_some(chain, ctx, block * 4096 + windows[i].first + skip, n, generation,
                                       note))
                                return note->code;
                }
        }
        return ERR_NONE;
}

static enum err make_layer(struct io *io, const struct ctx *ctx, unsigned i, struct err_note *note) {
        struct vhd_parent raw = {.path = "/0.raw", .is_raw = true};
        struct vhd_create_options over_raw = {
                .type = VHD_DIFFERENCING, .size = SECTORS * 512, .parent = &raw};
        AUTO(io_close) struct io_file *file = NULL;

        if (i == 0 && ctx->is_raw) {
                if (io_open(io, "/0.raw", IO_CREATE, &file, note))
                        return note->code;
                return io_truncate(file, SECTORS * 512, note);
        }
        if (i == 1 && ctx->is_raw)
                return vhd_create(io, "/1.vhd", &over_raw, NULL, note);
        return fixture_vhd(io, path_of_layer(ctx, i), SECTORS * 512, i ? path_of_layer(ctx, i - 1) : NULL,
                           note);
}

static enum err setup(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        struct fixture_dice dice = {ctx->seed};
        struct images images;
        enum err e = ERR_NONE;

        memset(ctx->want, 0, sizeof ctx->want);
        images_init(&images, io, &options);
        for (unsigned i = 0; i <= ctx->n && !e; i++) {
                struct chain *chain;

                e = make_layer(io, ctx, i, note);
                if (!e)
                        e = chain_open(&images, path_of_layer(ctx, i), CHAIN_WRITE, &chain, note);
                if (!e && fill(chain, ctx, &dice, i, note)) {
                        chain_abandon(chain);
                        e = note->code;
                } else if (!e) {
                        e = chain_close(chain, note);
                }
        }
        images_fini(&images);
        return e;
}

/* ---- looking ---- */

/* Of the disk above; *ret_is_same: every sector that is looked at is what it must be. */
static enum err look(struct chain *chain, const struct ctx *ctx, bool *ret_is_same, char text[80],
                     struct err_note *note) {
        *ret_is_same = true;
        for (uint64_t block = 0; block < BLOCKS; block++)
                for (unsigned i = 0; i < WINDOWS; i++) {
                        uint64_t first = block * 4096 + windows[i].first, n;
                        uint8_t data[90 * 512];

                        if (first >= SECTORS)
                                continue;
                        n = min_u64(windows[i].n, SECTORS - first);
                        if (chain_read(chain, data, n * 512, first * 512, note))
                                return note->code;
                        for (uint64_t s = first; s < first + n; s++) {
                                bool is_sound;
                                uint64_t got =
                                        fixture_generation(data + (s - first) * 512, s * 512, &is_sound);

                                if (is_sound && got == ctx->want[s])
                                        continue;
                                *ret_is_same = false;
                                snprintf(text, 80, "sector %llu is generation %llu, not %llu",
                                         (unsigned long long)s, (unsigned long long)got,
                                         (unsigned long long)ctx->want[s]);
                                return ERR_NONE;
                        }
                }
        return ERR_NONE;
}

/* ---- the operation ---- */

struct run {
        struct image *images[LAYERS_MAX];
        unsigned n_open, n_writing;
        struct push *push;
};

static enum err run_open(struct run *run, struct images *images, const struct ctx *ctx,
                         struct err_note *note) {
        const struct mover_options push = {.batch_bytes = ctx->batch_bytes,
                                           .never_clones = ctx->never_clones};

        for (unsigned i = 0; i < ctx->n; i++) {
                const char *path = path_of_layer(ctx, i);

                if (images_open(images, path, image_kind_of_path(path), false, &run->images[i], note))
                        return note->code;
                run->n_open++;
                if (image_begin_write(run->images[i], note))
                        return note->code;
                run->n_writing++;
        }
        return push_new(run->images, ctx->n, &push, &run->push, note);
}

static enum err run_close(struct run *run, enum err e, struct err_note *note) {
        if (run->push)
                push_free(run->push);
        for (unsigned i = 0; i < run->n_writing; i++) {
                if (e)
                        image_abandon_write(run->images[i]);
                else
                        e = image_end_write(run->images[i], note);
        }
        for (unsigned i = 0; i < run->n_open; i++)
                image_unref(run->images[i]);
        return e;
}

static enum err step_and_look(struct run *run, struct chain *chain, struct ctx *ctx, struct err_note *note) {
        enum err e = push_step(run->push, &chain, 1, note);
        struct err_note unused;
        char text[80];
        bool is_same;

        if (!look(chain, ctx, &is_same, text, e ? &unused : note) && !is_same)
                ctx->did_misread = true;
        return e;
}

static enum err push_all(struct images *images, struct ctx *ctx, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct run run = {0};
        enum err e;

        if (chain_open(images, path_of_layer(ctx, ctx->n), CHAIN_READ, &chain, note))
                return note->code;
        e = run_open(&run, images, ctx, note);
        while (!e && push_phase(run.push) != PUSH_EMPTY)
                e = step_and_look(&run, chain, ctx, note);
        return run_close(&run, e, note);
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        struct images images;
        enum err e;

        ctx->did_misread = false;
        images_init(&images, io, &options);
        e = push_all(&images, ctx, note);
        images_fini(&images);
        return e;
}

/* ---- the check ---- */

static enum err check_disk(struct io *io, const struct ctx *ctx, const char *when, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct images images;
        bool is_same = false;
        char text[80];
        enum err e;

        images_init(&images, io, &options);
        e = chain_open(&images, path_of_layer(ctx, ctx->n), CHAIN_READ, &chain, note);
        if (!e)
                e = look(chain, ctx, &is_same, text, note);
        if (chain)
                chain_abandon(TAKE(chain));
        images_fini(&images);
        if (!e && !is_same)
                e = sweep_violation(note, "%s: %s", when, text);
        return e;
}

static enum err read_bat(struct io *io, const char *path, uint32_t bat[BLOCKS], struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note) ||
            vhd_meta_read_bat(file, &meta, bat, BLOCKS, note))
                return note->code;
        return vhd_bat_check_overlaps(bat, BLOCKS, NULL, note);
}

/* Of the layers above the target: how many blocks they hold. */
static enum err count_held(struct io *io, const struct ctx *ctx, unsigned *ret, struct err_note *note) {
        *ret = 0;
        for (unsigned i = ctx->is_raw; i < ctx->n; i++) {
                uint32_t bat[BLOCKS];

                if (read_bat(io, path_of_layer(ctx, i), bat, note))
                        return note->code;
                for (unsigned block = 0; block < BLOCKS && i > 0; block++) {
                        if (bat[block] == VHD_BAT_UNUSED)
                                continue;
                        if (!ctx->held[i][block])
                                return sweep_violation(note, "layer %u gained block %u", i, block);
                        (*ret)++;
                }
        }
        return ERR_NONE;
}

static enum err push_again(struct io *io, const struct ctx *ctx, struct err_note *note) {
        struct ctx *again = mem_new(struct ctx);
        struct images images;
        enum err e;

        *again = *ctx;
        again->did_misread = false;
        images_init(&images, io, &options);
        e = push_all(&images, again, note);
        images_fini(&images);
        if (!e && again->did_misread)
                e = sweep_violation(note, "the second push let a reader see something else");
        free(again);
        return e;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        const struct ctx *ctx = user;
        uint64_t written;
        unsigned n_held;

        if (ctx->did_misread)
                return sweep_violation(note, "a reader saw something else meanwhile");
        if (check_disk(io, ctx, "at once", note) || count_held(io, ctx, &n_held, note))
                return note->code;
        if (outcome == SWEEP_DONE && n_held > 0)
                return sweep_violation(note, "it is done, and %u blocks are left", n_held);
        if (push_again(io, ctx, note) || check_disk(io, ctx, "after the rest was pushed", note) ||
            count_held(io, ctx, &n_held, note))
                return note->code;
        if (n_held > 0)
                return sweep_violation(note, "%u blocks are left", n_held);
        written = io_sim_file_traffic(io, path_of_layer(ctx, 0)).bytes_written;
        if (push_again(io, ctx, note))
                return note->code;
        if (io_sim_file_traffic(io, path_of_layer(ctx, 0)).bytes_written != written)
                return sweep_violation(note, "a push of nothing wrote something");
        return check_disk(io, ctx, "after a push of nothing", note);
}

/* ---- the sweeps ---- */

/* What the layers hold before: that much and no more may be there later. */
static void remember_held(struct ctx *ctx) {
        struct io *io = io_sim_new(1, 0);
        struct err_note note;

        assert_ok(setup(io, ctx, &note));
        for (unsigned i = 1; i < ctx->n; i++) {
                uint32_t bat[BLOCKS];

                assert_ok(read_bat(io, path_of_layer(ctx, i), bat, &note));
                for (unsigned block = 0; block < BLOCKS; block++)
                        ctx->held[i][block] = bat[block] != VHD_BAT_UNUSED;
        }
        io_free(io);
}

/* Every changing call is a place to crash; of all calls, most of which read, some fail. */
static void sweep(const char *name, struct ctx config, unsigned lacks) {
        struct ctx *ctx = mem_new(struct ctx);
        struct sweep s = {.name = name,
                          .ctx = ctx,
                          .setup = setup,
                          .operate = operate,
                          .check = check,
                          .lacks = lacks,
                          .recoveries = 1,
                          .max_points = 64};

        *ctx = config;
        remember_held(ctx);
        assert_int_equal(sweep_crash(&s, 5), 0);
        s.max_points = 12;
        assert_int_equal(sweep_fail(&s, 2), 0);
        free(ctx);
}

static void a_push_survives_every_fault(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 2; seed++)
                sweep("push", (struct ctx){.seed = seed, .n = 2, .batch_bytes = 1, .never_clones = true}, 0);
}

static void a_push_of_a_run_survives_every_fault(void **state) {
        (void)state;
        for (uint64_t seed = 11; seed <= 12; seed++)
                sweep("push-run",
                      (struct ctx){.seed = seed,
                                   .n = 3 + (unsigned)(seed % 2),
                                   .batch_bytes = seed % 3,
                                   .never_clones = true},
                      0);
}

static void a_push_that_shares_blocks_survives_every_fault(void **state) {
        (void)state;
        sweep("push-clone", (struct ctx){.seed = 21, .n = 3}, 0);
}

static void a_push_into_a_raw_file_survives_every_fault(void **state) {
        (void)state;
        sweep("push-raw", (struct ctx){.seed = 31, .n = 3, .is_raw = true, .never_clones = true}, 0);
}

static void a_push_survives_where_nothing_can_be_punched(void **state) {
        (void)state;
        sweep("push-no-punch", (struct ctx){.seed = 41, .n = 3, .batch_bytes = 1}, IO_SIM_NO_PUNCH);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_push_survives_every_fault),
                cmocka_unit_test(a_push_of_a_run_survives_every_fault),
                cmocka_unit_test(a_push_that_shares_blocks_survives_every_fault),
                cmocka_unit_test(a_push_into_a_raw_file_survives_every_fault),
                cmocka_unit_test(a_push_survives_where_nothing_can_be_punched),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
