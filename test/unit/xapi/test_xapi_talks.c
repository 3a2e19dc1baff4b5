// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "io_posix.h"
#include "xapi_talks.h"

struct scene {
        struct io *io;            /* owned */
        struct loop *loop;        /* owned */
        struct xapi_talks *talks; /* owned */
};

/* One that goes as soon as it is told to. */
struct guest {
        struct xapi_talk listed;
        struct xapi_talks *talks; /* borrowed */
        unsigned n_told;
};

static void on_drain(struct xapi_talk *listed) {
        struct guest *guest = (struct guest *)listed;

        guest->n_told++;
        assert_true(xapi_talks_strike(guest->talks, listed));
}

static int set_up(void **state) {
        struct scene *scene = calloc(1, sizeof *scene);
        struct err_note note = {0};

        scene->io = io_posix_new();
        assert_ok(loop_new(scene->io, &scene->loop, &note));
        scene->talks = xapi_talks_new();
        *state = scene;
        return 0;
}

static int tear_down(void **state) {
        struct scene *scene = *state;

        xapi_talks_free(scene->talks);
        loop_free(scene->loop);
        io_free(scene->io);
        free(scene);
        return 0;
}

static bool add(struct scene *scene, struct guest *guest) {
        *guest = (struct guest){.listed = {.loop = scene->loop, .drain = on_drain}, .talks = scene->talks};
        return xapi_talks_add(scene->talks, &guest->listed);
}

static void run(struct scene *scene) {
        for (unsigned i = 0; i < 3; i++)
                (void)loop_round(scene->loop, 0);
}

static void each_is_told_once_when_all_are_to_end(void **state) {
        struct scene *scene = *state;
        struct guest guests[3];

        for (unsigned i = 0; i < 3; i++)
                assert_true(add(scene, &guests[i]));
        assert_true(xapi_talks_strike(scene->talks, &guests[1].listed));
        xapi_talks_drain(scene->talks);
        xapi_talks_drain(scene->talks);
        run(scene);
        assert_int_equal(guests[0].n_told, 1);
        assert_int_equal(guests[1].n_told, 0);
        assert_int_equal(guests[2].n_told, 1);
}

static void none_is_added_after_that(void **state) {
        struct scene *scene = *state;
        struct guest guest;

        xapi_talks_drain(scene->talks);
        assert_false(add(scene, &guest));
        assert_true(xapi_talks_strike(scene->talks, &guest.listed));
}

static void who_goes_while_word_is_on_its_way_stays_until_it_comes(void **state) {
        struct scene *scene = *state;
        struct guest guest;

        assert_true(add(scene, &guest));
        xapi_talks_drain(scene->talks);
        assert_false(xapi_talks_strike(scene->talks, &guest.listed));
        run(scene);
        assert_int_equal(guest.n_told, 1);
}

static void there_are_only_so_many(void **state) {
        struct scene *scene = *state;
        struct guest *guests = calloc(XAPI_TALKS_MAX + 1, sizeof *guests);

        for (unsigned i = 0; i < XAPI_TALKS_MAX; i++)
                assert_true(add(scene, &guests[i]));
        assert_false(add(scene, &guests[XAPI_TALKS_MAX]));
        assert_true(xapi_talks_strike(scene->talks, &guests[7].listed));
        assert_true(add(scene, &guests[7]));
        xapi_talks_drain(scene->talks);
        run(scene);
        free(guests);
}

static void *drain_and_free(void *user) {
        struct scene *scene = user;

        xapi_talks_free(scene->talks);
        scene->talks = xapi_talks_new();
        loop_stop(scene->loop);
        return NULL;
}

static void the_end_waits_for_all_of_them(void **state) {
        struct scene *scene = *state;
        struct guest guests[3];
        pthread_t thread;

        for (unsigned i = 0; i < 3; i++)
                assert_true(add(scene, &guests[i]));
        pthread_create(&thread, NULL, drain_and_free, scene);
        loop_run(scene->loop);
        pthread_join(thread, NULL);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(guests[i].n_told, 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(each_is_told_once_when_all_are_to_end),
                CASE(none_is_added_after_that),
                CASE(who_goes_while_word_is_on_its_way_stays_until_it_comes),
                CASE(there_are_only_so_many),
                CASE(the_end_waits_for_all_of_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
