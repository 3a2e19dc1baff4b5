// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "uuid.h"

static void text_and_bytes_agree(void **state) {
        const char *text = "036594ed-0000-4abc-8def-0123456789ab";
        struct uuid u, v;

        (void)state;
        assert_true(uuid_parse(text, &u));
        assert_string_equal(uuid_format(&u).s, text);
        assert_true(uuid_parse("036594ED-0000-4ABC-8DEF-0123456789AB", &v));
        assert_true(uuid_equal(&u, &v));
        assert_false(uuid_is_null(&u));
}

static void what_is_no_uuid_is_refused(void **state) {
        const char *const wrong[] = {"",
                                     "036594ed",
                                     "036594ed-0000-4abc-8def-0123456789a",
                                     "036594ed-0000-4abc-8def-0123456789abc",
                                     "036594ed00000-4abc-8def-0123456789ab",
                                     "g36594ed-0000-4abc-8def-0123456789ab"};
        struct uuid u;

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
                assert_false(uuid_parse(wrong[i], &u));
}

static void random_ones_are_version_4(void **state) {
        uint8_t dice[16];
        struct uuid u;

        (void)state;
        memset(dice, 0xff, sizeof dice);
        u = uuid_from_random(dice);
        assert_string_equal(uuid_format(&u).s, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_and_bytes_agree),
                cmocka_unit_test(what_is_no_uuid_is_refused),
                cmocka_unit_test(random_ones_are_version_4),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
