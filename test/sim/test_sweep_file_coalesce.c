// SPDX-License-Identifier: Apache-2.0
/* The crash and fail sweeps over a coalesce of files that lie by themselves.
 *
 * Whatever happens, the child reads as before [C1], no layer but the target gains a block [C5], and as long
 * as something is half done the intent says so.  The same call goes on to the end; then every file is without
 * a finding, the intent is gone, and one more call changes nothing. */
#include "check.h"

#include "chain.h"
#include "file_coalesce.h"
#include "fixture.h"
#include "mem.h"
#include "sweep.h"
#include "vhd_bat.h"
#include "vhd_check.h"
#include "vhd_create.h"
#include "vhd_meta.h"

enum {
        BLOCKS = 4, /* the last one is short */
        SECTORS = (BLOCKS - 1) * 4096 + 100,
        SMALL = 4096 + 2050, /* of a target that has to grow */
        LAYERS_MAX = 3,
};

enum target { TARGET_VHD, TARGET_RAW, TARGET_FIXED };

struct ctx {
        uint64_t seed;
        unsigned n; /* of the run; the child is the last */
        enum target target;
        bool is_small; /* the target */
        uint64_t batch_bytes;
        uint64_t want[SECTORS]; /* generations */
        bool held[LAYERS_MAX][BLOCKS];
        unsigned n_held;
};

static const struct images_options images_options = {.growth_bytes = 5 * MIB};

static const char *path_of(const struct ctx *ctx, unsigned i) {
        static const char *const paths[] = {"/0.vhd", "/1.vhd", "/2.vhd"};

        return i == 0 && ctx->target == TARGET_RAW ? "/0.raw" : paths[i];
}
static const char *child_of(const struct ctx *ctx) {
        return path_of(ctx, ctx->n - 1);
}
static uint64_t sectors_of(const struct ctx *ctx, unsigned i) {
        return i == 0 && ctx->is_small ? SMALL : SECTORS;
}

/* ---- setup ---- */

/* Where less than a whole block is written, it is in one of these; so these are what is looked at. */
static const struct { uint64_t first, n; } windows[] = {{0, 90}, {2040, 80}, {4088, 8}};
enum { WINDOWS = 3 };

static enum err write_some(struct chain *chain, struct ctx *ctx, uint64_t first, uint64_t n, unsigned layer,
                           struct err_note *note) {
        AUTO_FREE uint8_t *data = NULL;

        if (first >= sectors_of(ctx, layer))
                return ERR_NONE;
        n = min_u64(n, sectors_of(ctx, layer) - first);
        data = mem_zero(n * 512);
        fixture_fill(data, n * 512, first * 512, layer + 1);
        for (uint64_t s = first; s < first + n; s++)
                ctx->want[s] = layer + 1;
        return chain_write(chain, data, n * 512, first * 512, note);
}

/* A third of the blocks are absent, some are whole, the rest have something in each of the windows. */
static enum err fill(struct chain *chain, struct ctx *ctx, struct fixture_dice *dice, unsigned layer,
                     struct err_note *note) {
        for (uint64_t block = 0; block < BLOCKS; block++) {
                uint64_t kind = fixture_roll(dice, 6);

                if (kind < 2)
                        continue;
                if (kind == 2 && write_some(chain, ctx, block * 4096, 4096, layer, note))
                        return note->code;
                for (unsigned i = 0; i < WINDOWS && kind > 2; i++) {
                        uint64_t skip = fixture_roll(dice, windows[i].n),
                                 n = 1 + fixture_roll(dice, windows[i].n - skip);

                        if (write_some(chain, ctx, block * 4096 + windows[i].first + skip, n, layer, note))
                                return note->code;
                }
        }
        return ERR_NONE;
}

static enum err make_layer(struct io *io, const struct ctx *ctx, unsigned i, struct err_note *note) {
        struct vhd_parent raw = {.path = "/0.raw", .is_raw = true};
        const struct vhd_create_options over_raw = {
                .type = VHD_DIFFERENCING, .size = SECTORS * 512, .parent = &raw};
        const struct vhd_create_options fixed = {.type = VHD_FIXED, .size = sectors_of(ctx, 0) * 512};
        AUTO(io_close) struct io_file *file = NULL;

        if (i == 0 && ctx->target == TARGET_RAW) {
                if (io_open(io, "/0.raw", IO_CREATE, &file, note))
                        return note->code;
                return io_truncate(file, sectors_of(ctx, 0) * 512, note);
        }
        if (i == 0 && ctx->target == TARGET_FIXED)
                return vhd_create(io, "/0.vhd", &fixed, NULL, note);
        if (i == 1 && ctx->target == TARGET_RAW)
                return vhd_create(io, "/1.vhd", &over_raw, NULL, note);
        return fixture_vhd(io, path_of(ctx, i), sectors_of(ctx, i) * 512, i ? path_of(ctx, i - 1) : NULL,
                           note);
}

/* Where its footer was when it was new, and is to be again, lies none any more. */
static enum err forget_footer(struct io *io, const char *path, uint64_t new_size, struct err_note *note) {
        static const uint8_t zeros[512];
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(io, path, IO_WRITE, &file, note) || io_stat(file, &stat, note))
                return note->code;
        return stat.size > new_size ? io_write(file, zeros, 512, new_size - 512, note) : ERR_NONE;
}

static enum err make_and_fill(struct images *images, struct ctx *ctx, unsigned i, struct fixture_dice *dice,
                              struct err_note *note) {
        struct io_stat stat;
        struct chain *chain;

        if (make_layer(images->io, ctx, i, note) || io_stat_path(images->io, path_of(ctx, i), &stat, note) ||
            chain_open(images, path_of(ctx, i), CHAIN_WRITE, &chain, note))
                return note->code;
        if (fill(chain, ctx, dice, i, note)) {
                chain_abandon(chain);
                return note->code;
        }
        if (chain_close(chain, note))
                return note->code;
        return i ? forget_footer(images->io, path_of(ctx, i), stat.size, note) : ERR_NONE;
}

static enum err setup(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        struct fixture_dice dice = {ctx->seed};
        struct images images;
        enum err e = ERR_NONE;

        memset(ctx->want, 0, sizeof ctx->want);
        images_init(&images, io, &images_options);
        for (unsigned i = 0; i < ctx->n && !e; i++)
                e = make_and_fill(&images, ctx, i, &dice, note);
        images_fini(&images);
        return e;
}

/* ---- the operation ---- */

static enum err coalesce(struct io *io, const struct ctx *ctx, struct err_note *note) {
        const struct file_coalesce_options options = {.target = path_of(ctx, 0),
                                                      .batch_bytes = ctx->batch_bytes,
                                                      .growth_bytes = images_options.growth_bytes};
        AUTO(file_coalesce_free) struct file_coalesce *c = NULL;
        bool is_done = false;

        if (file_coalesce_begin(io, child_of(ctx), &options, &c, note))
                return note->code;
        while (!is_done)
                if (file_coalesce_step(c, &is_done, note))
                        return note->code;
        return ERR_NONE;
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        return coalesce(io, user, note);
}

/* ---- the check ---- */

static enum err look(struct chain *chain, const struct ctx *ctx, const char *when, struct err_note *note) {
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

                                if (!is_sound || got != ctx->want[s])
                                        return sweep_violation(
                                                note, "%s: sector %llu is generation %llu, not %llu", when,
                                                (unsigned long long)s, (unsigned long long)got,
                                                (unsigned long long)ctx->want[s]);
                        }
                }
        return ERR_NONE;
}

static enum err check_reads(struct io *io, const struct ctx *ctx, const char *path, const char *when,
                            struct err_note *note) {
        struct chain *chain = NULL;
        struct images images;
        enum err e;

        images_init(&images, io, &images_options);
        e = chain_open(&images, path, CHAIN_READ, &chain, note);
        if (!e)
                e = look(chain, ctx, when, note);
        if (chain)
                chain_abandon(chain);
        images_fini(&images);
        return e;
}

static enum err read_bat(struct io *io, const char *path, uint32_t bat[BLOCKS], struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note))
                return note->code;
        if (meta.end_state == VHD_PART_DAMAGED)
                return sweep_violation(note, "%s ends without a footer", path);
        return vhd_meta_read_bat(file, &meta, bat, BLOCKS, note);
}

/* Of the layers above the target: how many blocks they hold. */
static enum err count_held(struct io *io, const struct ctx *ctx, unsigned *ret, struct err_note *note) {
        *ret = 0;
        for (unsigned i = 1; i < ctx->n; i++) {
                uint32_t bat[BLOCKS];

                if (read_bat(io, path_of(ctx, i), bat, note))
                        return note->code;
                for (unsigned block = 0; block < BLOCKS; block++) {
                        if (bat[block] == VHD_BAT_UNUSED)
                                continue;
                        if (!ctx->held[i][block])
                                return sweep_violation(note, "layer %u gained block %u", i, block);
                        (*ret)++;
                }
        }
        return ERR_NONE;
}

static bool has_intent(struct io *io, const struct ctx *ctx) {
        AUTO_FREE char *path = mem_format("/.%s.coalesce", child_of(ctx) + 1);
        struct err_note unused;
        struct io_stat stat;

        return io_stat_path(io, path, &stat, &unused) == ERR_NONE;
}

static enum err check_clean(struct io *io, const struct ctx *ctx, struct err_note *note) {
        for (unsigned i = ctx->target == TARGET_RAW; i < ctx->n; i++) {
                AUTO(findings_fini) struct findings findings = {0};

                if (vhd_check(io, path_of(ctx, i), VHD_CHECK_PARENT | VHD_CHECK_BITMAPS, &findings, note))
                        return note->code;
                if (findings.list.n > 0)
                        return sweep_violation(note, "%s: %s", path_of(ctx, i), findings.list.data[0].text);
        }
        return ERR_NONE;
}

/* A fixed VHD that is being grown may be whole only with its plan. */
static enum err check_at_once(struct io *io, const struct ctx *ctx, enum sweep_outcome outcome,
                              struct err_note *note) {
        unsigned n_held;

        if (!(ctx->target == TARGET_FIXED && ctx->is_small) &&
            check_reads(io, ctx, child_of(ctx), "at once", note))
                return note->code;
        if (count_held(io, ctx, &n_held, note))
                return note->code;
        if (outcome == SWEEP_DONE && n_held > 0)
                return sweep_violation(note, "it is done, and %u blocks are left", n_held);
        if (n_held > 0 && n_held < ctx->n_held && !has_intent(io, ctx))
                return sweep_violation(note, "%u of %u blocks were moved, and no intent says so",
                                       ctx->n_held - n_held, ctx->n_held);
        return ERR_NONE;
}

/* What was emptied has given its space back, also where an earlier one came no further than its BAT; and it
 * is as short as a new one. */
static enum err check_space(struct io *io, const struct ctx *ctx, struct err_note *note) {
        for (unsigned i = 1; i < ctx->n; i++) {
                struct io_stat stat;

                if (io_stat_path(io, path_of(ctx, i), &stat, note))
                        return note->code;
                if (max_u64(stat.size, stat.allocated) > 64 * KIB)
                        return sweep_violation(note, "%s is empty, has %llu bytes and takes %llu",
                                               path_of(ctx, i), (unsigned long long)stat.size,
                                               (unsigned long long)stat.allocated);
        }
        return ERR_NONE;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        const struct ctx *ctx = user;
        uint64_t n_changing;
        unsigned n_held;

        if (check_at_once(io, ctx, outcome, note) || coalesce(io, ctx, note) ||
            count_held(io, ctx, &n_held, note))
                return note->code;
        if (n_held > 0 || has_intent(io, ctx))
                return sweep_violation(note, "%u blocks or the intent are left", n_held);
        if (check_reads(io, ctx, child_of(ctx), "after the rest", note) ||
            check_reads(io, ctx, path_of(ctx, 0), "the target, after the rest", note) ||
            check_clean(io, ctx, note) || check_space(io, ctx, note))
                return note->code;
        n_changing = io_sim_count(io).changing;
        if (coalesce(io, ctx, note))
                return note->code;
        if (io_sim_count(io).changing != n_changing)
                return sweep_violation(note, "a coalesce of nothing changed something");
        return ERR_NONE;
}

/* ---- the sweeps ---- */

/* What the layers hold before: that much and no more may be there later. */
static void remember_held(struct ctx *ctx) {
        struct io *io = io_sim_new(1, 0);
        struct err_note note;

        assert_ok(setup(io, ctx, &note));
        for (unsigned i = 1; i < ctx->n; i++) {
                uint32_t bat[BLOCKS];

                assert_ok(read_bat(io, path_of(ctx, i), bat, &note));
                for (unsigned block = 0; block < BLOCKS; block++) {
                        ctx->held[i][block] = bat[block] != VHD_BAT_UNUSED;
                        ctx->n_held += ctx->held[i][block];
                }
        }
        assert_true(ctx->n_held > 1);
        io_free(io);
}

static void sweep(const char *name, struct ctx config, unsigned lacks) {
        struct ctx *ctx = mem_new(struct ctx);
        struct sweep s = {.name = name,
                          .ctx = ctx,
                          .setup = setup,
                          .operate = operate,
                          .check = check,
                          .lacks = lacks,
                          .recoveries = 2,
                          .max_points = 24};

        *ctx = config;
        remember_held(ctx);
        assert_int_equal(sweep_crash(&s, 6), 0);
        s.max_points = 12;
        assert_int_equal(sweep_fail(&s, 2), 0);
        free(ctx);
}

static void a_coalesce_into_the_parent_survives_every_fault(void **state) {
        (void)state;
        sweep("file-coalesce", (struct ctx){.seed = 3, .n = 2, .batch_bytes = 1}, 0);
}

static void a_coalesce_of_a_whole_run_survives_every_fault(void **state) {
        (void)state;
        sweep("file-coalesce-run", (struct ctx){.seed = 12, .n = 3, .batch_bytes = 1}, 0);
}

static void a_coalesce_that_grows_its_target_survives_every_fault(void **state) {
        (void)state;
        sweep("file-coalesce-grow", (struct ctx){.seed = 22, .n = 2, .is_small = true}, 0);
        sweep("file-coalesce-grow-fixed",
              (struct ctx){.seed = 23, .n = 2, .is_small = true, .target = TARGET_FIXED}, 0);
}

static void a_coalesce_into_a_raw_file_survives_every_fault(void **state) {
        (void)state;
        sweep("file-coalesce-raw", (struct ctx){.seed = 31, .n = 3, .target = TARGET_RAW, .is_small = true},
              0);
}

static void a_coalesce_survives_where_no_name_can_be_linked(void **state) {
        (void)state;
        sweep("file-coalesce-no-link", (struct ctx){.seed = 41, .n = 2, .batch_bytes = 1}, IO_SIM_NO_LINK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_coalesce_into_the_parent_survives_every_fault),
                cmocka_unit_test(a_coalesce_of_a_whole_run_survives_every_fault),
                cmocka_unit_test(a_coalesce_that_grows_its_target_survives_every_fault),
                cmocka_unit_test(a_coalesce_into_a_raw_file_survives_every_fault),
                cmocka_unit_test(a_coalesce_survives_where_no_name_can_be_linked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
