// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "cleanup.h"
#include "rate.h"

#define SECOND ((uint64_t)1000000000)

static void at_first_nothing_can_be_said(void **state UNUSED) {
        struct rate rate = {0};

        assert_int_equal(rate_now(&rate), 0);
        rate_begin(&rate, 5 * SECOND, 0);
        assert_int_equal(rate_now(&rate), 0);
        assert_true(rate_left_ns(&rate, 1000) == UINT64_MAX);
        rate_add(&rate, 5 * SECOND + 1000, 500);
        assert_int_equal(rate_now(&rate), 0);
}

static void what_was_done_before_it_began_does_not_count(void **state UNUSED) {
        struct rate rate = {0};

        rate_begin(&rate, 0, 1000000);
        rate_add(&rate, SECOND, 1000100);
        assert_int_equal(rate_now(&rate), 100);
        assert_int_equal(rate_left_ns(&rate, 1000300), 2 * SECOND);
}

static void what_is_long_past_is_forgotten(void **state UNUSED) {
        struct rate rate = {0};
        uint64_t done = 0;

        rate_begin(&rate, 0, 0);
        for (uint64_t i = 1; i <= 100; i++)
                rate_add(&rate, i * SECOND / 10, done += 100);
        assert_int_equal(rate_now(&rate), 1000);
        for (uint64_t i = 101; i <= 200; i++)
                rate_add(&rate, i * SECOND / 10, done += 10);
        assert_int_equal(rate_now(&rate), 100);
}

static void more_than_all_cannot_be_left(void **state UNUSED) {
        struct rate rate = {0};

        rate_begin(&rate, 0, 0);
        rate_add(&rate, SECOND, 1000);
        assert_int_equal(rate_left_ns(&rate, 1000), 0);
        assert_true(rate_left_ns(&rate, 999) == UINT64_MAX);
        assert_true(rate_left_ns(&rate, 0) == UINT64_MAX);
}

/* Fast and slow by turns, each for longer than the seconds that rate_now looks at. */
static void what_is_left_follows_the_last_minute(void **state UNUSED) {
        struct rate rate = {0};
        uint64_t done = 0, left;

        rate_begin(&rate, 0, 0);
        for (uint64_t i = 1; i <= 600; i++)
                rate_add(&rate, i * SECOND / 10, done += (i - 1) / 60 % 2 ? 300 : 100);
        assert_int_equal(rate_now(&rate), 3000);
        left = rate_left_ns(&rate, done + 2000 * 100);
        assert_in_range(left, 95 * SECOND, 105 * SECOND);
}

static void what_was_longer_ago_than_a_minute_does_not_count(void **state UNUSED) {
        struct rate rate = {0};
        uint64_t done = 0;

        rate_begin(&rate, 0, 0);
        for (uint64_t i = 1; i <= 1000; i++)
                rate_add(&rate, i * SECOND / 10, done += 100);
        for (uint64_t i = 1001; i <= 1700; i++)
                rate_add(&rate, i * SECOND / 10, done += 10);
        assert_int_equal(rate_left_ns(&rate, done + 100 * 70), 70 * SECOND);
}

static void what_stands_still_has_no_time_left_that_could_be_told(void **state UNUSED) {
        struct rate rate = {0};

        rate_begin(&rate, 0, 0);
        rate_add(&rate, SECOND, 1000);
        assert_int_equal(rate_left_ns(&rate, 2000), SECOND);
        for (uint64_t i = 11; i <= 100; i++)
                rate_add(&rate, i * SECOND / 10, 1000);
        assert_int_equal(rate_now(&rate), 0);
        assert_true(rate_left_ns(&rate, 2000) == UINT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(at_first_nothing_can_be_said),
                cmocka_unit_test(what_was_done_before_it_began_does_not_count),
                cmocka_unit_test(what_is_long_past_is_forgotten),
                cmocka_unit_test(more_than_all_cannot_be_left),
                cmocka_unit_test(what_is_left_follows_the_last_minute),
                cmocka_unit_test(what_was_longer_ago_than_a_minute_does_not_count),
                cmocka_unit_test(what_stands_still_has_no_time_left_that_could_be_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
