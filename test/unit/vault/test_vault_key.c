// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "vault_key.h"

static struct io *machine(void) {
        struct io *io = io_sim_new(1, 1 << 20);

        io_sim_settle(io);
        return io;
}

static void write_file(struct io *io, const char *path, const void *data, size_t n, unsigned flags) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        (void)!io_unlink(io, path, &note);
        assert_ok(io_open(io, path, IO_CREATE | IO_WRITE | flags, &file, &note));
        assert_ok(io_write(file, data, n, 0, &note));
}

static void a_key_file_that_was_made_is_read(void **state) {
        AUTO(io_free) struct io *io = machine();
        AUTO(vault_key_fini) struct vault_key made = {0};
        AUTO(vault_key_fini) struct vault_key read = {0};
        AUTO(vault_key_fini) struct vault_key other = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_key_make_file(io, "/key", &made, &note));
        assert_ok(vault_key_read_file(io, "/key", &read, &note));
        assert_int_equal(read.kind, VAULT_SLOT_KEY_FILE);
        assert_memory_equal(made.bytes, read.bytes, sizeof made.bytes);
        assert_ok(vault_key_make_file(io, "/other", &other, &note));
        assert_memory_not_equal(made.bytes, other.bytes, sizeof made.bytes);
}

static void a_key_file_is_never_replaced(void **state) {
        AUTO(io_free) struct io *io = machine();
        AUTO(vault_key_fini) struct vault_key made = {0};
        AUTO(vault_key_fini) struct vault_key read = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_key_make_file(io, "/key", &made, &note));
        assert_err(vault_key_make_file(io, "/key", &read, &note), ERR_EXISTS, "/key");
        assert_ok(vault_key_read_file(io, "/key", &read, &note));
        assert_memory_equal(made.bytes, read.bytes, sizeof made.bytes);
}

static void what_is_no_key_file_is_said_by_its_name(void **state) {
        AUTO(io_free) struct io *io = machine();
        AUTO(vault_key_fini) struct vault_key key = {0};
        uint8_t bytes[33] = {1};
        static const uint8_t zeros[32];
        struct err_note note = {0};

        (void)state;
        assert_err(vault_key_read_file(io, "/key", &key, &note), ERR_NOT_FOUND, "/key");
        write_file(io, "/key", bytes, 32, 0);
        assert_err(vault_key_read_file(io, "/key", &key, &note), ERR_DENIED, "others may read /key");
        write_file(io, "/key", bytes, 31, IO_PRIVATE);
        assert_err(vault_key_read_file(io, "/key", &key, &note), ERR_INVALID, "it has 31 bytes");
        write_file(io, "/key", bytes, 33, IO_PRIVATE);
        assert_err(vault_key_read_file(io, "/key", &key, &note), ERR_INVALID, "it has 33 bytes");
        write_file(io, "/key", zeros, 32, IO_PRIVATE);
        assert_err(vault_key_read_file(io, "/key", &key, &note), ERR_INVALID, "it is zeros");
}

static void a_passphrase_is_the_first_line(void **state) {
        static const char *files[] = {"a b c", "a b c\n", "a b c\r\nmore", "a b c\n\n"};
        AUTO(io_free) struct io *io = machine();
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
                AUTO(vault_key_fini) struct vault_key key = {0};

                write_file(io, "/words", files[i], strlen(files[i]), IO_PRIVATE);
                assert_ok(vault_key_read_passphrase(io, "/words", &key, &note));
                assert_int_equal(key.kind, VAULT_SLOT_PASSPHRASE);
                assert_string_equal(key.passphrase, "a b c");
                /* nothing of what followed it stays in memory */
                assert_true(bytes_are_zero(key.passphrase + 5, sizeof key.passphrase - 5));
        }
}

static void what_is_no_passphrase_is_refused_and_not_told(void **state) {
        AUTO(io_free) struct io *io = machine();
        AUTO(vault_key_fini) struct vault_key key = {0};
        char text[VAULT_PASSPHRASE_MAX + 1];
        struct err_note note = {0};

        (void)state;
        memset(text, 'x', sizeof text);
        write_file(io, "/words", "", 0, IO_PRIVATE);
        assert_err(vault_key_read_passphrase(io, "/words", &key, &note), ERR_INVALID, "is empty");
        write_file(io, "/words", "\nwords", 6, IO_PRIVATE);
        assert_err(vault_key_read_passphrase(io, "/words", &key, &note), ERR_INVALID, "is empty");
        write_file(io, "/words", "secret\0words\n", 13, IO_PRIVATE);
        assert_err(vault_key_read_passphrase(io, "/words", &key, &note), ERR_INVALID, "a zero byte");
        assert_null(strstr(note.text, "secret"));
        write_file(io, "/words", text, sizeof text, IO_PRIVATE);
        assert_err(vault_key_read_passphrase(io, "/words", &key, &note), ERR_TOO_LARGE, "at most");
        assert_null(strstr(note.text, "xxx"));
        write_file(io, "/words", text, VAULT_PASSPHRASE_MAX - 1, IO_PRIVATE);
        assert_ok(vault_key_read_passphrase(io, "/words", &key, &note));
        write_file(io, "/words", text, 10, 0);
        assert_err(vault_key_read_passphrase(io, "/words", &key, &note), ERR_DENIED, "others may read");
}

/* Death at each call that changes anything, and failure of each call. */
static void a_key_file_is_whole_or_not_there_whatever_happens(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < IO_SIM_STYLES; seed++) {
                bool died = true;

                for (uint64_t n = 1; died; n++) {
                        AUTO(io_free) struct io *io = machine();
                        AUTO(vault_key_fini) struct vault_key made = {0};
                        AUTO(vault_key_fini) struct vault_key read = {0};
                        struct err_note note = {0};
                        enum err result;

                        io_sim_die_at(io, n, seed % 2 ? IO_SIM_DURING : IO_SIM_BEFORE);
                        result = vault_key_make_file(io, "/key", &made, &note);
                        died = io_sim_is_dead(io);
                        io_sim_crash(io, seed);
                        if (result == ERR_NONE) {
                                assert_ok(vault_key_read_file(io, "/key", &read, &note));
                                assert_memory_equal(read.bytes, made.bytes, sizeof made.bytes);
                        } else {
                                enum err seen = vault_key_read_file(io, "/key", &read, &note);

                                assert_true(seen == ERR_NONE || seen == ERR_NOT_FOUND);
                        }
                }
        }
        for (uint64_t n = 1;; n++) {
                AUTO(io_free) struct io *io = machine();
                AUTO(vault_key_fini) struct vault_key key = {0};
                struct err_note note = {0};

                io_sim_fail_at(io, n, ERR_IO, false);
                if (vault_key_make_file(io, "/key", &key, &note) == ERR_NONE)
                        break;
                assert_int_equal(io_sim_open_files(io), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_file_that_was_made_is_read),
                cmocka_unit_test(a_key_file_is_never_replaced),
                cmocka_unit_test(what_is_no_key_file_is_said_by_its_name),
                cmocka_unit_test(a_passphrase_is_the_first_line),
                cmocka_unit_test(what_is_no_passphrase_is_refused_and_not_told),
                cmocka_unit_test(a_key_file_is_whole_or_not_there_whatever_happens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
