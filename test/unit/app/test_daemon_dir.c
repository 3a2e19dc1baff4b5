// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <sys/stat.h>

#include "daemon_dir.h"
#include "io/temp_dir.h"

static unsigned mode_of(const char *path) {
        struct stat stat_of;

        assert_int_equal(stat(path, &stat_of), 0);
        return stat_of.st_mode & 0777;
}

static void it_is_made_for_its_user_alone(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO(io_close) struct io_file *lock = NULL;
        AUTO_FREE char *path = mem_format("%s/var/lib/it", dir), *taken = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(daemon_dir_take(io, path, &taken, &lock, &note));
        assert_int_equal(mode_of(path), 0700);
        assert_true(taken[0] == '/');
}

static void one_that_others_may_look_into_is_closed_to_them(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO(io_close) struct io_file *lock = NULL;
        AUTO_FREE char *path = mem_format("%s/it", dir), *taken = NULL;
        struct err_note note = {0};

        (void)state;
        assert_int_equal(mkdir(path, 0755), 0);
        assert_ok(daemon_dir_take(io, path, &taken, &lock, &note));
        assert_int_equal(mode_of(path), 0700);
}

static void it_is_of_one_daemon_at_a_time(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO(io_close) struct io_file *lock = NULL, *other = NULL;
        AUTO_FREE char *path = mem_format("%s/it", dir), *taken = NULL, *again = NULL, *unused = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(daemon_dir_take(io, path, &taken, &lock, &note));
        assert_err(daemon_dir_take(io, path, &unused, &other, &note), ERR_BUSY,
                   "another daemon has the state");
        io_close(TAKE(lock));
        assert_ok(daemon_dir_take(io, path, &again, &other, &note));
}

static void a_file_in_its_place_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO(io_close) struct io_file *lock = NULL, *file = NULL;
        AUTO_FREE char *path = mem_format("%s/it", dir), *below = mem_format("%s/it/it", dir), *taken = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(io_open(io, path, IO_CREATE, &file, &note));
        assert_err(daemon_dir_take(io, path, &taken, &lock, &note), ERR_INVALID, "is no directory");
        assert_err(daemon_dir_take(io, below, &taken, &lock, &note), ERR_IO, "make directory");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_made_for_its_user_alone),
                cmocka_unit_test(one_that_others_may_look_into_is_closed_to_them),
                cmocka_unit_test(it_is_of_one_daemon_at_a_time),
                cmocka_unit_test(a_file_in_its_place_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
