// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "keep.h"

enum { DAY = 24 * 3600 };

/* Newest first: K kept as one of the last, - may go, D dated, U in use, O another name. */
static char letter(enum keep_why why) {
        switch (why) {
        case KEEP_OTHER_NAME:
                return 'O';
        case KEEP_LAST:
                return 'K';
        case KEEP_DATED:
                return 'D';
        case KEEP_IN_USE:
                return 'U';
        case KEEP_NOT:
                return '-';
        }
        return '?';
}

/* g: good, b: damaged, f: dated in the future, u: good and in use; each one newer than the one behind it. */
static void points_are_kept_by_the_table(void **state) {
        static const struct {
                const char *points, *want;
                unsigned last;
        } table[] = {
                {"", "", 3},         {"g", "K", 1},        {"gg", "K-", 1},     {"ggggg", "KKK--", 3},
                {"bggg", "KKK-", 2}, {"bbb", "KKK", 1},    {"bbgg", "KKK-", 1}, {"fggg", "DKK-", 2},
                {"ffg", "DDK", 1},   {"gfg", "KD-", 1},    {"gguu", "KKUU", 2}, {"gbgbg", "KKK--", 2},
                {"ggg", "OOO", 0},   {"ggg", "KKK", 1000}, {"gbbb", "K---", 1}, {"gf", "KD", 1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct keep_point points[8] = {0};
                size_t n = strlen(table[i].points);
                const struct keep_rule rule = {.last = table[i].last};
                char got[9] = "";

                for (size_t j = 0; j < n; j++) {
                        char kind = table[i].points[n - 1 - j];

                        points[j] =
                                (struct keep_point){.name = "vm",
                                                    .first_seen = (int64_t)(100 + j) * DAY,
                                                    .time = (int64_t)(100 + j + (kind == 'f' ? 3 : 0)) * DAY,
                                                    .is_good = kind == 'g' || kind == 'u' || kind == 'f',
                                                    .is_in_use = kind == 'u'};
                        points[j].point.b[0] = (uint8_t)(j + 1);
                }
                keep_choose(points, n, &rule);
                for (size_t j = 0; j < n; j++)
                        got[j] = letter(points[j].why);
                print_message("%s, last %u\n", table[i].points, table[i].last);
                assert_string_equal(got, table[i].want);
        }
}

static void each_name_has_its_own_last_ones(void **state) {
        struct keep_point points[6] = {{.name = "a", .first_seen = 6, .is_good = true},
                                       {.name = "b", .first_seen = 5, .is_good = true},
                                       {.name = "a", .first_seen = 4, .is_good = true},
                                       {.name = "b", .first_seen = 3, .is_good = false},
                                       {.name = "a", .first_seen = 2, .is_good = true},
                                       {.name = "c", .first_seen = 1, .is_good = false}};
        const struct keep_rule all = {.last = 1}, only_a = {.last = 2, .name = "a"};

        (void)state;
        keep_choose(points, 6, &all);
        assert_int_equal(points[0].why, KEEP_LAST);
        assert_int_equal(points[1].why, KEEP_NOT);
        assert_int_equal(points[2].why, KEEP_NOT);
        assert_string_equal(points[3].name, "b");
        assert_int_equal(points[3].why, KEEP_LAST);
        assert_int_equal(points[4].why, KEEP_NOT);
        assert_int_equal(points[5].why, KEEP_LAST);
        keep_choose(points, 6, &only_a);
        assert_int_equal(points[1].why, KEEP_LAST);
        assert_int_equal(points[2].why, KEEP_NOT);
        for (int i = 3; i < 6; i++)
                assert_int_equal(points[i].why, KEEP_OTHER_NAME);
}

static void those_seen_first_at_once_are_in_their_own_order(void **state) {
        struct keep_point points[2] = {{.name = "a", .first_seen = 9, .time = 1, .is_good = true},
                                       {.name = "a", .first_seen = 9, .time = 2, .is_good = true}};
        const struct keep_rule rule = {.last = 1};

        (void)state;
        keep_choose(points, 2, &rule);
        assert_int_equal(points[0].time, 2);
        assert_int_equal(points[0].why, KEEP_LAST);
        assert_int_equal(points[1].why, KEEP_NOT);
}

static void each_reason_has_its_words(void **state) {
        (void)state;
        for (enum keep_why why = KEEP_OTHER_NAME; why <= KEEP_NOT; why++)
                assert_true(strlen(keep_why_text(why)) > 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(points_are_kept_by_the_table),
                cmocka_unit_test(each_name_has_its_own_last_ones),
                cmocka_unit_test(those_seen_first_at_once_are_in_their_own_order),
                cmocka_unit_test(each_reason_has_its_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
