// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "secret.h"

static void print(const struct secret_hash *hash, char ret[65]) {
        for (size_t i = 0; i < sizeof hash->b; i++)
                snprintf(ret + 2 * i, 3, "%02x", hash->b[i]);
}

static void the_quick_hash_is_sha256(void **state) {
        struct secret_hash hash = secret_quick("abc");
        char text[65];

        (void)state;
        print(&hash, text);
        assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void the_keyed_hash_is_another_under_another_key(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        struct secret_key one = secret_key(io), two = secret_key(io);
        struct secret_hash a = secret_keyed(&one, "x"), b = secret_keyed(&one, "x"),
                           c = secret_keyed(&two, "x"), d = secret_keyed(&one, "y");

        (void)state;
        assert_true(secret_equal(&a, &b));
        assert_false(secret_equal(&a, &c));
        assert_false(secret_equal(&a, &d));
}

static void the_slow_hash_is_another_with_another_salt(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        struct secret_key one = secret_key(io), two = secret_key(io);
        struct err_note note = {0};
        struct secret_hash a, b, c;

        (void)state;
        assert_ok(secret_slow(&one, "x", &a, &note));
        assert_ok(secret_slow(&one, "x", &b, &note));
        assert_ok(secret_slow(&two, "x", &c, &note));
        assert_true(secret_equal(&a, &b));
        assert_false(secret_equal(&a, &c));
}

static void one_bit_makes_hashes_differ(void **state) {
        struct secret_hash hash = secret_quick("abc");

        (void)state;
        for (size_t bit = 0; bit < 8 * sizeof hash.b; bit++) {
                struct secret_hash other = hash;

                other.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_false(secret_equal(&hash, &other));
        }
}

static void a_secret_text_has_every_letter_and_no_other(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        unsigned seen[256] = {0}, n = 0;
        char text[25];

        (void)state;
        for (unsigned i = 0; i < 200; i++) {
                secret_text(io, text, 24);
                assert_int_equal(strlen(text), 24);
                for (unsigned j = 0; j < 24; j++)
                        n += seen[(uint8_t)text[j]]++ == 0;
                assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz234567"), 24);
        }
        assert_int_equal(n, 32);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_quick_hash_is_sha256),
                cmocka_unit_test(the_keyed_hash_is_another_under_another_key),
                cmocka_unit_test(the_slow_hash_is_another_with_another_salt),
                cmocka_unit_test(one_bit_makes_hashes_differ),
                cmocka_unit_test(a_secret_text_has_every_letter_and_no_other),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
