// SPDX-License-Identifier: Apache-2.0
#include "target_retry.h"

#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "target_sim.h"

enum { SECOND = 1000000000 };

struct place {
        struct io *io;
        struct target_sim *sim;
        struct target *target;
        unsigned n_waits;
        char why[200];
        atomic_bool stop;
};

static void on_wait(void *user, const char *why, uint64_t wait_ns) {
        struct place *place = user;

        assert_true(wait_ns > 0);
        place->n_waits++;
        snprintf(place->why, sizeof place->why, "%s", why);
}

static void open_place(struct place *place, uint64_t patience_s) {
        const struct target_retry_options options = {
                .patience_ns = patience_s * SECOND, .waits = on_wait, .user = place, .stop = &place->stop};

        place->io = io_sim_new(1, 0);
        place->sim = target_sim_new(1);
        place->target = target_retry_new(place->io, target_sim_open(place->sim), &options);
}

static void close_place(struct place *place) {
        target_close(place->target);
        target_sim_free(place->sim);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void what_passes_is_tried_again(void **state) {
        static const enum err codes[] = {ERR_IO, ERR_BUSY, ERR_CLOSED, ERR_NO_SPACE};

        (void)state;
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                for (int after = 0; after < 2; after++) {
                        AUTO(close_place) struct place place = {0};
                        AUTO(buf_fini) struct buf got = {0};
                        AUTO(target_list_fini) struct target_list list = {0};
                        uint64_t size;
                        struct err_note note;

                        open_place(&place, 60);
                        target_sim_fail_at(place.sim, 1, codes[i], after);
                        assert_ok(target_put(place.target, "a/b", "text", 4, &note));
                        assert_int_equal(place.n_waits, 1);
                        assert_non_null(strstr(place.why, "asked for"));
                        target_sim_fail_at(place.sim, 1, codes[i], after);
                        assert_ok(target_get(place.target, "a/b", 10, &got, &note));
                        assert_memory_equal(got.data, "text", 4);
                        target_sim_fail_at(place.sim, 1, codes[i], after);
                        assert_ok(target_list(place.target, "a/", &list, &note));
                        assert_int_equal(list.items.n, 1);
                        target_sim_fail_at(place.sim, 1, codes[i], after);
                        assert_ok(target_size(place.target, "a/b", &size, &note));
                        target_sim_fail_at(place.sim, 1, codes[i], after);
                        assert_ok(target_remove(place.target, "a/b", &note));
                        assert_int_equal(place.n_waits, 5);
                        assert_err(target_size(place.target, "a/b", &size, &note), ERR_NOT_FOUND, "a/b");
                }
}

static void what_does_not_pass_is_told_at_once(void **state) {
        AUTO(close_place) struct place place = {0};
        struct err_note note;

        (void)state;
        open_place(&place, 60);
        target_sim_fail_at(place.sim, 1, ERR_DENIED, false);
        assert_err(target_put(place.target, "a", "text", 4, &note), ERR_DENIED, "");
        assert_int_equal(place.n_waits, 0);
}

static void patience_ends_and_says_how_long_it_was(void **state) {
        AUTO(close_place) struct place place = {0};
        uint64_t began;
        struct err_note note;

        (void)state;
        open_place(&place, 30);
        target_sim_die_at(place.sim, 1, false);
        began = io_now_ns(place.io);
        assert_err(target_put(place.target, "a", "text", 4, &note), ERR_IO, "times in");
        assert_true(io_now_ns(place.io) - began <= (uint64_t)30 * SECOND);
        /* Later and later, and still more than a few. */
        assert_in_range(place.n_waits, 5, 20);
}

static void after_a_place_that_does_not_read_others_are_waited_for_less(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(buf_fini) struct buf got = {0};
        uint64_t began;
        struct err_note note;

        (void)state;
        open_place(&place, 30);
        assert_ok(target_put(place.target, "a", "text", 4, &note));
        target_sim_die_at(place.sim, 1, false);
        assert_err(target_put(place.target, "b", "text", 4, &note), ERR_IO, "");
        assert_err(target_get(place.target, "a", 10, &got, &note), ERR_IO, "times in");
        began = io_now_ns(place.io);
        assert_err(target_get(place.target, "a", 10, &got, &note), ERR_IO, "");
        assert_true(io_now_ns(place.io) - began < SECOND);
        began = io_now_ns(place.io);
        assert_err(target_put(place.target, "b", "text", 4, &note), ERR_IO, "");
        assert_true(io_now_ns(place.io) - began > 10 * (uint64_t)SECOND);
}

static void without_patience_nothing_is_tried_again(void **state) {
        AUTO(close_place) struct place place = {0};
        struct err_note note;

        (void)state;
        open_place(&place, 0);
        target_sim_fail_at(place.sim, 1, ERR_IO, false);
        assert_err(target_put(place.target, "a", "text", 4, &note), ERR_IO, "");
        assert_int_equal(place.n_waits, 0);
}

static void who_is_asked_to_stop_does_not_wait(void **state) {
        AUTO(close_place) struct place place = {0};
        struct err_note note;

        (void)state;
        open_place(&place, 60);
        atomic_store(&place.stop, true);
        target_sim_die_at(place.sim, 1, false);
        assert_err(target_put(place.target, "a", "text", 4, &note), ERR_IO, "");
        assert_int_equal(place.n_waits, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_passes_is_tried_again),
                cmocka_unit_test(what_does_not_pass_is_told_at_once),
                cmocka_unit_test(patience_ends_and_says_how_long_it_was),
                cmocka_unit_test(after_a_place_that_does_not_read_others_are_waited_for_less),
                cmocka_unit_test(without_patience_nothing_is_tried_again),
                cmocka_unit_test(who_is_asked_to_stop_does_not_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
