// SPDX-License-Identifier: Apache-2.0
#include "xo_crypt.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "check.h"

static const uint8_t key[XO_KEY_SIZE] = "0123456789abcdefghijklmnopqrstu";

/* As the other side does it: nonce, what was encrypted, tag. */
static size_t seal(gnutls_cipher_algorithm_t algorithm, const char *text, uint8_t *ret, size_t room) {
        const gnutls_datum_t secret = {(unsigned char *)(uintptr_t)key, sizeof key};
        gnutls_aead_cipher_hd_t handle;
        size_t n = room - XO_NONCE_SIZE;

        memset(ret, 7, XO_NONCE_SIZE);
        assert_int_equal(gnutls_aead_cipher_init(&handle, algorithm, &secret), 0);
        assert_int_equal(gnutls_aead_cipher_encrypt(handle, ret, XO_NONCE_SIZE, NULL, 0, XO_TAG_SIZE, text,
                                                    strlen(text), ret + XO_NONCE_SIZE, &n),
                         0);
        gnutls_aead_cipher_deinit(handle);
        return n + XO_NONCE_SIZE;
}

static void what_fits_is_opened_and_no_other_bit(void **state) {
        static const gnutls_cipher_algorithm_t algorithms[] = {[XO_CHACHA20_POLY1305] =
                                                                       GNUTLS_CIPHER_CHACHA20_POLY1305,
                                                               [XO_AES_256_GCM] = GNUTLS_CIPHER_AES_256_GCM};
        uint8_t sealed[100], bytes[100];
        struct err_note note;
        size_t n, n_sealed;

        (void)state;
        for (enum xo_cipher cipher = XO_CHACHA20_POLY1305; cipher <= XO_AES_256_GCM; cipher++) {
                n_sealed = seal(algorithms[cipher], "a disk", sealed, sizeof sealed);
                n = n_sealed;
                memcpy(bytes, sealed, sizeof bytes);
                assert_ok(xo_decrypt(cipher, key, bytes, &n, &note));
                assert_int_equal(n, 6);
                assert_memory_equal(bytes, "a disk", 6);
                for (size_t i = 0; i < n_sealed; i++) {
                        n = n_sealed;
                        memcpy(bytes, sealed, sizeof bytes);
                        bytes[i] ^= 1;
                        assert_int_equal(xo_decrypt(cipher, key, bytes, &n, &note), ERR_CORRUPT);
                }
        }
        n = XO_NONCE_SIZE + XO_TAG_SIZE - 1;
        assert_err(xo_decrypt(XO_AES_256_GCM, key, bytes, &n, &note), ERR_CORRUPT, "too few");
}

static void what_is_plain_stays_so(void **state) {
        uint8_t bytes[] = "as it is";
        size_t n = sizeof bytes;
        struct err_note note;

        (void)state;
        assert_ok(xo_decrypt(XO_PLAIN, key, bytes, &n, &note));
        assert_int_equal(n, sizeof bytes);
        assert_string_equal((char *)bytes, "as it is");
}

static void ciphers_have_names(void **state) {
        enum xo_cipher cipher;
        struct err_note note;

        (void)state;
        assert_ok(xo_cipher_named("none", &cipher, &note));
        assert_int_equal(cipher, XO_PLAIN);
        assert_ok(xo_cipher_named("aes-256-gcm", &cipher, &note));
        assert_int_equal(cipher, XO_AES_256_GCM);
        assert_ok(xo_cipher_named("chacha20-poly1305", &cipher, &note));
        assert_int_equal(cipher, XO_CHACHA20_POLY1305);
        assert_err(xo_cipher_named("rot13", &cipher, &note), ERR_UNSUPPORTED, "rot13");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_fits_is_opened_and_no_other_bit),
                cmocka_unit_test(what_is_plain_stays_so),
                cmocka_unit_test(ciphers_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
