// SPDX-License-Identifier: Apache-2.0
/* Points that are exported for Xen Orchestra under crashes and errors at every call: what metadata names is
 * whole and reads as the point does [X2], and the next run has the rest.
 */
#include "check.h"

#include <string.h>

#include "chain.h"
#include "fixture_vault.h"
#include "mem.h"
#include "sweep.h"
#include "target_dir.h"
#include "xo_export.h"
#include "xo_points.h"

#define VAULT "/vault"
#define XO    "/xo"

struct ctx {
        struct fixture_disk first, second; /* owned; in the order of time */
};

static enum err open_vault(struct io *io, struct vault **ret, struct err_note *note) {
        struct target *target;

        if (target_dir_open(io, VAULT, &target, note))
                return note->code;
        return fixture_vault_open(io, target, false, ret, note);
}

static enum err make_vault(struct io *io, struct err_note *note) {
        AUTO(vault_close) struct vault *made = NULL;
        struct target *target;

        if (target_dir_create(io, VAULT, &target, note))
                return note->code;
        return fixture_vault_make(io, target, false, &made, note);
}

static enum err set_up(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_name parent, name;
        struct fixture_put options = {.n_threads = 1, .time = 1000};

        if (ctx->first.size == 0) {
                fixture_disk_resize(&ctx->first, 2 * MIB + 700);
                fixture_disk_write(&ctx->first, 100, FIXTURE_CHUNK, 1);
                fixture_disk_write(&ctx->first, 2 * MIB, 700, 2);
                fixture_disk_resize(&ctx->second, 2 * MIB + 700);
                memcpy(ctx->second.bytes.data, ctx->first.bytes.data, ctx->first.size);
                fixture_disk_write(&ctx->second, 5, 10, 3);
        }
        if (make_vault(io, note) || io_make_dir(io, XO, note) || io_sync_dir(io, "/", note) ||
            open_vault(io, &vault, note) || fixture_put_disk(vault, &ctx->first, &options, &parent, note))
                return note->code;
        options = (struct fixture_put){.n_threads = 1, .time = 2000, .parent = &parent};
        return fixture_put_disk(vault, &ctx->second, &options, &name, note);
}

static enum err operate(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(points_fini) struct points points = {0};
        struct xo_export export = {.io = io, .dir = XO};

        (void)user;
        if (open_vault(io, &vault, note) || points_list(vault, &points, note))
                return note->code;
        export.vault = vault;
        VEC_EACH (&points.list, point) {
                AUTO(xo_exported_fini) struct xo_exported got = {0};

                if (xo_export_point(&export, point, &got, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err check_disk(struct io *io, const struct xo_point *point, const struct fixture_disk *want,
                           struct err_note *note) {
        AUTO_FREE char *path = mem_format(XO "/%s/%s", point->folder, point->meta.disks.data[0].vhd);
        AUTO_FREE uint8_t *bytes = mem_zero(want->size);
        struct images images;
        struct chain *chain;
        enum err err;

        images_init(&images, io, &(struct images_options){.is_read_only = true});
        err = chain_open(&images, path, CHAIN_READ, &chain, note);
        if (!err) {
                err = chain_read(chain, bytes, want->size, 0, note);
                chain_abandon(chain);
        }
        images_fini(&images);
        if (!err && memcmp(bytes, want->bytes.data, want->size) != 0)
                return sweep_violation(note, "%s reads otherwise", path);
        return err;
}

static enum err check_points(struct io *io, const struct ctx *ctx, size_t *ret, struct err_note *note) {
        AUTO(xo_remote_fini) struct xo_remote remote = {0};
        AUTO(xo_points_fini) struct xo_points points = {0};
        enum err err = xo_remote_open(io, XO, NULL, &remote, note);

        *ret = 0;
        if (err == ERR_NOT_FOUND)
                return ERR_NONE;
        if (err || xo_points_list(&remote, &points, note))
                return note->code;
        if (points.left.n > 0)
                return sweep_violation(note, "half a document: %s", points.left.data[0].why);
        VEC_EACH (&points.list, point)
                if (check_disk(io, point, point->meta.time == 1000000 ? &ctx->first : &ctx->second, note))
                        return note->code;
        *ret = points.list.n;
        return ERR_NONE;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        static uint64_t n_checks;
        struct ctx *ctx = user;
        size_t n;

        io_sim_reseed(io, 1000000 + ++n_checks); /* as another process: no name is drawn twice */
        if (check_points(io, ctx, &n, note))
                return note->code;
        if (outcome == SWEEP_DONE && n != 2)
                return sweep_violation(note, "%zu points are listed", n);
        if (operate(io, ctx, note) || check_points(io, ctx, &n, note))
                return note->code;
        return n == 2 ? ERR_NONE : sweep_violation(note, "after another run %zu points are listed", n);
}

static void what_is_listed_is_whole_and_the_next_run_has_the_rest(void **state) {
        struct ctx ctx = {0};
        const struct sweep sweep = {.name = "export_xo",
                                    .setup = set_up,
                                    .operate = operate,
                                    .check = check,
                                    .ctx = &ctx,
                                    .max_points = 40,
                                    .recoveries = 1};

        (void)state;
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
        fixture_disk_fini(&ctx.first);
        fixture_disk_fini(&ctx.second);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_listed_is_whole_and_the_next_run_has_the_rest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
