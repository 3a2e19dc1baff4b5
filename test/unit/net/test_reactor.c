// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

#include "reactor.h"

enum { N = 3 };

struct scene {
        struct io *io;             /* owned */
        struct reactors *reactors; /* owned */
        pthread_t threads[N];      /* who made the calls */
        unsigned n_called;         /* by one reactor's thread */
        atomic_uint n_fired;
};

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct err_note note = {0};

        s->io = io_posix_new();
        assert_ok(reactors_new(s->io, N, &s->reactors, &note));
        *state = s;
        return 0;
}

static int tear_down(void **state) {
        struct scene *s = *state;

        reactors_free(s->reactors);
        io_free(s->io);
        free(s);
        return 0;
}

static void say_who(void *user) {
        *(pthread_t *)user = pthread_self();
}

static void each_has_a_thread_of_its_own(void **state) {
        struct scene *s = *state;
        pthread_t again;

        assert_int_equal(reactors_n(s->reactors), N);
        for (unsigned i = 0; i < N; i++) {
                reactor_call(reactors_at(s->reactors, i), say_who, &s->threads[i]);
                assert_false(pthread_equal(s->threads[i], pthread_self()));
                for (unsigned k = 0; k < i; k++)
                        assert_false(pthread_equal(s->threads[i], s->threads[k]));
                reactor_call(reactors_at(s->reactors, i), say_who, &again);
                assert_true(pthread_equal(again, s->threads[i]));
        }
}

static void count(void *user) {
        ((struct scene *)user)->n_called++;
}

static void calls_come_in_the_order_of_asking_and_are_waited_for(void **state) {
        struct scene *s = *state;
        struct reactor *reactor = reactors_at(s->reactors, 0);

        for (unsigned i = 1; i <= 1000; i++) {
                loop_post(reactor_loop(reactor), count, s);
                reactor_call(reactor, count, s);
                assert_int_equal(s->n_called, 2 * i);
        }
}

static void the_next_connection_goes_where_there_are_fewest(void **state) {
        struct scene *s = *state;
        unsigned most = 0;

        for (unsigned i = 0; i < 3 * N + 1; i++)
                reactor_enter(reactors_least_busy(s->reactors));
        for (unsigned i = 0; i < N; i++) {
                assert_true(reactor_n(reactors_at(s->reactors, i)) >= 3);
                most += reactor_n(reactors_at(s->reactors, i));
        }
        assert_int_equal(most, 3 * N + 1);
        for (unsigned i = 0; i < 3; i++)
                reactor_leave(reactors_at(s->reactors, 1));
        assert_ptr_equal(reactors_least_busy(s->reactors), reactors_at(s->reactors, 1));
        for (unsigned i = 0; i < N; i++)
                while (reactor_n(reactors_at(s->reactors, i)) > 0)
                        reactor_leave(reactors_at(s->reactors, i));
}

static void fire(void *user) {
        struct scene *s = user;

        atomic_fetch_add(&s->n_fired, 1);
}

static void set_timer(void *user) {
        struct scene *s = user;

        for (unsigned i = 0; i < N; i++)
                (void)loop_after(reactor_loop(reactors_at(s->reactors, 0)), i, fire, s);
}

static void timers_of_a_reactor_fire(void **state) {
        struct scene *s = *state;

        reactor_call(reactors_at(s->reactors, 0), set_timer, s);
        while (atomic_load(&s->n_fired) < N)
                io_sleep_ns(s->io, 100000);
}

static void there_is_one_a_core_where_no_number_is_given(void **state) {
        struct scene *s = *state;
        AUTO(reactors_free) struct reactors *reactors = NULL;
        struct err_note note = {0};

        assert_ok(reactors_new(s->io, 0, &reactors, &note));
        assert_in_range(reactors_n(reactors), 1, REACTORS_MAX);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(each_has_a_thread_of_its_own),
                CASE(calls_come_in_the_order_of_asking_and_are_waited_for),
                CASE(the_next_connection_goes_where_there_are_fewest),
                CASE(timers_of_a_reactor_fire),
                CASE(there_is_one_a_core_where_no_number_is_given),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
