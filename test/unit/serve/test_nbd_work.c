// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "nbd_work.h"

enum { MANY = 100 };

/* Where errands wait until they are let go, and the order in which they ran. */
struct gate {
        pthread_mutex_t mutex;
        pthread_cond_t moved;
        bool is_open;
        unsigned n_inside, n_ran;
        char order[4 * MANY];
};

static void gate_init(struct gate *gate) {
        *gate = (struct gate){.n_ran = 0};
        pthread_mutex_init(&gate->mutex, NULL);
        pthread_cond_init(&gate->moved, NULL);
}

static void gate_open(struct gate *gate) {
        pthread_mutex_lock(&gate->mutex);
        gate->is_open = true;
        pthread_cond_broadcast(&gate->moved);
        pthread_mutex_unlock(&gate->mutex);
}

static void wait_for(struct gate *gate, const unsigned *n, unsigned want) {
        struct timespec until = {.tv_sec = time(NULL) + 30};

        pthread_mutex_lock(&gate->mutex);
        while (*n < want)
                /* A hang is a failure, not a test that does not end. */
                assert_int_equal(pthread_cond_timedwait(&gate->moved, &gate->mutex, &until), 0);
        pthread_mutex_unlock(&gate->mutex);
}

struct task {
        struct nbd_errand errand;
        struct gate *gate;
        char letter;
        bool opens;
};

static void pass(void *user) {
        struct task *task = user;
        struct gate *gate = task->gate;

        pthread_mutex_lock(&gate->mutex);
        gate->n_inside++;
        gate->is_open |= task->opens;
        pthread_cond_broadcast(&gate->moved);
        while (!gate->is_open)
                pthread_cond_wait(&gate->moved, &gate->mutex);
        gate->order[gate->n_ran++] = task->letter;
        pthread_cond_broadcast(&gate->moved);
        pthread_mutex_unlock(&gate->mutex);
}

static void add(struct nbd_lane *lane, struct task *tasks, unsigned n, struct gate *gate, char letter) {
        for (unsigned i = 0; i < n; i++) {
                tasks[i] = (struct task){
                        .errand = {.run = pass, .user = &tasks[i]}, .gate = gate, .letter = letter};
                nbd_work_add(lane, &tasks[i].errand);
        }
}

/* Whether he comes before the others or after them.  One of the two threads stays away to the end, so that
 * errands end in the order in which they began. */
static void try_with_little_to_do(bool comes_first) {
        struct nbd_work *work = nbd_work_new(2);
        struct nbd_lane *lanes[5];
        struct task held[2], much[2][MANY], little[1];
        struct gate gate, away;
        const char *at;

        gate_init(&gate);
        gate_init(&away);
        for (unsigned i = 0; i < 5; i++)
                lanes[i] = nbd_lane_new(work);
        add(lanes[0], &held[0], 1, &gate, 'x');
        add(lanes[1], &held[1], 1, &away, 'x');
        wait_for(&gate, &gate.n_inside, 1);
        wait_for(&away, &away.n_inside, 1);
        if (comes_first)
                add(lanes[4], little, 1, &gate, 'c');
        add(lanes[2], much[0], MANY, &gate, 'a');
        add(lanes[3], much[1], MANY, &gate, 'b');
        if (!comes_first)
                add(lanes[4], little, 1, &gate, 'c');
        gate_open(&gate);
        wait_for(&gate, &gate.n_ran, 2 * MANY + 2);
        gate_open(&away);
        at = memchr(gate.order, 'c', sizeof gate.order);
        assert_non_null(at);
        /* Behind the one that was held and, if they came first, one of each lane that has much. */
        assert_int_equal(at - gate.order, comes_first ? 1 : 3);
        for (unsigned i = 0; i < 5; i++)
                nbd_lane_free(lanes[i]);
        nbd_work_free(work);
}

static void who_has_little_to_do_does_not_wait_for_who_has_much(void **state) {
        (void)state;
        try_with_little_to_do(false);
        try_with_little_to_do(true);
}

static void one_lane_never_has_all_threads(void **state) {
        struct nbd_work *work = nbd_work_new(4);
        struct nbd_lane *much = nbd_lane_new(work), *other = nbd_lane_new(work);
        struct task tasks[MANY], one;
        struct gate gate;

        (void)state;
        gate_init(&gate);
        add(much, tasks, MANY, &gate, 'a');
        wait_for(&gate, &gate.n_inside, 3);
        one = (struct task){
                .errand = {.run = pass, .user = &one}, .gate = &gate, .letter = 'b', .opens = true};
        nbd_work_add(other, &one.errand);
        wait_for(&gate, &gate.n_ran, MANY + 1);
        assert_int_equal(gate.n_inside, MANY + 1);
        nbd_lane_free(much);
        nbd_lane_free(other);
        nbd_work_free(work);
}

static void errands_of_a_lane_begin_in_their_order_and_the_lane_waits_for_them(void **state) {
        struct nbd_work *work = nbd_work_new(2);
        struct nbd_lane *lane = nbd_lane_new(work);
        struct task tasks[26];
        struct gate gate;

        (void)state;
        gate_init(&gate);
        for (unsigned i = 0; i < 26; i++)
                add(lane, &tasks[i], 1, &gate, (char)('a' + i));
        gate_open(&gate);
        wait_for(&gate, &gate.n_inside, 26);
        nbd_lane_free(lane);
        assert_memory_equal(gate.order, "abcdefghijklmnopqrstuvwxyz", 26);
        nbd_work_free(work);
        assert_true(nbd_work_threads() >= 8);
}

static void *thaw_later(void *user) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        gate_open(user);
        return NULL;
}

static void a_frozen_lane_begins_nothing_and_what_ran_has_ended(void **state) {
        struct nbd_work *work = nbd_work_new(2);
        struct nbd_lane *lane = nbd_lane_new(work), *other = nbd_lane_new(work);
        struct task first, more[4], one;
        struct gate gate;
        pthread_t thread;

        (void)state;
        gate_init(&gate);
        add(lane, &first, 1, &gate, 'a');
        wait_for(&gate, &gate.n_inside, 1);
        add(lane, more, 2, &gate, 'b');
        assert_int_equal(pthread_create(&thread, NULL, thaw_later, &gate), 0);
        nbd_lane_freeze(lane);
        assert_memory_equal(gate.order, "a", 1);
        assert_int_equal(gate.n_ran, 1);
        add(lane, &more[2], 2, &gate, 'b');
        add(other, &one, 1, &gate, 'c');
        wait_for(&gate, &gate.n_ran, 2);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        assert_memory_equal(gate.order, "ac", 2);
        assert_int_equal(gate.n_ran, 2);
        nbd_lane_thaw(lane);
        wait_for(&gate, &gate.n_ran, 6);
        assert_int_equal(pthread_join(thread, NULL), 0);
        nbd_lane_free(lane);
        nbd_lane_free(other);
        nbd_work_free(work);
}

/* Two threads that enter and leave all the time, and a third that freezes and finds nobody inside. */
struct visit {
        struct nbd_lane *lane; /* borrowed */
        atomic_uint n_inside, n_refused;
        atomic_bool is_over;
};

static void *visit_often(void *user) {
        struct visit *visit = user;

        while (!atomic_load(&visit->is_over)) {
                if (!nbd_lane_enter(visit->lane)) {
                        atomic_fetch_add(&visit->n_refused, 1);
                        continue;
                }
                atomic_fetch_add(&visit->n_inside, 1);
                atomic_fetch_sub(&visit->n_inside, 1);
                nbd_lane_leave(visit->lane);
        }
        return NULL;
}

static void nobody_is_inside_a_frozen_lane(void **state) {
        struct nbd_work *work = nbd_work_new(2);
        struct visit visit = {.lane = nbd_lane_new(work)};
        pthread_t threads[2];

        (void)state;
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, visit_often, &visit), 0);
        for (unsigned round = 0; round < 300; round++) {
                unsigned before = atomic_load(&visit.n_refused);

                nbd_lane_freeze(visit.lane);
                assert_false(nbd_lane_enter(visit.lane));
                while (atomic_load(&visit.n_refused) == before)
                        assert_int_equal(atomic_load(&visit.n_inside), 0);
                nbd_lane_thaw(visit.lane);
                assert_true(nbd_lane_enter(visit.lane));
                nbd_lane_leave(visit.lane);
        }
        atomic_store(&visit.is_over, true);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        nbd_lane_free(visit.lane);
        nbd_work_free(work);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_has_little_to_do_does_not_wait_for_who_has_much),
                cmocka_unit_test(one_lane_never_has_all_threads),
                cmocka_unit_test(a_frozen_lane_begins_nothing_and_what_ran_has_ended),
                cmocka_unit_test(nobody_is_inside_a_frozen_lane),
                cmocka_unit_test(errands_of_a_lane_begin_in_their_order_and_the_lane_waits_for_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
