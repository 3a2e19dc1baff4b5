// SPDX-License-Identifier: Apache-2.0
#include "io_over.h"

#include "check.h"
#include "io_sim.h"

static enum err open_below(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                           struct err_note *note) {
        return io_below(io)->ops->open(io_below(io), path, flags, ret, note);
}

static enum err stat_below(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        return io_stat_path(io_below(io), path, ret, note);
}

static const struct io_ops ops = {IO_OVER_CLOCK, IO_OVER_LOOKS, IO_OVER_NAMES, .open = open_below,
                                  .stat_path = stat_below};

static void all_that_is_passed_on_is_done_below(void **state) {
        AUTO(io_free) struct io *below = io_sim_new(1, 0);
        struct io_over over = {.io.ops = &ops, .below = below};
        AUTO(io_names_fini) struct io_names names = {0};
        struct io *io = &over.io;
        struct io_file *file;
        struct io_space space, own;
        struct io_stat stat;
        struct err_note note;
        uint8_t dice[16] = {0}, none[16] = {0};
        uint64_t before = io_now_ns(below);

        (void)state;
        assert_ok(io_make_dir(io, "/dir", &note));
        assert_ok(io_make_private_dir(io, "/private", &note));
        assert_ok(io_open(io, "/dir/a", IO_CREATE, &file, &note));
        io_close(file);
        assert_ok(io_rename(io, "/dir/a", "/dir/b", &note));
        assert_ok(io_link(io, "/dir/b", "/dir/c", &note));
        assert_ok(io_list(io, "/dir", &names, &note));
        assert_int_equal(names.names.n, 2);
        assert_string_equal(names.names.data[0], "b");
        assert_ok(io_unlink(io, "/dir/b", &note));
        assert_ok(io_unlink(io, "/dir/c", &note));
        assert_ok(io_sync_dir(io, "/dir", &note));
        assert_ok(io_remove_dir(io, "/dir", &note));
        assert_int_equal(io_stat_path(below, "/dir", &stat, &note), ERR_NOT_FOUND);
        assert_ok(io_stat_path(below, "/private", &stat, &note));
        assert_ok(io_space(io, "/", &space, &note));
        assert_ok(io_space(below, "/", &own, &note));
        assert_int_equal(space.free, own.free);
        io_sleep_ns(io, 5);
        assert_true(io_now_ns(io) >= before + 5 && io_now_ns(below) >= before + 5);
        assert_int_equal(io_wall_ns(io), io_wall_ns(below));
        io_random(io, dice, sizeof dice);
        assert_memory_not_equal(dice, none, sizeof dice);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_is_passed_on_is_done_below),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
