// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "errand.h"
#include "io_posix.h"

enum { N = 200 };

struct trip {
        struct errand errand;
        struct loop *loop; /* borrowed */
        pthread_t home, away;
        unsigned n_run, n_ended, *n_left;
};

static void run(void *user) {
        struct trip *trip = user;

        trip->away = pthread_self();
        trip->n_run++;
}

static void ended(void *user) {
        struct trip *trip = user;

        assert_true(pthread_equal(trip->home, pthread_self()));
        assert_int_equal(trip->n_run, 1);
        trip->n_ended++;
        if (--*trip->n_left == 0)
                loop_stop(trip->loop);
}

static void what_was_done_elsewhere_is_told_of_in_the_loop(void **state) {
        AUTO(io_free) struct io *io = io_posix_new();
        static struct trip trips[N];
        struct pool *pool = pool_new(3);
        unsigned n_left = N;
        struct loop *loop;
        struct err_note note;

        (void)state;
        assert_ok(loop_new(io, &loop, &note));
        for (unsigned i = 0; i < N; i++) {
                trips[i] = (struct trip){.loop = loop, .home = pthread_self(), .n_left = &n_left};
                trips[i].errand = (struct errand){.run = run, .ended = ended, .user = &trips[i]};
                errand_begin(&trips[i].errand, pool, loop);
        }
        loop_run(loop);
        pool_free(pool);
        loop_free(loop);
        for (unsigned i = 0; i < N; i++) {
                assert_int_equal(trips[i].n_ended, 1);
                assert_false(pthread_equal(trips[i].home, trips[i].away));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_done_elsewhere_is_told_of_in_the_loop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
