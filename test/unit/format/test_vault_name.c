// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_name.h"

static void names_and_ids_are_their_digits(void **state) {
        static const char name_text[] = "000102030405060708090a0b0c0d0eff";
        static const char id_text[] = "000102030405060708090a0b0c0d0eff101112131415161718191a1b1c1d1e1f";
        struct vault_name name;
        struct vault_id id;

        (void)state;
        assert_true(vault_name_parse(name_text, &name));
        assert_int_equal(name.b[15], 0xff);
        assert_string_equal(vault_name_format(&name).s, name_text);
        assert_true(vault_id_parse(id_text, &id));
        assert_int_equal(id.b[31], 0x1f);
        assert_string_equal(vault_id_format(&id).s, id_text);
        assert_false(vault_name_parse(id_text, &name));
        assert_false(vault_id_parse(name_text, &id));
        assert_false(vault_name_parse("000102030405060708090A0B0C0D0EFF", &name));
}

static void nothing_but_zeros_is_null(void **state) {
        struct vault_name name = {0};
        struct vault_id id = {0};

        (void)state;
        assert_true(vault_name_is_null(&name));
        assert_true(vault_id_is_null(&id));
        name.b[15] = id.b[31] = 1;
        assert_false(vault_name_is_null(&name));
        assert_false(vault_id_is_null(&id));
}

static void they_are_ordered_as_their_text(void **state) {
        struct vault_name a = {{1, 0xff}}, b = {{2}};
        struct vault_id c = {{1, 0xff}}, d = {{2}};

        (void)state;
        assert_true(vault_name_compare(&a, &b) < 0 && vault_name_compare(&b, &a) > 0);
        assert_int_equal(vault_name_compare(&a, &a), 0);
        assert_true(vault_id_compare(&c, &d) < 0 && vault_id_compare(&d, &c) > 0);
        d = c;
        d.b[31]++;
        assert_true(vault_id_compare(&c, &d) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_and_ids_are_their_digits),
                cmocka_unit_test(nothing_but_zeros_is_null),
                cmocka_unit_test(they_are_ordered_as_their_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
