// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include <pthread.h>
#include <stdatomic.h>

#include "io_posix.h"

struct wait {
        struct xapi_waiter waiter;
        unsigned n_woken;
};

static void on_wake(struct xapi_waiter *waiter) {
        ((struct wait *)waiter)->n_woken++;
}

struct scene {
        struct house house;
        struct io *io;     /* owned; the loop's */
        struct loop *loop; /* owned */
        struct wait wait;
        atomic_bool is_over;
};

static int set_up(void **state) {
        struct scene *scene = calloc(1, sizeof *scene);
        struct err_note note = {0};

        scene->house.io = io_sim_new(1, 0);
        house_start(&scene->house);
        scene->io = io_posix_new();
        assert_ok(loop_new(scene->io, &scene->loop, &note));
        scene->wait.waiter.loop = scene->loop;
        scene->wait.waiter.wake = on_wake;
        scene->wait.waiter.generation = objects_generation(scene->house.host.objects);
        scene->wait.waiter.until_ns = io_now_ns(scene->io) + UINT64_C(3600000000000);
        *state = scene;
        return 0;
}

static int tear_down(void **state) {
        struct scene *scene = *state;

        xapi_waiters_remove(scene->house.xapi->waiters, &scene->wait.waiter);
        (void)loop_round(scene->loop, 0);
        house_stop(&scene->house);
        loop_free(scene->loop);
        io_free(scene->io);
        io_free(scene->house.io);
        free(scene);
        return 0;
}

static void change(struct scene *scene) {
        free(house_text(&scene->house, "task.create", json_pack("[s, s]", "a", "b")));
}

static void run(struct scene *scene) {
        for (unsigned i = 0; i < 3; i++)
                (void)loop_round(scene->loop, 0);
}

static void a_change_wakes_once(void **state) {
        struct scene *scene = *state;

        xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 0);
        change(scene);
        change(scene);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 1);
        change(scene);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 1);
}

static void a_change_before_the_wait_began_is_not_missed(void **state) {
        struct scene *scene = *state;

        change(scene);
        xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 1);
}

static void its_time_wakes_it_too(void **state) {
        struct scene *scene = *state;

        scene->wait.waiter.until_ns = io_now_ns(scene->io);
        xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
        (void)loop_round(scene->loop, UINT64_C(1000000000));
        assert_int_equal(scene->wait.n_woken, 1);
}

static void who_was_removed_is_not_woken(void **state) {
        struct scene *scene = *state;

        xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
        change(scene);
        xapi_waiters_remove(scene->house.xapi->waiters, &scene->wait.waiter);
        xapi_waiters_remove(scene->house.xapi->waiters, &scene->wait.waiter);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 0);
        /* … and may wait again. */
        scene->wait.waiter.generation = objects_generation(scene->house.host.objects);
        xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
        xapi_waiters_wake(scene->house.xapi->waiters);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 1);
}

static void *wake_all(void *user) {
        struct scene *scene = user;

        while (!atomic_load(&scene->is_over))
                xapi_waiters_wake(scene->house.xapi->waiters);
        return NULL;
}

static void who_comes_and_goes_is_woken_by_others_or_not_at_all(void **state) {
        struct scene *scene = *state;
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, wake_all, scene), 0);
        for (unsigned i = 0; i < 20000; i++) {
                xapi_waiters_add(scene->house.xapi->waiters, &scene->wait.waiter);
                xapi_waiters_remove(scene->house.xapi->waiters, &scene->wait.waiter);
        }
        atomic_store(&scene->is_over, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
        run(scene);
        assert_int_equal(scene->wait.n_woken, 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_change_wakes_once),
                CASE(a_change_before_the_wait_began_is_not_missed),
                CASE(its_time_wakes_it_too),
                CASE(who_was_removed_is_not_woken),
                CASE(who_comes_and_goes_is_woken_by_others_or_not_at_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
