// SPDX-License-Identifier: Apache-2.0
/* Verify of a damaged vault under crashes and errors at every call: what it puts of its own (what is damaged,
 * when it read what) is whole or not there, and the next run says all of it.
 */
#include "check.h"

#include "fixture_vault.h"
#include "mem.h"
#include "sweep.h"
#include "taints.h"
#include "target_dir.h"
#include "verify.h"

#define DIR    "/vault"
#define RECORD "/record"

static enum err open_vault(struct io *io, struct vault **ret, struct err_note *note) {
        struct target *target;

        if (target_dir_open(io, DIR, &target, note))
                return note->code;
        return fixture_vault_open(io, target, true, ret, note);
}

/* The first pack has another byte in its first blob from then on. */
static enum err damage(struct io *io, struct vault *vault, struct err_note *note) {
        AUTO(target_list_fini) struct target_list packs = {0};
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = NULL;
        uint8_t byte;

        if (target_list(vault->target, "packs/", &packs, note))
                return note->code;
        path = mem_format(DIR "/%s", packs.items.data[0].name);
        if (io_open(io, path, IO_WRITE, &file, note) || io_read(file, &byte, 1, 100, note))
                return note->code;
        byte ^= 1;
        if (io_write(file, &byte, 1, 100, note))
                return note->code;
        return io_sync(file, note);
}

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        AUTO(vault_close) struct vault *made = NULL;
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct target *target;
        struct vault_name point;

        (void)ctx;
        fixture_disk_resize(&disk, 3 * FIXTURE_CHUNK);
        fixture_disk_write(&disk, 100, 2 * FIXTURE_CHUNK, 1);
        if (target_dir_create(io, DIR, &target, note) || fixture_vault_make(io, target, true, &made, note) ||
            open_vault(io, &vault, note) || fixture_put_disk(vault, &disk, NULL, &point, note))
                return note->code;
        return damage(io, vault, note);
}

static enum err verify_once(struct io *io, struct verify_report *ret, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        const struct verify_options options = {.record = RECORD, .records_taint = true, .n_threads = 1};

        if (open_vault(io, &vault, note))
                return note->code;
        return verify(vault, &options, ret, note);
}

static enum err operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(verify_report_fini) struct verify_report report = {0};

        (void)ctx;
        if (verify_once(io, &report, note))
                return note->code;
        if (report.n_damaged_points != 1)
                return err_set(note, ERR_MISMATCH, "the damaged point is not told");
        return ERR_NONE;
}

static enum err check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        AUTO(verify_report_fini) struct verify_report again = {0};

        static uint64_t n_checks;

        (void)ctx;
        io_sim_reseed(io, 1000000 + ++n_checks); /* as another process: no name is drawn twice */
        if (open_vault(io, &vault, note) || taints_read(vault, &taint, note))
                return note->code;
        /* A read that failed once is told as damage, and found to be none by the next run. */
        if (outcome == SWEEP_DONE && (taint.places.n < 1 || taint.points.n != 1))
                return sweep_violation(note, "what was told is not recorded");
        if (verify_once(io, &again, note))
                return note->code;
        if (again.findings.n != 2 || again.n_damaged_points != 1)
                return sweep_violation(note, "%zu findings, %llu damaged points", again.findings.n,
                                       (unsigned long long)again.n_damaged_points);
        return ERR_NONE;
}

static void what_is_told_is_recorded_and_nothing_else_is_lost(void **state) {
        const struct sweep sweep = {.name = "vault_verify",
                                    .setup = set_up,
                                    .operate = operate,
                                    .check = check,
                                    .max_points = 30,
                                    .recoveries = 2};

        (void)state;
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_told_is_recorded_and_nothing_else_is_lost),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
