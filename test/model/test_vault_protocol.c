// SPDX-License-Identifier: Apache-2.0
/* Nobody who was told success loses a chunk; and leaving out any one rule makes somebody lose it. */
#include "check.h"

#include "vault_protocol.h"

/* Nobody of these is more than is needed for what is to be seen, since each costs ten times the states. */
static const struct protocol_setting one_writer = {
        .lags = true, .may_drop = true, .is_in = {1, 0, 1, 0, 1}, .parent = {1, 0}};
static const struct protocol_setting full_writer = {.lags = true, .may_drop = true, .is_in = {0, 1, 1, 0, 1}};
static const struct protocol_setting two_writers = {
        .lags = true, .may_drop = true, .is_in = {1, 1, 1, 0, 1}, .parent = {1, 0}};
static const struct protocol_setting two_pruners = {.lags = true, .may_drop = true, .is_in = {0, 1, 1, 1, 1}};
static const struct protocol_setting two_pruners_and_a_parent = {
        .lags = true, .may_drop = true, .is_in = {1, 0, 1, 1, 1}, .parent = {1, 0}};
static const struct protocol_setting two_copies = {
        .lags = true, .may_drop = true, .has_copy = true, .is_in = {0, 0, 1, 1, 1}};
static const struct protocol_setting a_line_of_points = {
        .may_drop = true, .is_in = {1, 1, 1, 0, 1}, .parent = {1, 2}};
static const struct protocol_setting cleaning = {
        .lags = true, .may_drop = true, .cleans = true, .is_in = {0, 1, 1, 0, 1}};
static const struct protocol_setting cleaning_in_line = {
        .may_drop = true, .cleans = true, .is_in = {1, 1, 1, 0, 1}, .parent = {1, 2}};
static const struct protocol_setting cleaning_twice = {
        .may_drop = true, .cleans = true, .is_in = {0, 1, 1, 1, 1}};
static const struct protocol_setting reading = {.lags = true,
                                                .may_drop = true,
                                                .reads = true,
                                                .copies = true,
                                                .is_in = {1, 1, 1, 0, 1},
                                                .parent = {0, 1}};
static const struct protocol_setting reading_what_comes = {
        .lags = true, .may_drop = true, .reads = true, .is_in = {1, 1, 1, 0, 1}, .parent = {0, 2}};
static const struct protocol_setting reading_among_two = {
        .may_drop = true, .has_copy = true, .reads = true, .is_in = {0, 1, 1, 1, 1}, .parent = {0, 1}};
static const struct protocol_setting reading_among_two_with_lag = {.lags = true,
                                                                   .may_drop = true,
                                                                   .has_copy = true,
                                                                   .reads = true,
                                                                   .is_in = {0, 1, 1, 1, 1},
                                                                   .parent = {0, 1}};
static const struct protocol_setting all = {.may_drop = true, .is_in = {1, 1, 1, 1, 1}, .parent = {1, 0}};
static const struct protocol_setting all_in_line = {
        .may_drop = true, .is_in = {1, 1, 1, 1, 1}, .parent = {1, 2}};

static void check(const struct protocol_setting *setting) {
        struct explore_found found = protocol_try(setting, false);

        print_message("%zu states\n", found.n_states);
        assert_false(found.is_bad);
        assert_true(found.n_states > 100);
}

static void a_writer_and_a_pruner(void **state) {
        (void)state;
        check(&one_writer);
        check(&full_writer);
}

static void two_writers_and_a_pruner(void **state) {
        (void)state;
        check(&two_writers);
        check(&a_line_of_points);
}

static void two_pruners_and_a_writer(void **state) {
        (void)state;
        check(&two_pruners);
        check(&two_pruners_and_a_parent);
        check(&two_copies);
}

static void two_of_each(void **state) {
        (void)state;
        check(&all_in_line);
        if (getenv("CATENA_SOAK"))
                check(&all);
}

static void what_will_never_count_is_removed(void **state) {
        (void)state;
        check(&cleaning);
        check(&cleaning_in_line);
        check(&cleaning_twice);
}

static void who_reads_finds_what_it_reads(void **state) {
        (void)state;
        check(&reading);
        check(&reading_what_comes);
        check(&reading_among_two);
        if (getenv("CATENA_SOAK"))
                check(&reading_among_two_with_lag);
}

static void each_rule_is_needed(void **state) {
        static const struct {
                enum rule without;
                const struct protocol_setting *where;
        } table[] = {
                {WRITER_SESSION_FIRST, &one_writer},
                {WRITER_WAITS_AFTER_SESSION, &one_writer},
                {WRITER_READS_DOOMS, &one_writer},
                {WRITER_DOOMS_BEFORE_LISTING, &one_writer},
                {WRITER_PARENT_AFTER_SESSION, &one_writer},
                {WRITER_PARENT_SEALED, &a_line_of_points},
                {WRITER_INDEX_IN_LISTING, &one_writer},
                {WRITER_WAITS_BEFORE_LOOK, &one_writer},
                {WRITER_LOOKS, &one_writer},
                {WRITER_SEALS_AFTER_LOOK, &a_line_of_points},
                {WRITER_WAITS_BEFORE_SECOND_LOOK, &cleaning},
                {WRITER_LOOKS_AGAIN, &cleaning},
                {PRUNER_COUNTS_UNSEALED, &one_writer},
                {PRUNER_DOOMS_BEFORE_LOOK, &one_writer},
                {PRUNER_WAITS_AFTER_DOOM, &one_writer},
                {PRUNER_SESSIONS_AGAIN, &one_writer},
                {PRUNER_BREAKS, &one_writer},
                {PRUNER_WAITS_AFTER_BREAK, &one_writer},
                {PRUNER_POINTS_AGAIN, &one_writer},
                {PRUNER_ALL_DOOMS, &two_copies},
                {PRUNER_DOOMS_BEFORE_COPIES, &two_copies},
                {PRUNER_CLEANS_ENDED, &cleaning},
                {PRUNER_WAITS_BEFORE_CLEANING, &cleaning},
                {PRUNER_SEES_GONE, &one_writer},
                {PRUNER_WAITS_AFTER_GONE, &one_writer},
                {PRUNER_DOOM_LAST, &one_writer},
                {PRUNER_LEAVES_OTHERS_DOOM, &all},
                {READER_SESSION_FIRST, &reading},
                {READER_WAITS_AFTER_SESSION, &reading_among_two_with_lag},
                {READER_LISTS_AFTER_SESSION, &reading},
                {READER_POINT_AFTER_SESSION, &reading},
                {PRUNER_SEES_READERS, &reading},
                {PRUNER_READERS_AFTER_POINTS, &reading_among_two},
                {PRUNER_WAITS_BEFORE_READERS, &reading_among_two_with_lag},
                {PRUNER_KEEPS_WHAT_IS_READ, &reading},
                {PRUNER_WAITS_FOR_READERS, &reading},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
                struct protocol_setting setting = *table[i].where;
                struct explore_found found;

                setting.without = table[i].without;
                found = protocol_try(&setting, true);
                print_message("without rule %d: lost after %u steps\n", (int)table[i].without, found.n_steps);
                assert_true(found.is_bad);
        }
}

/* These save work: without them a pruner names more and takes it back. */
static void some_rules_only_save_work(void **state) {
        static const enum rule table[] = {PRUNER_PACKS_FIRST, PRUNER_SKIPS_LIVE, PRUNER_TAKES_OVER};
        static const struct protocol_setting *const where[] = {&one_writer, &full_writer, &two_copies,
                                                               &a_line_of_points};

        (void)state;
        for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
                for (unsigned j = 0; j < sizeof where / sizeof *where; j++) {
                        struct protocol_setting setting = *where[j];

                        setting.without = table[i];
                        assert_false(protocol_try(&setting, false).is_bad);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_writer_and_a_pruner),
                cmocka_unit_test(two_writers_and_a_pruner),
                cmocka_unit_test(two_pruners_and_a_writer),
                cmocka_unit_test(two_of_each),
                cmocka_unit_test(what_will_never_count_is_removed),
                cmocka_unit_test(who_reads_finds_what_it_reads),
                cmocka_unit_test(each_rule_is_needed),
                cmocka_unit_test(some_rules_only_save_work),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
