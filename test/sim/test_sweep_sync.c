// SPDX-License-Identifier: Apache-2.0
/* Points that go from vault to vault under crashes and errors at every call, of either: what counts in the
 * second reads as it did in the first, a second run sends the rest, a third nothing, and the first has lost
 * nothing.  Both are plain: signing takes nearly all the time, and changes no call.
 */
#include "check.h"

#include "fixture_vault.h"
#include "sweep.h"
#include "sync.h"
#include "target_dir.h"
#include "verify.h"

#define FROM "/from"
#define TO   "/to"

struct ctx {
        struct fixture_disk first, second; /* owned; in the order of time */
};

static enum err open_vault(struct io *io, const char *dir, struct vault **ret, struct err_note *note) {
        struct target *target;

        if (target_dir_open(io, dir, &target, note))
                return note->code;
        return fixture_vault_open(io, target, false, ret, note);
}

static enum err make_vault(struct io *io, const char *dir, struct err_note *note) {
        AUTO(vault_close) struct vault *made = NULL;
        struct target *target;

        if (target_dir_create(io, dir, &target, note))
                return note->code;
        return fixture_vault_make(io, target, false, &made, note);
}

static enum err set_up(struct io *io, void *user, struct err_note *note) {
        struct ctx *ctx = user;
        AUTO(vault_close) struct vault *from = NULL;
        struct vault_name parent, name;
        struct fixture_put options = {.n_threads = 1, .time = 1000};

        if (ctx->first.size == 0) {
                fixture_disk_resize(&ctx->first, 4 * FIXTURE_CHUNK);
                fixture_disk_write(&ctx->first, 100, 2 * FIXTURE_CHUNK, 1);
                fixture_disk_resize(&ctx->second, 5 * FIXTURE_CHUNK + 7);
                fixture_disk_write(&ctx->second, 100, 2 * FIXTURE_CHUNK, 1);
                fixture_disk_write(&ctx->second, 2 * FIXTURE_CHUNK, FIXTURE_CHUNK, 2);
        }
        if (make_vault(io, FROM, note) || make_vault(io, TO, note) || open_vault(io, FROM, &from, note) ||
            fixture_put_disk(from, &ctx->first, &options, &parent, note))
                return note->code;
        options = (struct fixture_put){.n_threads = 1, .time = 2000, .parent = &parent};
        return fixture_put_disk(from, &ctx->second, &options, &name, note);
}

static enum err sync_once(struct io *io, struct sync_count *ret, size_t *ret_left, struct err_note *note) {
        const struct sync_options options = {.n_threads = 1};
        AUTO(vault_close) struct vault *from = NULL;
        AUTO(vault_close) struct vault *to = NULL;
        AUTO(sync_free) struct sync *sync = NULL;
        struct sync_todo todo;

        if (open_vault(io, FROM, &from, note) || open_vault(io, TO, &to, note) ||
            sync_begin(from, to, &options, &sync, note))
                return note->code;
        while (sync_todo(sync, &todo))
                if (sync_step(sync, note))
                        return note->code;
        *ret = sync_count(sync);
        (void)sync_left(sync, ret_left);
        return ERR_NONE;
}

/* A point that could not be read is left out: nobody is told that all is there. */
static enum err operate(struct io *io, void *user, struct err_note *note) {
        struct sync_count count;
        size_t n_left = 0;

        (void)user;
        if (sync_once(io, &count, &n_left, note))
                return note->code;
        if (n_left > 0)
                return err_set(note, ERR_IO, "%zu points were left out", n_left);
        return ERR_NONE;
}

static enum err check_points(struct io *io, const struct ctx *ctx, const char *dir, size_t *ret,
                             struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(points_fini) struct points points = {0};

        if (open_vault(io, dir, &vault, note) || points_list(vault, &points, note))
                return note->code;
        VEC_EACH (&points.list, point) {
                bool is_first = point->manifest.time == 1000;

                if (fixture_check_disk(vault, &point->name, is_first ? &ctx->first : &ctx->second, note))
                        return err_wrap(note, "%s, point of %s", dir, is_first ? "first" : "second");
        }
        *ret = points.list.n;
        return ERR_NONE;
}

static enum err check_clean(struct io *io, const char *dir, struct err_note *note) {
        const struct verify_options options = {.n_threads = 1};
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(verify_report_fini) struct verify_report report = {0};

        if (open_vault(io, dir, &vault, note) || verify(vault, &options, &report, note))
                return note->code;
        if (report.findings.n > 0)
                return sweep_violation(note, "%s: %zu findings", dir, report.findings.n);
        return ERR_NONE;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        static uint64_t n_checks;
        struct ctx *ctx = user;
        struct sync_count again, nothing;
        size_t n_there, n_from, n_left = 0;

        io_sim_reseed(io, 1000000 + ++n_checks); /* as another process: no name is drawn twice */
        if (check_points(io, ctx, TO, &n_there, note) || check_points(io, ctx, FROM, &n_from, note))
                return note->code;
        if (n_from != 2 || (outcome == SWEEP_DONE && n_there != 2))
                return sweep_violation(note, "%zu and %zu points are there", n_from, n_there);
        if (sync_once(io, &again, &n_left, note))
                return note->code;
        if (again.n_there != n_there || again.n_sent + n_there != 2 || n_left > 0)
                return sweep_violation(note, "of %zu points %llu are there, and %llu were sent", n_there,
                                       (unsigned long long)again.n_there, (unsigned long long)again.n_sent);
        if (check_points(io, ctx, TO, &n_there, note) || check_clean(io, TO, note) ||
            check_clean(io, FROM, note) || sync_once(io, &nothing, &n_left, note))
                return note->code;
        if (n_there != 2 || nothing.n_sent > 0)
                return sweep_violation(note, "a third run sends something");
        return ERR_NONE;
}

static void what_counts_is_whole_and_the_next_run_sends_the_rest(void **state) {
        struct ctx ctx = {0};
        const struct sweep sweep = {.name = "vault_sync",
                                    .setup = set_up,
                                    .operate = operate,
                                    .check = check,
                                    .ctx = &ctx,
                                    .max_points = 15,
                                    .recoveries = 1};

        (void)state;
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
        fixture_disk_fini(&ctx.first);
        fixture_disk_fini(&ctx.second);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_counts_is_whole_and_the_next_run_sends_the_rest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
