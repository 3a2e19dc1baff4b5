// SPDX-License-Identifier: Apache-2.0
#include "xo_import.h"

#include <string.h>

#include "check.h"
#include "fixture_vault.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "mem.h"
#include "target_sim.h"

struct place {
        struct io *io;             /* owned */
        struct target_sim *target; /* owned */
        struct vault *vault;       /* owned */
        struct xo_remote remote;
};

static void add_day(struct place *place, unsigned day, const char *blocks) {
        fixture_xo_disk(place->io, day, blocks, day - 1);
        fixture_xo_meta(place->io, day);
}

static void open_place(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), false, &place->vault, &note));
        add_day(place, 1, "ab.");
        add_day(place, 2, "x..");
        assert_ok(xo_remote_open(place->io, FIXTURE_XO, NULL, &place->remote, &note));
}

static void close_place(struct place *place) {
        xo_remote_fini(&place->remote);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

/* bytes: how many each that was put said it would read. */
static struct xo_import_count import_all(struct place *place, const uint64_t *bytes, size_t n_left) {
        const struct xo_import_options options = {.n_threads = 1};
        AUTO(xo_import_free) struct xo_import *import = NULL;
        struct xo_import_todo todo;
        struct err_note note;
        size_t n;

        assert_ok(xo_import_begin(place->vault, &place->remote, &options, &import, &note));
        while (xo_import_todo(import, &todo)) {
                assert_int_equal(todo.bytes, *bytes++);
                assert_ok(xo_import_step(import, &note));
        }
        (void)xo_import_left(import, &n);
        assert_int_equal(n, n_left);
        return xo_import_count(import);
}

/* Each as a text of three letters, a dot for a block of zeros. */
static void assert_vault_has(struct place *place, const char *const *days, size_t n, bool has_parents) {
        AUTO(points_fini) struct points points = {0};
        struct err_note note;

        assert_ok(points_list(place->vault, &points, &note));
        assert_int_equal(points.list.n, n);
        for (size_t i = 0; i < n; i++) {
                AUTO(fixture_disk_fini) struct fixture_disk disk = {0};

                fixture_disk_resize(&disk, FIXTURE_XO_BLOCKS * VHD_BLOCK_SIZE);
                for (unsigned block = 0; block < FIXTURE_XO_BLOCKS; block++)
                        memset(disk.bytes.data + block * VHD_BLOCK_SIZE,
                               days[i][block] == '.' ? 0 : days[i][block], VHD_BLOCK_SIZE);
                assert_ok(fixture_check_disk(place->vault, &points.list.data[i].name, &disk, &note));
                if (has_parents && i > 0)
                        assert_memory_equal(&points.list.data[i].manifest.parent,
                                            &points.list.data[i - 1].name, sizeof(struct vault_name));
        }
}

static void points_come_as_what_their_vhds_hold_and_once(void **state) {
        static const uint64_t bytes[] = {FIXTURE_XO_BLOCKS * VHD_BLOCK_SIZE, VHD_BLOCK_SIZE, VHD_BLOCK_SIZE};
        static const char *const days[] = {"ab.", "xb.", "xbz"};
        AUTO(close_place) struct place place = {0};
        struct xo_import_count count;

        (void)state;
        open_place(&place);
        count = import_all(&place, bytes, 0);
        assert_int_equal(count.n_put, 2);
        assert_vault_has(&place, days, 2, true);
        count = import_all(&place, bytes, 0);
        assert_true(count.n_there == 2 && count.n_put == 0 && count.read == 0);
        add_day(&place, 3, "..z");
        fixture_xo_remove(place.io, FIXTURE_XO_VMS "/20260102T020000Z.json");
        count = import_all(&place, bytes + 2, 0);
        assert_true(count.n_points == 2 && count.n_put == 1 && count.read == VHD_BLOCK_SIZE);
        assert_vault_has(&place, days, 3, true);
}

static void one_that_is_broken_is_left_out(void **state) {
        static const uint64_t bytes[] = {FIXTURE_XO_BLOCKS * VHD_BLOCK_SIZE, VHD_BLOCK_SIZE};
        static const char *const days[] = {"ab."};
        AUTO(close_place) struct place place = {0};
        struct xo_import_count count;

        (void)state;
        open_place(&place);
        fixture_xo_write(place.io, FIXTURE_XO_FOLDER "/data/20260102T020000Z.vhd/blocks/0/0", "cut", 3);
        count = import_all(&place, bytes, 1);
        assert_true(count.n_points == 2 && count.n_put == 1);
        assert_vault_has(&place, days, 1, true);
}

static void a_vault_that_fails_ends_it(void **state) {
        const struct xo_import_options options = {.n_threads = 1};
        AUTO(close_place) struct place place = {0};
        AUTO(xo_import_free) struct xo_import *import = NULL;
        struct xo_import_todo todo;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(xo_import_begin(place.vault, &place.remote, &options, &import, &note));
        assert_true(xo_import_todo(import, &todo));
        target_sim_fail_at(place.target, 1, ERR_NO_SPACE, false);
        assert_err(xo_import_step(import, &note), ERR_NO_SPACE, "20260101T020000Z");
}

/* One call that fails, whichever: what is put is what was there, and the next run has the rest. */
static bool try_with_error_at(uint64_t nth) {
        static const char *const days[] = {"ab.", "xb."};
        const struct xo_import_options options = {.n_threads = 1};
        AUTO(close_place) struct place place = {0};
        AUTO(xo_import_free) struct xo_import *import = NULL;
        AUTO(xo_import_free) struct xo_import *again = NULL;
        struct xo_import_todo todo;
        struct err_note note;
        bool has_fired;

        open_place(&place);
        io_sim_fail_at(place.io, nth, ERR_IO, false);
        if (!xo_import_begin(place.vault, &place.remote, &options, &import, &note))
                while (xo_import_todo(import, &todo) && !xo_import_step(import, &note))
                        ;
        has_fired = io_sim_fired(place.io);
        io_sim_heal(place.io);
        assert_ok(xo_import_begin(place.vault, &place.remote, &options, &again, &note));
        while (xo_import_todo(again, &todo))
                assert_ok(xo_import_step(again, &note));
        assert_vault_has(&place, days, 2, false);
        return has_fired;
}

static void no_error_of_the_remote_makes_another_point(void **state) {
        uint64_t nth = 1;

        (void)state;
        while (try_with_error_at(nth))
                nth += getenv("CATENA_SOAK") ? 1 : 3;
        assert_true(nth > 30);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_come_as_what_their_vhds_hold_and_once),
                cmocka_unit_test(one_that_is_broken_is_left_out),
                cmocka_unit_test(a_vault_that_fails_ends_it),
                cmocka_unit_test(no_error_of_the_remote_makes_another_point),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
