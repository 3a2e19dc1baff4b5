// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"

static void every_byte_is_two_digits_and_back(void **state) {
        uint8_t bytes[256], again[256];
        char text[513];

        (void)state;
        for (int i = 0; i < 256; i++)
                bytes[i] = (uint8_t)i;
        hex_format(bytes, sizeof bytes, text);
        assert_int_equal(strlen(text), 512);
        assert_memory_equal(text + 2 * 0x9a, "9a9b9c", 6);
        assert_true(hex_parse(text, again, sizeof again));
        assert_memory_equal(bytes, again, sizeof bytes);
        hex_format(bytes, 0, text);
        assert_string_equal(text, "");
        assert_true(hex_parse("", again, 0));
}

static void other_text_is_refused_and_changes_nothing(void **state) {
        static const char *const wrong[] = {"",     "0",    "01",   "012",  "01234", "012345",
                                            "01 3", "0x12", "01AB", "g000", "000/"};
        uint8_t bytes[2] = {7, 7};

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                assert_false(hex_parse(wrong[i], bytes, 2));
                assert_true(bytes[0] == 7 && bytes[1] == 7);
        }
}

static void a_digit_has_its_value_in_either_case(void **state) {
        (void)state;
        for (int c = 0; c < 256; c++) {
                char text[2] = {(char)c, 0}, *end;
                long value = strtol(text, &end, 16);

                assert_int_equal(hex_digit((char)c),
                                 c && !strchr(" \t\n\v\f\r+-", c) && *end == '\0' ? value : -1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_byte_is_two_digits_and_back),
                cmocka_unit_test(other_text_is_refused_and_changes_nothing),
                cmocka_unit_test(a_digit_has_its_value_in_either_case),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
