// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "io_sim.h"
#include "parts.h"

struct caller {
        struct parts_wait wait;
        unsigned n, *next; /* borrowed: how many were called before */
        unsigned place;
};

static void called(void *user) {
        struct caller *caller = user;

        caller->n++;
        caller->place = ++*caller->next;
}

enum { CALLERS_MAX = 3 };

struct world {
        struct io *io;       /* owned */
        struct loop *loop;   /* owned */
        struct parts *parts; /* owned */
        struct part *taken[PARTS_MAX];
        struct caller callers[CALLERS_MAX];
        unsigned next; /* how many of them were called */
};

static void world_init(struct world *w) {
        struct err_note note;

        *w = (struct world){.io = io_sim_new(1, 0)};
        assert_ok(loop_new(w->io, &w->loop, &note));
        w->parts = parts_new(w->io);
        for (unsigned i = 0; i < CALLERS_MAX; i++) {
                struct caller *caller = &w->callers[i];

                caller->next = &w->next;
                caller->wait = (struct parts_wait){.call = called, .user = caller, .loop = w->loop};
        }
}

static void take_all(struct world *w) {
        struct parts_wait unused = {.loop = w->loop};

        for (unsigned i = 0; i < PARTS_MAX; i++) {
                w->taken[i] = parts_take(w->parts, &unused);
                assert_non_null(w->taken[i]);
                memset(w->taken[i]->memory, (int)i, PART_SIZE);
        }
}

/* All are out, and so many callers wait for one. */
static void take_all_and_wait(struct world *w, unsigned n_callers) {
        take_all(w);
        for (unsigned i = 0; i < n_callers; i++)
                assert_null(parts_take(w->parts, &w->callers[i].wait));
}

static void give_all(struct world *w) {
        for (unsigned i = 0; i < PARTS_MAX; i++)
                if (w->taken[i])
                        parts_give(w->parts, w->taken[i]);
}

static void world_fini(struct world *w) {
        parts_free(w->parts);
        loop_free(w->loop);
        io_free(w->io);
}

static void whoever_comes_when_all_are_out_is_called_in_his_turn(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        take_all_and_wait(&w, 3);
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.next, 0);
        assert_true(parts_forget(w.parts, &w.callers[1].wait));
        parts_give(w.parts, TAKE(w.taken[0]));
        parts_give(w.parts, TAKE(w.taken[1]));
        assert_false(parts_forget(w.parts, &w.callers[0].wait)); /* it was posted already */
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.callers[0].place, 1);
        assert_int_equal(w.callers[1].n, 0);
        assert_int_equal(w.callers[2].place, 2);
        give_all(&w);
        world_fini(&w);
}

static void the_last_in_line_may_leave_it(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        take_all(&w);
        assert_null(parts_take(w.parts, &w.callers[0].wait));
        assert_true(parts_forget(w.parts, &w.callers[0].wait));
        assert_null(parts_take(w.parts, &w.callers[1].wait));
        give_all(&w);
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.callers[0].n, 0);
        assert_int_equal(w.callers[1].n, 1);
        world_fini(&w);
}

static void one_who_needs_none_any_more_passes_it_on(void **state) {
        struct world w;

        (void)state;
        world_init(&w);
        take_all_and_wait(&w, 2);
        parts_pass(w.parts); /* there is none */
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.next, 0);
        parts_give(w.parts, TAKE(w.taken[0]));
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.callers[0].n, 1);
        assert_int_equal(w.callers[1].n, 0);
        parts_pass(w.parts);
        (void)loop_round(w.loop, 0);
        assert_int_equal(w.callers[1].n, 1);
        give_all(&w);
        world_fini(&w);
}

enum { N_THREADS = 4, N_ROUNDS = 300 };

struct hand {
        struct world *w; /* borrowed */
        uint8_t mark;
};

/* Nobody else has the part meanwhile. */
static void *take_and_give(void *user) {
        struct hand *hand = user;
        struct parts_wait unused = {.loop = hand->w->loop};

        for (unsigned i = 0; i < N_ROUNDS; i++) {
                struct part *part = parts_take(hand->w->parts, &unused);

                assert(part);
                part->memory[0] = hand->mark;
                part->memory[PART_SIZE - 1] = hand->mark;
                assert(part->memory[0] == hand->mark);
                parts_give(hand->w->parts, part);
        }
        return NULL;
}

static void threads_share_them(void **state) {
        pthread_t threads[N_THREADS];
        struct hand hands[N_THREADS];
        struct world w;

        (void)state;
        world_init(&w);
        for (unsigned i = 0; i < N_THREADS; i++) {
                hands[i] = (struct hand){&w, (uint8_t)i};
                assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &hands[i]), 0);
        }
        for (unsigned i = 0; i < N_THREADS; i++)
                pthread_join(threads[i], NULL);
        take_all(&w);
        give_all(&w);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whoever_comes_when_all_are_out_is_called_in_his_turn),
                cmocka_unit_test(the_last_in_line_may_leave_it),
                cmocka_unit_test(one_who_needs_none_any_more_passes_it_on),
                cmocka_unit_test(threads_share_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
