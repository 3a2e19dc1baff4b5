// SPDX-License-Identifier: Apache-2.0
#include "xo_remote.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"

static const uint8_t key[XO_KEY_SIZE] = "0123456789abcdefghijklmnopqrstu", other[XO_KEY_SIZE] = "another";

static void write_text(struct io *io, const char *path, const char *text) {
        fixture_xo_write(io, path, text, strlen(text));
}

static void write_sealed(struct io *io, const char *path, const char *text) {
        const gnutls_datum_t secret = {(unsigned char *)(uintptr_t)key, sizeof key};
        gnutls_aead_cipher_hd_t handle;
        uint8_t bytes[200] = {0};
        size_t n = sizeof bytes - XO_NONCE_SIZE;

        assert_int_equal(gnutls_aead_cipher_init(&handle, GNUTLS_CIPHER_CHACHA20_POLY1305, &secret), 0);
        assert_int_equal(gnutls_aead_cipher_encrypt(handle, bytes, XO_NONCE_SIZE, NULL, 0, XO_TAG_SIZE, text,
                                                    strlen(text), bytes + XO_NONCE_SIZE, &n),
                         0);
        gnutls_aead_cipher_deinit(handle);
        fixture_xo_write(io, path, bytes, n + XO_NONCE_SIZE);
}

static void a_plain_one_is_read_as_it_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_remote_fini) struct xo_remote remote = {0};
        AUTO(buf_fini) struct buf got = {0};
        AUTO(io_names_fini) struct io_names names = {0};
        struct buf none = {0};
        struct err_note note;

        (void)state;
        assert_err(xo_remote_open(io, FIXTURE_XO, NULL, &remote, &note), ERR_NOT_FOUND, "no remote");
        write_text(io, "xo-vm-backups/a", "text");
        assert_ok(xo_remote_open(io, FIXTURE_XO, NULL, &remote, &note));
        assert_ok(xo_remote_read(&remote, "xo-vm-backups/a", 4, &got, &note));
        assert_string_equal(buf_text(&got), "text");
        assert_err(xo_remote_read(&remote, "xo-vm-backups/a", 3, &none, &note), ERR_TOO_LARGE, "more than 3");
        assert_err(xo_remote_read(&remote, "b", 3, &none, &note), ERR_NOT_FOUND, "/xo/b");
        assert_err(xo_remote_read(&remote, "xo-vm-backups", 3, &none, &note), ERR_INVALID, "a directory");
        assert_ok(xo_remote_list(&remote, "xo-vm-backups", &names, &note));
        assert_int_equal(names.names.n, 1);
}

static void an_encrypted_one_wants_its_key(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_remote_fini) struct xo_remote remote = {0};
        AUTO(buf_fini) struct buf got = {0};
        struct buf none = {0};
        struct err_note note;

        (void)state;
        write_sealed(io, "xo-vm-backups/a", "text");
        write_text(io, "encryption.json", "{\"algorithm\": \"chacha20-poly1305\"}");
        write_sealed(io, "metadata.json", "{\"random\": \"x\"}");
        assert_err(xo_remote_open(io, FIXTURE_XO, NULL, &remote, &note), ERR_DENIED, "--xo-key-file");
        assert_err(xo_remote_open(io, FIXTURE_XO, other, &remote, &note), ERR_DENIED, "does not open it");
        assert_ok(xo_remote_open(io, FIXTURE_XO, key, &remote, &note));
        assert_ok(xo_remote_read(&remote, "xo-vm-backups/a", 4, &got, &note));
        assert_string_equal(buf_text(&got), "text");
        write_text(io, "xo-vm-backups/a", "text that nobody has encrypted");
        assert_err(xo_remote_read(&remote, "xo-vm-backups/a", 100, &none, &note), ERR_CORRUPT, "/xo/xo-vm");
        buf_fini(&none);
}

static void another_way_of_encrypting_is_named(void **state) {
        static const struct {
                const char *text, *why;
                enum err err;
        } each[] = {
                {"{\"algorithm\": \"rot13\"}", "rot13", ERR_UNSUPPORTED},
                {"{}", "names no algorithm", ERR_CORRUPT},
                {"{", "encryption.json", ERR_CORRUPT},
        };
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct xo_remote remote;
        struct err_note note;

        (void)state;
        write_text(io, "xo-vm-backups/a", "text");
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
                write_text(io, "encryption.json", each[i].text);
                assert_err(xo_remote_open(io, FIXTURE_XO, key, &remote, &note), each[i].err, each[i].why);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_one_is_read_as_it_is),
                cmocka_unit_test(an_encrypted_one_wants_its_key),
                cmocka_unit_test(another_way_of_encrypting_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
