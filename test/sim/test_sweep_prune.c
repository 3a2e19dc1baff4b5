// SPDX-License-Identifier: Apache-2.0
/* A prune of a vault in a directory under crashes and errors at every call: it lets two of three points go,
 * copies what is needed of a pack nearly empty, and deletes.  Whatever point is listed then restores bit for
 * bit, the last one always; the next prune ends, and the one after it finds nothing to do.
 */
#include "check.h"

#include "fixture_vault.h"
#include "prune.h"
#include "sweep.h"
#include "target_dir.h"

#define DIR "/vault"
enum { POINTS = 3 };

struct prune_ctx {
        bool is_encrypted;
        struct fixture_disk disks[POINTS]; /* owned */
        struct vault_name points[POINTS];
};

static void fini_ctx(struct prune_ctx *ctx) {
        for (unsigned i = 0; i < POINTS; i++)
                fixture_disk_fini(&ctx->disks[i]);
}
DEFINE_AUTO_IN_PLACE(struct prune_ctx, fini_ctx);

/* Each has the last chunk of the first, and others of its own. */
static void init_ctx(struct prune_ctx *ctx, bool is_encrypted) {
        *ctx = (struct prune_ctx){.is_encrypted = is_encrypted};
        for (unsigned i = 0; i < POINTS; i++) {
                fixture_disk_resize(&ctx->disks[i], 5 * FIXTURE_CHUNK);
                fixture_disk_write(&ctx->disks[i], 4 * FIXTURE_CHUNK, FIXTURE_CHUNK, 1);
                for (unsigned j = 0; j < (i == 0 ? 4 : 2); j++)
                        fixture_disk_write(&ctx->disks[i], (uint64_t)j * FIXTURE_CHUNK, FIXTURE_CHUNK,
                                           10 * i + j + 2);
        }
}

static enum err open_vault(struct io *io, const struct prune_ctx *ctx, struct vault **ret,
                           struct err_note *note) {
        struct target *target;

        if (target_dir_open(io, DIR, &target, note))
                return note->code;
        return fixture_vault_open(io, target, ctx->is_encrypted, ret, note);
}

static enum err setup(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct prune_ctx *ctx = user;
        struct target *target;

        if (target_dir_create(io, DIR, &target, note) ||
            fixture_vault_make(io, target, ctx->is_encrypted, &vault, note))
                return note->code;
        for (unsigned i = 0; i < POINTS; i++) {
                struct fixture_put how = {.n_threads = 1, .time = 1000 + i};

                if (fixture_put_disk(vault, &ctx->disks[i], &how, &ctx->points[i], note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err prune_all(struct vault *vault, uint64_t *ret_done, struct err_note *note) {
        const struct prune_options options = {.keep = {.last = 1}, .fill = 50};
        AUTO(prune_free) struct prune *prune = NULL;
        bool is_over = false;

        if (prune_begin(vault, &options, &prune, note))
                return note->code;
        while (!is_over)
                if (prune_step(prune, &is_over, note))
                        return note->code;
        *ret_done = prune_report(prune)->n_removed + prune_report(prune)->n_let_go +
                    prune_report(prune)->n_repacked;
        return ERR_NONE;
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        uint64_t ignored;

        if (open_vault(io, user, &vault, note))
                return note->code;
        return prune_all(vault, &ignored, note);
}

/* A simulated machine that was cut off draws the same numbers again, a real one does not: names that are
 * there move it on. */
static enum err roll_on(struct io *io, struct vault *vault, struct err_note *note) {
        AUTO(target_list_fini) struct target_list objects = {0};
        unsigned n = 1;

        if (target_list(vault->target, "", &objects, note))
                return note->code;
        VEC_EACH (&objects.items, each)
                for (const char *at = each->name; *at; at++)
                        n = n * 31 + (unsigned char)*at;
        for (n %= 1009; n > 0; n--)
                (void)io_random_u64(io);
        return ERR_NONE;
}

static enum err check_points(struct vault *vault, const struct prune_ctx *ctx, struct err_note *note) {
        AUTO(points_fini) struct points points = {0};
        bool has_last = false;

        if (points_list(vault, &points, note))
                return note->code;
        VEC_EACH (&points.list, point)
                for (unsigned i = 0; i < POINTS; i++)
                        if (vault_name_compare(&point->name, &ctx->points[i]) == 0) {
                                has_last |= i == POINTS - 1;
                                if (fixture_check_disk(vault, &point->name, &ctx->disks[i], note))
                                        return err_wrap(note, "point %u", i);
                        }
        return has_last ? ERR_NONE : sweep_violation(note, "the last point is gone");
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        uint64_t n_done;

        if (open_vault(io, user, &vault, note) || roll_on(io, vault, note) ||
            check_points(vault, user, note) || prune_all(vault, &n_done, note))
                return note->code;
        if (outcome == SWEEP_DONE && n_done > 0)
                return sweep_violation(note, "a second prune found something to do");
        if (check_points(vault, user, note) || prune_all(vault, &n_done, note))
                return note->code;
        if (n_done > 0)
                return sweep_violation(note, "a third prune found something to do");
        return check_points(vault, user, note);
}

static void every_point_stays_readable(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(fini_ctx) struct prune_ctx ctx = {0};
                const struct sweep sweep = {.name = is_encrypted ? "prune_encrypted" : "prune",
                                            .ctx = &ctx,
                                            .setup = setup,
                                            .operate = operate,
                                            .check = check,
                                            .max_points = is_encrypted ? 20 : 90,
                                            .recoveries = 1};

                init_ctx(&ctx, is_encrypted);
                assert_int_equal(sweep_all(&sweep, is_encrypted ? 1 : 2), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_point_stays_readable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
