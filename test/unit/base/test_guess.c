// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "guess.h"

static void distance_counts_changes(void **state) {
        (void)state;
        assert_int_equal(guess_distance("", ""), 0);
        assert_int_equal(guess_distance("list", "list"), 0);
        assert_int_equal(guess_distance("lst", "list"), 1);
        assert_int_equal(guess_distance("lsit", "list"), 1);
        assert_int_equal(guess_distance("export", "import"), 2);
        assert_int_equal(guess_distance("abc", ""), 3);
        assert_true(guess_distance("a word that is longer than any of ours", "list") > 20);
}

static void the_nearest_is_meant(void **state) {
        struct guess guess = {.word = "lsit"};

        (void)state;
        guess_try(&guess, "show");
        assert_null(guess.best);
        guess_try(&guess, "last");
        guess_try(&guess, "list");
        guess_try(&guess, "lint");
        assert_string_equal(guess.best, "list");
}

static void a_beginning_is_near(void **state) {
        struct guess guess = {.word = "cert"};

        (void)state;
        guess_try(&guess, "certificate");
        assert_string_equal(guess.best, "certificate");
}

static void nothing_is_near_to_another_word(void **state) {
        struct guess guess = {.word = "snapshot"};

        (void)state;
        guess_try(&guess, "listen");
        assert_null(guess.best);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(distance_counts_changes),
                cmocka_unit_test(the_nearest_is_meant),
                cmocka_unit_test(a_beginning_is_near),
                cmocka_unit_test(nothing_is_near_to_another_word),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
