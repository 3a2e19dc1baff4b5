// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "text.h"

static void sizes_are_read_as_people_write_them(void **state) {
        const struct {
                const char *text;
                uint64_t bytes;
        } rows[] = {{"0", 0},
                    {"512", 512},
                    {"64K", 65536},
                    {"64M", 67108864},
                    {"64MiB", 67108864},
                    {"1.5G", 1610612736},
                    {"2T", 2199023255552},
                    {"7B", 7}};
        const char *const wrong[] = {
                "", "M", "1.5", "-1", "64X", "64MM", "64 M", "99999999999999999999", "99999999999T"};
        uint64_t bytes;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                assert_true(text_parse_size(rows[i].text, &bytes));
                assert_true(bytes == rows[i].bytes);
        }
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
                assert_false(text_parse_size(wrong[i], &bytes));
}

static void durations_are_read_as_people_write_them(void **state) {
        static const struct {
                const char *text;
                uint64_t seconds;
        } good[] = {{"0", 0},     {"90", 90},   {"0s", 0},
                    {"15m", 900}, {"2h", 7200}, {"99999999d", 8639999913600}};
        static const char *const bad[] = {"", "s", "1x", "m15", "-1", "1.5h", "1 h", "100000000"};
        uint64_t got;

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                assert_true(text_parse_seconds(good[i].text, &got));
                assert_int_equal(got, good[i].seconds);
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_false(text_parse_seconds(bad[i], &got));
}

static void numbers_are_shown_short(void **state) {
        (void)state;
        assert_string_equal(text_size(0).s, "0 B");
        assert_string_equal(text_size(1536).s, "1.50 KiB");
        assert_string_equal(text_size(104857600).s, "100 MiB");
        assert_string_equal(text_rate(104857600, 1000000000).s, "100 MiB/s");
        assert_string_equal(text_duration(400000000).s, "0.4s");
        assert_string_equal(text_duration(200000000000).s, "3m 20s");
        assert_string_equal(text_time(946684800).s, "2000-01-01T00:00:00Z");
}

static void times_are_read_as_they_are_written(void **state) {
        static const int64_t right[] = {0,          -1,         946684800,    951827696,
                                        1732159242, 4102444799, 253402300799, -30610224000};
        static const char *const wrong[] = {
                "",
                "2026-11-21",
                "2026-11-21T03:20:42",
                "2026-11-21T03:20:42z",
                "2026-11-21 03:20:42Z",
                "2026-11-21T03:20:42ZZ",
                "2026-11-21T03:20:4ZZ",
                "2026-02-29T00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:00:60Z",
                " 026-01-01T00:00:00Z",
                "+026-01-01T00:00:00Z",
                "2026--1-01T00:00:00Z",
                "10000-01-01T00:00:0Z",
        };
        int64_t seconds;

        (void)state;
        for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
                assert_true(text_parse_time(text_time(right[i]).s, &seconds));
                assert_true(seconds == right[i]);
        }
        assert_true(text_parse_time("2024-11-21T03:20:42Z", &seconds));
        assert_true(seconds == 1732159242);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
                assert_false(text_parse_time(wrong[i], &seconds));
}

static void starts_and_ends(void **state) {
        (void)state;
        assert_true(text_ends_with("a.vhd", ".vhd"));
        assert_false(text_ends_with("vhd", ".vhd"));
        assert_true(text_starts_with("OLD_x", "OLD_"));
        assert_false(text_starts_with("OL", "OLD_"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_are_read_as_people_write_them),
                cmocka_unit_test(durations_are_read_as_people_write_them),
                cmocka_unit_test(numbers_are_shown_short),
                cmocka_unit_test(times_are_read_as_they_are_written),
                cmocka_unit_test(starts_and_ends),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
