// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <sys/stat.h>

#include "daemon_tls.h"
#include "io/temp_dir.h"
#include "tls.h"

static struct daemon_tls_options options_of(const char *dir) {
        static const char *const more[] = {"storage-3.example"};

        return (struct daemon_tls_options){.state_dir = dir, .host = "storage-3", .more = more, .n_more = 1};
}

static void one_is_made_at_the_first_start_and_kept(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        const struct daemon_tls_options options = options_of(dir);
        AUTO(daemon_tls_fini) struct daemon_tls first = {0}, second = {0};
        AUTO(tls_keys_free) struct tls_keys *keys = NULL;
        struct tls_options loading;
        struct err_note note = {0};
        struct stat of_key;

        (void)state;
        assert_ok(daemon_tls_find(io, &options, &first, &note));
        assert_true(first.was_made);
        assert_int_equal(stat(first.key_file, &of_key), 0);
        assert_int_equal(of_key.st_mode & 0777, 0600);
        loading =
                (struct tls_options){.certificate_file = first.certificate_file, .key_file = first.key_file};
        assert_ok(tls_keys_load(&loading, &keys, &note));
        assert_ok(daemon_tls_find(io, &options, &second, &note));
        assert_false(second.was_made);
        assert_string_equal(first.fingerprint.s, second.fingerprint.s);
        assert_string_equal(first.pem, second.pem);
}

static void one_that_was_given_is_taken(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new(), *other = temp_dir_new();
        struct daemon_tls_options options = options_of(dir);
        AUTO(daemon_tls_fini) struct daemon_tls own = {0}, given = {0};
        AUTO_FREE char *tls = mem_format("%s/tls", other);
        struct err_note note = {0};

        (void)state;
        assert_ok(daemon_tls_find(io, &options, &own, &note));
        options = options_of(other);
        options.certificate = own.certificate_file;
        options.key = own.key_file;
        assert_ok(daemon_tls_find(io, &options, &given, &note));
        assert_string_equal(given.fingerprint.s, own.fingerprint.s);
        assert_false(given.was_made);
        assert_int_not_equal(access(tls, F_OK), 0);
}

static void what_is_no_certificate_is_named(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        struct daemon_tls_options options = options_of(dir);
        AUTO(daemon_tls_fini) struct daemon_tls none = {0}, empty = {0};
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = mem_format("%s/c.pem", dir);
        struct err_note note = {0};

        (void)state;
        options.certificate = options.key = path;
        assert_err(daemon_tls_find(io, &options, &none, &note), ERR_NOT_FOUND, "c.pem");
        assert_ok(io_open(io, path, IO_CREATE, &file, &note));
        assert_ok(io_write(file, "text", 4, 0, &note));
        assert_err(daemon_tls_find(io, &options, &empty, &note), ERR_CORRUPT,
                   "c.pem: this is no certificate");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_is_made_at_the_first_start_and_kept),
                cmocka_unit_test(one_that_was_given_is_taken),
                cmocka_unit_test(what_is_no_certificate_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
