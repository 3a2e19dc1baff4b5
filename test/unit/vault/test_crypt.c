// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "crypt.h"

static size_t unhex(const char *text, uint8_t *ret) {
        size_t n = 0;

        for (; text[0]; text += 2, n++) {
                unsigned byte;

                assert_int_equal(sscanf(text, "%2x", &byte), 1);
                ret[n] = (uint8_t)byte;
        }
        return n;
}
static void same(const void *got, const char *want) {
        uint8_t bytes[256];

        assert_memory_equal(got, bytes, unhex(want, bytes));
}

static void hkdf_gives_the_published_keys(void **state) {
        static const struct {
                const char *input, *salt, *info, *want;
        } cases[] = {
                /* RFC 5869, A.1 and A.3 */
                {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
                 "f0f1f2f3f4f5f6f7f8f9",
                 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
                {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
                 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                uint8_t input[64], salt[64], info[64], ret[42];
                size_t n = unhex(cases[i].input, input), n_salt = unhex(cases[i].salt, salt),
                       n_info = unhex(cases[i].info, info);

                crypt_hkdf(crypt_span(input, n), crypt_span(salt, n_salt), crypt_span(info, n_info), ret,
                           sizeof ret);
                same(ret, cases[i].want);
        }
}

static void macs_are_the_published_ones_in_whatever_parts(void **state) {
        /* RFC 4231, 4.2: its key of 20 bytes means the same filled up with zeros */
        struct span parts[] = {crypt_span("Hi ", 3), crypt_span("", 0), crypt_span("There", 5)};
        struct crypt_key key = {0};
        uint8_t mac[32];

        (void)state;
        memset(key.b, 0x0b, 20);
        crypt_mac(&key, parts, 3, mac);
        same(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

/* Test cases 13 to 16 of the GCM specification. */
static const struct {
        const char *key, *nonce, *bound, *open, *sealed;
} gcm[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
         "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16"
         "aedf5aa0de657ba637b391aafd255",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f"
         "61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16"
         "aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f"
         "61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
};

static void gcm_gives_the_published_bytes_and_takes_them_back(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof gcm / sizeof *gcm; i++) {
                struct crypt_key key;
                struct crypt_nonce nonce;
                uint8_t bound[32], open[64], sealed[80], back[64];
                size_t n_bound = unhex(gcm[i].bound, bound), n = unhex(gcm[i].open, open);

                unhex(gcm[i].key, key.b);
                unhex(gcm[i].nonce, nonce.b);
                AUTO(crypt_cipher_free) struct crypt_cipher *cipher = crypt_cipher_new(&key);
                crypt_cipher_seal(cipher, &nonce, crypt_span(bound, n_bound), open, n, sealed);
                same(sealed, gcm[i].sealed);
                assert_true(crypt_cipher_open(cipher, &nonce, crypt_span(bound, n_bound), sealed,
                                              n + VAULT_TAG_SIZE, back));
                assert_memory_equal(back, open, n);
        }
}

static void sealing_in_place_is_the_same_at_every_length(void **state) {
        static uint8_t data[5000 + VAULT_TAG_SIZE], sealed[5000 + VAULT_TAG_SIZE];
        struct crypt_key key = {{1}};
        AUTO(crypt_cipher_free) struct crypt_cipher *cipher = crypt_cipher_new(&key);
        struct span bound = crypt_span("bound", 5);

        (void)state;
        for (size_t n = 0; n <= 5000; n += n < 600 ? 1 : 331) {
                struct crypt_nonce nonce = crypt_nonce_of(n);

                for (size_t i = 0; i < n; i++)
                        data[i] = (uint8_t)(i * 7 + n);
                crypt_cipher_seal(cipher, &nonce, bound, data, n, sealed);
                crypt_cipher_seal(cipher, &nonce, bound, data, n, data);
                assert_memory_equal(data, sealed, n + VAULT_TAG_SIZE);
                assert_true(crypt_cipher_open(cipher, &nonce, bound, data, n + VAULT_TAG_SIZE, data));
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(data[i], (uint8_t)(i * 7 + n));
        }
}

static void what_was_changed_anywhere_does_not_open(void **state) {
        struct crypt_key key = {{1}}, other = {{2}};
        struct span bound = crypt_span("bound", 5);
        uint8_t sealed[21 + VAULT_TAG_SIZE], ret[21];

        (void)state;
        crypt_seal_once(&key, bound, "twenty-one bytes here", 21, sealed);
        assert_true(crypt_open_once(&key, bound, sealed, sizeof sealed, ret));
        assert_false(crypt_open_once(&other, bound, sealed, sizeof sealed, ret));
        assert_false(crypt_open_once(&key, crypt_span("bounds", 6), sealed, sizeof sealed, ret));
        assert_false(crypt_open_once(&key, crypt_span("", 0), sealed, sizeof sealed, ret));
        assert_false(crypt_open_once(&key, bound, sealed, sizeof sealed - 1, ret));
        assert_false(crypt_open_once(&key, bound, sealed, VAULT_TAG_SIZE - 1, ret));
        for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
                sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_false(crypt_open_once(&key, bound, sealed, sizeof sealed, ret));
                sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
}

static void nonces_are_numbers_of_twelve_bytes(void **state) {
        struct crypt_nonce nonce = crypt_nonce_of(0x0102030405060708);

        (void)state;
        same(nonce.b, "000000000102030405060708");
}

static void signatures_are_the_published_ones(void **state) {
        /* RFC 8032, 7.1, tests 1 to 3 */
        static const struct {
                const char *seed, *public, *message, *signature;
        } cases[] = {
                {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
                 "9b4"
                 "6bd25bf5f0595bbe24655141438e7a100b"},
                {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
                 "11d"
                 "8c387b2eaeb4302aeeb00d291612bb0c00"},
                {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
                 "dc6"
                 "594a7c15e9716ed28dc027beceea1ec40a"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                uint8_t seed[32], public[32], message[8], signature[64];
                size_t n = unhex(cases[i].message, message);

                unhex(cases[i].seed, seed);
                crypt_public_of(seed, public);
                same(public, cases[i].public);
                crypt_sign(seed, public, crypt_span(message, n), signature);
                same(signature, cases[i].signature);
                assert_true(crypt_verify(public, crypt_span(message, n), signature));
                assert_false(crypt_verify(public, crypt_span("zz", 2), signature));
                for (size_t bit = 0; bit < sizeof signature * 8; bit++) {
                        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_false(crypt_verify(public, crypt_span(message, n), signature));
                        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                public[3] ^= 4;
                assert_false(crypt_verify(public, crypt_span(message, n), signature));
        }
}

static void a_key_is_wiped_when_its_scope_ends(void **state) {
        struct crypt_key key = {{1, 2, 3}};

        (void)state;
        crypt_key_fini(&key);
        assert_true(bytes_are_zero(&key, sizeof key));
        assert_true(crypt_equal("abc", "abc", 3));
        assert_false(crypt_equal("abc", "abd", 3));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hkdf_gives_the_published_keys),
                cmocka_unit_test(macs_are_the_published_ones_in_whatever_parts),
                cmocka_unit_test(gcm_gives_the_published_bytes_and_takes_them_back),
                cmocka_unit_test(sealing_in_place_is_the_same_at_every_length),
                cmocka_unit_test(what_was_changed_anywhere_does_not_open),
                cmocka_unit_test(nonces_are_numbers_of_twelve_bytes),
                cmocka_unit_test(signatures_are_the_published_ones),
                cmocka_unit_test(a_key_is_wiped_when_its_scope_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
