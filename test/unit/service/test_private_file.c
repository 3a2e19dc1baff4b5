// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io/temp_dir.h"
#include "io_sim.h"
#include "mem.h"
#include "private_file.h"

#include <sys/stat.h>

static void what_is_written_is_read_and_replaced_whole(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};
        struct io_names names = {0};

        (void)state;
        assert_ok(io_make_dir(io, "/state", &note));
        assert_err(private_file_read(io, "/state/x", &buf, &note), ERR_NOT_FOUND, "/state/x");
        assert_ok(private_file_write(io, "/state/x", "a long first text", 17, &note));
        assert_ok(private_file_write(io, "/state/x", "short", 5, &note));
        assert_ok(private_file_read(io, "/state/x", &buf, &note));
        assert_string_equal(buf_text(&buf), "short");
        assert_ok(io_list(io, "/state", &names, &note));
        assert_int_equal(names.names.n, 1);
        io_names_fini(&names);
}

static void what_a_crash_left_half_made_is_in_nobodys_way(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};
        struct io_stat stat;

        (void)state;
        assert_ok(io_open(io, "/x.new", IO_CREATE, &file, &note));
        assert_ok(io_write(file, "half of something longer", 24, 0, &note));
        assert_ok(private_file_write(io, "/x", "whole", 5, &note));
        assert_ok(io_stat_path(io, "/x", &stat, &note));
        assert_int_equal(stat.size, 5);
        assert_int_equal(io_stat_path(io, "/x.new", &stat, &note), ERR_NOT_FOUND);
}

static void what_cannot_be_such_a_file_is_not_read(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 8 << 20);
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(io_make_dir(io, "/folder", &note));
        assert_err(private_file_read(io, "/folder", &buf, &note), ERR_INVALID, "folder");
        assert_ok(io_open(io, "/large", IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, PRIVATE_FILE_MAX + 1, &note));
        assert_err(private_file_read(io, "/large", &buf, &note), ERR_TOO_LARGE, "too large");
        assert_int_equal(buf.n, 0);
}

static void nobody_else_may_read_it(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO_FREE char *path = mem_format("%s/secret", dir);
        struct err_note note = {0};
        struct stat stat_of;

        (void)state;
        umask(0);
        assert_ok(private_file_write(io, path, "x", 1, &note));
        assert_int_equal(stat(path, &stat_of), 0);
        assert_int_equal(stat_of.st_mode & 0777, 0600);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read_and_replaced_whole),
                cmocka_unit_test(what_a_crash_left_half_made_is_in_nobodys_way),
                cmocka_unit_test(what_cannot_be_such_a_file_is_not_read),
                cmocka_unit_test(nobody_else_may_read_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
