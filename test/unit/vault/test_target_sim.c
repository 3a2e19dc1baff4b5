// SPDX-License-Identifier: Apache-2.0
/* The weather of the simulated target: each kind of it does happen, what is promised holds in all of it, and
 * the same seed gives the same. */
#include "check.h"

#include "target_sim.h"

enum { OBJECTS = 60, SEED = 11 };

static size_t there(struct target_sim *sim) {
        size_t n = 0;

        while (target_sim_name(sim, n))
                n++;
        return n;
}

static bool is_listed(struct target *target, const char *name) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;
        bool is_found = false;

        assert_ok(target_list(target, "", &list, &note));
        VEC_EACH (&list.items, each)
                is_found = is_found || strcmp(each->name, name) == 0;
        return is_found;
}

static void name_of(unsigned i, char ret[16]) {
        (void)snprintf(ret, 16, "o/%u", i);
}

/* Puts so many objects; how many of the calls failed. */
static unsigned put_all(struct target *target) {
        unsigned failed = 0;
        struct err_note note;
        char name[16];

        for (unsigned i = 0; i < OBJECTS; i++) {
                name_of(i, name);
                failed += target_put(target, name, "x", 1, &note) != ERR_NONE;
        }
        return failed;
}

static void remove_all(struct target *target) {
        struct err_note note;
        char name[16];

        for (unsigned i = 0; i < OBJECTS; i++) {
                name_of(i, name);
                assert_ok(target_remove(target, name, &note));
        }
}

static void an_object_appears_late_in_listings_alone(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        unsigned looks[5] = {0}, kinds = 0;
        struct err_note note;

        (void)state;
        target_sim_set_weather(sim, &(struct target_sim_weather){.list_lag = 3});
        for (unsigned i = 0; i < OBJECTS; i++) {
                unsigned n = 0;
                uint64_t size;
                char name[16];

                name_of(i, name);
                assert_ok(target_put(target, name, "x", 1, &note));
                assert_ok(target_size(target, name, &size, &note));
                while (!is_listed(target, name))
                        assert_in_range(++n, 1, 3);
                looks[n]++;
        }
        for (unsigned i = 0; i < 4; i++)
                kinds += looks[i] > 0;
        assert_int_equal(kinds, 4);
}

static void what_was_removed_stays_in_listings_for_a_while(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        unsigned late = 0;

        (void)state;
        assert_int_equal(put_all(target), 0);
        target_sim_set_weather(sim, &(struct target_sim_weather){.list_lag = 1});
        remove_all(target);
        for (unsigned i = 0; i < 3; i++)
                late += is_listed(target, "o/0") || is_listed(target, "o/1") || is_listed(target, "o/2");
        assert_int_equal(there(sim), 0);
        target_sim_settle(sim);
        assert_false(is_listed(target, "o/0"));
        assert_true(late < 3);
}

static void a_put_comes_again_after_its_removal(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);

        (void)state;
        target_sim_set_weather(sim, &(struct target_sim_weather){.repeats = 500, .late = 1000});
        assert_int_equal(put_all(target), 0);
        remove_all(target);
        target_sim_settle(sim);
        assert_in_range(there(sim), 1, OBJECTS - 1);
}

static void a_removal_comes_late_or_never(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        size_t at_once;

        (void)state;
        assert_int_equal(put_all(target), 0);
        target_sim_set_weather(
                sim, &(struct target_sim_weather){.late_removes = 300, .lost_removes = 300, .late = 1000});
        remove_all(target);
        at_once = there(sim);
        target_sim_settle(sim);
        assert_in_range(there(sim), 1, at_once - 1);
}

static void a_failed_put_happens_or_not_or_later(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        unsigned failed;
        size_t before;

        (void)state;
        target_sim_set_weather(sim, &(struct target_sim_weather){.errors = 500, .late = 1000});
        failed = put_all(target);
        assert_in_range(failed, 1, OBJECTS - 1);
        before = there(sim);
        assert_in_range(before, OBJECTS - failed + 1, OBJECTS - 1);
        target_sim_settle(sim);
        assert_in_range(there(sim), before + 1, OBJECTS - 1);
}

static void the_same_seed_gives_the_same(void **state) {
        AUTO(target_sim_free) struct target_sim *first = target_sim_new(SEED);
        AUTO(target_sim_free) struct target_sim *second = NULL;
        const struct target_sim_weather weather = {.errors = 300, .repeats = 300, .list_lag = 2};

        (void)state;
        target_sim_set_weather(first, &weather);
        second = target_sim_fork(first);
        for (unsigned i = 0; i < 2; i++) {
                AUTO(target_close) struct target *target = target_sim_open(i ? second : first);

                (void)put_all(target);
        }
        assert_int_equal(there(first), there(second));
        for (size_t i = 0; i < there(first); i++)
                assert_string_equal(target_sim_name(first, i), target_sim_name(second, i));
}

static void a_call_fails_when_it_is_told_to(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        struct err_note note;
        uint64_t size;

        (void)state;
        target_sim_fail_at(sim, 2, ERR_NO_SPACE, false);
        assert_ok(target_put(target, "a", "x", 1, &note));
        assert_err(target_put(target, "b", "x", 1, &note), ERR_NO_SPACE, "b");
        assert_ok(target_put(target, "c", "x", 1, &note));
        assert_int_equal(there(sim), 2);
        target_sim_fail_at(sim, 1, ERR_IO, true);
        assert_err(target_put(target, "d", "x", 1, &note), ERR_IO, "d");
        assert_ok(target_size(target, "d", &size, &note));
}

static void nothing_is_heard_from_the_dead(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;
        uint64_t size;

        (void)state;
        target_sim_die_at(sim, 2, true);
        assert_ok(target_put(target, "a", "x", 1, &note));
        assert_ok(target_size(target, "a", &size, &note));
        assert_err(target_remove(target, "a", &note), ERR_IO, "dead");
        assert_true(target_sim_is_dead(sim));
        assert_err(target_list(target, "", &list, &note), ERR_IO, "dead");
        target_sim_restart(sim);
        assert_err(target_size(target, "a", &size, &note), ERR_NOT_FOUND, "a");
}

static void a_bit_can_be_flipped(void **state) {
        AUTO(target_sim_free) struct target_sim *sim = target_sim_new(SEED);
        AUTO(target_close) struct target *target = target_sim_open(sim);
        struct err_note note;
        char got;
        size_t n;

        (void)state;
        assert_ok(target_put(target, "a", "x", 1, &note));
        assert_true(target_sim_flip(sim, "a", 0, 1));
        assert_false(target_sim_flip(sim, "a", 1, 1));
        assert_false(target_sim_flip(sim, "b", 0, 1));
        assert_ok(target_read(target, "a", 0, &got, 1, &n, &note));
        assert_int_equal(got, 'x' ^ 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_object_appears_late_in_listings_alone),
                cmocka_unit_test(what_was_removed_stays_in_listings_for_a_while),
                cmocka_unit_test(a_put_comes_again_after_its_removal),
                cmocka_unit_test(a_removal_comes_late_or_never),
                cmocka_unit_test(a_failed_put_happens_or_not_or_later),
                cmocka_unit_test(the_same_seed_gives_the_same),
                cmocka_unit_test(a_call_fails_when_it_is_told_to),
                cmocka_unit_test(nothing_is_heard_from_the_dead),
                cmocka_unit_test(a_bit_can_be_flipped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
