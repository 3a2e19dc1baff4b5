// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "bytes.h"
#include "io_sim.h"
#include "progress.h"

enum { SECOND = 1000000000 };

static void the_rate_is_that_of_the_last_seconds(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct progress progress = {.io = io};
        struct err_note note = {0};
        uint64_t done = 0;

        (void)state;
        progress_begin(&progress, "copy", 1000 * MIB);
        assert_int_equal(progress_rate(&progress), 0);
        assert_true(progress_left_ns(&progress) == UINT64_MAX);
        for (unsigned i = 0; i < 100; i++) { /* ten seconds at 50 MiB/s */
                io_sim_advance(io, SECOND / 10);
                assert_ok(progress_step(&progress, done += 5 * MIB, &note));
        }
        assert_true(progress_rate(&progress) / MIB == 50 || progress_rate(&progress) / MIB == 49);
        for (unsigned i = 0; i < 100; i++) { /* then ten at 10 MiB/s */
                io_sim_advance(io, SECOND / 10);
                assert_ok(progress_step(&progress, done += MIB, &note));
        }
        assert_true(progress_rate(&progress) / MIB == 10 || progress_rate(&progress) / MIB == 9);
        /* the 400 MiB that are left go by the whole of it: 30 MiB/s */
        assert_int_equal(progress_left_ns(&progress) / SECOND, 13);
}

static void stop_is_asked_for_from_outside(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        atomic_bool stop = false;
        struct progress progress = {.io = io, .is_cancelled = &stop};
        struct err_note note = {0};

        (void)state;
        progress_begin(&progress, "copy", 10);
        assert_ok(progress_step(&progress, 1, &note));
        stop = true;
        assert_err(progress_step(&progress, 2, &note), ERR_CANCELLED, "interrupted");
}

static void count(void *user, const struct progress *progress) {
        (void)progress;
        ++*(unsigned *)user;
}

static void it_is_shown_at_most_ten_times_a_second_and_at_the_end(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        unsigned shown = 0;
        struct progress progress = {.io = io, .show = count, .user = &shown};
        struct err_note note = {0};

        (void)state;
        progress_begin(&progress, "copy", 0);
        for (unsigned i = 0; i < 2000; i++) {
                io_sim_advance(io, SECOND / 1000);
                assert_ok(progress_step(&progress, i, &note));
        }
        assert_true(shown >= 15 && shown <= 20);
        progress_end(&progress);
        assert_true(shown <= 21 && progress.has_ended);
        assert_true(progress_left_ns(&progress) == UINT64_MAX); /* of what total? */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_rate_is_that_of_the_last_seconds),
                cmocka_unit_test(stop_is_asked_for_from_outside),
                cmocka_unit_test(it_is_shown_at_most_ten_times_a_second_and_at_the_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
