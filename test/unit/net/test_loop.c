// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_sim.h"
#include "local.h"
#include "loop.h"

struct seen {
        struct loop *loop;                /* owned */
        struct io *io;                    /* owned */
        char log[256];                    /* a letter for each call */
        struct loop_watch *watch, *other; /* owned by the loop */
        struct loop_timer *timer;
        int fds[2];
        unsigned n, events;
};

static void add(struct seen *seen, char c) {
        size_t n = strlen(seen->log);

        assert_true(n + 1 < sizeof seen->log);
        seen->log[n] = c;
}

static int set_up(void **state) {
        struct seen *seen = calloc(1, sizeof *seen);
        struct err_note note = {0};

        seen->io = io_posix_new();
        assert_ok(loop_new(seen->io, &seen->loop, &note));
        assert_ok(local_pair(seen->fds, &note));
        *state = seen;
        return 0;
}

/* Time stands still. */
static int set_up_still(void **state) {
        struct seen *seen;
        struct err_note note = {0};

        set_up(state);
        seen = *state;
        loop_free(seen->loop);
        io_free(seen->io);
        seen->io = io_sim_new(1, 0);
        assert_ok(loop_new(seen->io, &seen->loop, &note));
        return 0;
}

static int tear_down(void **state) {
        struct seen *seen = *state;

        loop_free(seen->loop);
        for (unsigned i = 0; i < 2; i++)
                if (seen->fds[i] >= 0)
                        close(seen->fds[i]);
        io_free(seen->io);
        free(seen);
        return 0;
}

/* ---- timers ---- */

static void on_a(void *user) {
        add(user, 'a');
}
static void on_b(void *user) {
        add(user, 'b');
}
static void on_c(void *user) {
        add(user, 'c');
}
static void on_stop(void *user) {
        struct seen *seen = user;

        add(seen, '.');
        loop_stop(seen->loop);
}

static void timers_fire_in_the_order_of_their_times(void **state) {
        struct seen *seen = *state;
        struct loop_timer *gone;

        (void)loop_after(seen->loop, 3000000, on_c, seen);
        (void)loop_after(seen->loop, 1000000, on_a, seen);
        gone = loop_after(seen->loop, 1500000, on_c, seen);
        (void)loop_after(seen->loop, 2000000, on_b, seen);
        (void)loop_after(seen->loop, 4000000, on_stop, seen);
        loop_cancel(gone);
        loop_run(seen->loop);
        assert_string_equal(seen->log, "abc.");
}

static void of_equal_times_the_older_fires_first(void **state) {
        struct seen *seen = *state;

        for (unsigned i = 0; i < 30; i++) {
                (void)loop_after(seen->loop, 0, i % 3 == 0 ? on_a : i % 3 == 1 ? on_b : on_c, seen);
        }
        (void)loop_after(seen->loop, 0, on_stop, seen);
        loop_run(seen->loop);
        assert_string_equal(seen->log, "abcabcabcabcabcabcabcabcabcabc.");
}

static void set_again(void *user) {
        struct seen *seen = user;

        add(seen, 'x');
        if (++seen->n == 5)
                loop_stop(seen->loop);
        (void)loop_after(seen->loop, 0, set_again, seen);
}

static void a_timer_that_sets_itself_anew_does_not_hold_up_a_round(void **state) {
        struct seen *seen = *state;

        (void)loop_after(seen->loop, 0, set_again, seen);
        loop_round(seen->loop, 0);
        assert_string_equal(seen->log, "x");
        loop_run(seen->loop);
        assert_string_equal(seen->log, "xxxxx");
}

static void a_heap_of_many_timers_stays_in_order(void **state) {
        struct seen *seen = *state;
        struct loop_timer *timers[200];
        uint64_t number = 7;

        /* All are due; those that stay are the first of each time, in the order of times. */
        for (unsigned i = 0; i < 200; i++) {
                number = number * 6364136223846793005u + 1442695040888963407u;
                timers[i] = loop_after(seen->loop, (number >> 40) % 50 < 25 ? 0 : 1000000,
                                       (number >> 40) % 50 < 25 ? on_a : on_b, seen);
        }
        for (unsigned i = 0; i < 200; i += 2)
                loop_cancel(timers[i]);
        (void)loop_after(seen->loop, 2000000, on_stop, seen);
        loop_run(seen->loop);
        assert_int_equal(strlen(seen->log), 101);
        assert_null(strstr(seen->log, "ba"));
        assert_non_null(strstr(seen->log, "b."));
}

/* ---- descriptors ---- */

static void on_ready(void *user, unsigned events) {
        struct seen *seen = user;
        char byte;

        seen->events |= events;
        if (events & LOOP_READ && read(seen->fds[0], &byte, 1) == 1)
                add(seen, byte);
        if (events & LOOP_GONE)
                add(seen, '!');
}

static void a_descriptor_is_told_what_it_wants_and_no_more(void **state) {
        struct seen *seen = *state;
        struct err_note note = {0};

        assert_ok(loop_watch(seen->loop, seen->fds[0], 0, on_ready, seen, &seen->watch, &note));
        assert_int_equal(write(seen->fds[1], "xy", 2), 2);
        loop_round(seen->loop, 0);
        assert_string_equal(seen->log, "");
        loop_want(seen->watch, LOOP_READ);
        loop_round(seen->loop, 0);
        loop_round(seen->loop, 0);
        assert_string_equal(seen->log, "xy");
        loop_want(seen->watch, LOOP_WRITE);
        seen->events = 0;
        loop_round(seen->loop, 0);
        assert_int_equal(seen->events, LOOP_WRITE);
}

static void who_wants_nothing_is_told_that_the_other_side_is_gone(void **state) {
        struct seen *seen = *state;
        struct err_note note = {0};

        assert_ok(loop_watch(seen->loop, seen->fds[0], 0, on_ready, seen, &seen->watch, &note));
        close(seen->fds[1]);
        seen->fds[1] = -1;
        loop_round(seen->loop, 0);
        assert_string_equal(seen->log, "!");
}

static void unwatch_both(void *user, unsigned events) {
        struct seen *seen = user;

        (void)events;
        add(seen, 'u');
        loop_unwatch(seen->watch);
        loop_unwatch(seen->other);
}

static void who_was_unwatched_is_not_called_though_it_was_ready(void **state) {
        struct seen *seen = *state;
        struct err_note note = {0};

        assert_ok(loop_watch(seen->loop, seen->fds[0], LOOP_WRITE, unwatch_both, seen, &seen->watch, &note));
        assert_ok(loop_watch(seen->loop, seen->fds[1], LOOP_WRITE, unwatch_both, seen, &seen->other, &note));
        loop_round(seen->loop, 0);
        loop_round(seen->loop, 0);
        assert_string_equal(seen->log, "u");
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state) {
        struct seen *seen = *state;
        struct err_note note = {0};

        assert_err(loop_watch(seen->loop, -1, LOOP_READ, on_ready, seen, &seen->watch, &note), ERR_IO,
                   "watch descriptor -1");
}

/* ---- other threads ---- */

enum { POSTS = 1000 };

static void count(void *user) {
        struct seen *seen = user;

        if (++seen->n == 2 * POSTS)
                loop_stop(seen->loop);
}

static void *post_many(void *user) {
        struct seen *seen = user;

        for (unsigned i = 0; i < POSTS; i++)
                loop_post(seen->loop, count, seen);
        return NULL;
}

static void what_other_threads_post_is_called_here(void **state) {
        struct seen *seen = *state;
        pthread_t threads[2];

        for (unsigned i = 0; i < 2; i++)
                pthread_create(&threads[i], NULL, post_many, seen);
        loop_run(seen->loop);
        for (unsigned i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(seen->n, 2 * POSTS);
}

static void a_round_says_whether_anything_was_called_and_what_is_due(void **state) {
        struct seen *seen = *state;

        assert_int_equal(loop_due_ns(seen->loop), UINT64_MAX);
        assert_false(loop_round(seen->loop, 0));
        (void)loop_after(seen->loop, 200, on_a, seen);
        (void)loop_after(seen->loop, 100, on_b, seen);
        assert_int_equal(loop_due_ns(seen->loop), 100);
        assert_false(loop_round(seen->loop, 0));
        io_sim_advance(seen->io, 100);
        assert_true(loop_round(seen->loop, 0));
        assert_int_equal(loop_due_ns(seen->loop), 200);
        loop_post(seen->loop, on_a, seen);
        assert_true(loop_round(seen->loop, 0));
}

/* An echo in another thread, now at once and now after a while: the loop both stays awake and sleeps. */
static void *echo(void *user) {
        const struct seen *seen = user;
        char byte;

        for (unsigned i = 0; recv(seen->fds[1], &byte, 1, MSG_WAITALL) == 1; i++) {
                if (i % 100 == 99)
                        usleep(3000);
                if (send(seen->fds[1], &byte, 1, MSG_NOSIGNAL) != 1)
                        break;
        }
        return NULL;
}

static void on_echo(void *user, unsigned events) {
        struct seen *seen = user;
        char byte;

        (void)events;
        assert_int_equal(read(seen->fds[0], &byte, 1), 1);
        assert_int_equal(byte, (char)seen->n);
        byte = (char)++seen->n;
        *loop_n_away(seen->loop) = seen->n % 300 > 200;
        if (seen->n < 1000)
                assert_int_equal(write(seen->fds[0], &byte, 1), 1);
        else
                loop_stop(seen->loop);
}

static void one_that_stays_awake_calls_as_one_that_sleeps(void **state) {
        struct seen *seen = *state;
        struct err_note note = {0};
        pthread_t thread;
        uint64_t began;

        assert_int_equal(fcntl(seen->fds[1], F_SETFL, fcntl(seen->fds[1], F_GETFL) & ~O_NONBLOCK), 0);
        assert_int_equal(pthread_create(&thread, NULL, echo, seen), 0);
        assert_ok(loop_watch(seen->loop, seen->fds[0], LOOP_READ, on_echo, seen, &seen->watch, &note));
        loop_set_awake(seen->loop, 1000000);
        assert_int_equal(write(seen->fds[0], "", 1), 1);
        loop_run(seen->loop);
        assert_int_equal(seen->n, 1000);
        (void)loop_round(seen->loop, 0); /* what woke it for the stop */
        /* Nothing comes any more: a round ends by its limit and a timer by its time, neither sooner. */
        began = io_now_ns(seen->io);
        assert_false(loop_round(seen->loop, 5000000));
        assert_true(io_now_ns(seen->io) - began >= 5000000);
        began = io_now_ns(seen->io);
        seen->timer = loop_after(seen->loop, 7000000, on_stop, seen);
        loop_run(seen->loop);
        assert_true(io_now_ns(seen->io) - began >= 7000000);
        loop_unwatch(TAKE(seen->watch));
        (void)shutdown(seen->fds[0], SHUT_RDWR);
        pthread_join(thread, NULL);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(timers_fire_in_the_order_of_their_times),
                CASE(of_equal_times_the_older_fires_first),
                cmocka_unit_test_setup_teardown(a_timer_that_sets_itself_anew_does_not_hold_up_a_round,
                                                set_up_still, tear_down),
                CASE(a_heap_of_many_timers_stays_in_order),
                CASE(a_descriptor_is_told_what_it_wants_and_no_more),
                CASE(who_wants_nothing_is_told_that_the_other_side_is_gone),
                CASE(who_was_unwatched_is_not_called_though_it_was_ready),
                CASE(a_descriptor_that_cannot_be_watched_is_an_error),
                CASE(what_other_threads_post_is_called_here),
                CASE(one_that_stays_awake_calls_as_one_that_sleeps),
                cmocka_unit_test_setup_teardown(a_round_says_whether_anything_was_called_and_what_is_due,
                                                set_up_still, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
