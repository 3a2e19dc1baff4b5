// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "latency.h"
#include "mem.h"

enum { THREADS = 8, TURNS = 100000, ADDS = 500000, US = 1000 };

static struct latency *new_latency(void) {
        struct latency *latency = mem_aligned(64, sizeof *latency);

        memset(latency, 0, sizeof *latency);
        return latency;
}

static void each_duration_is_in_its_step(void **state UNUSED) {
        uint64_t begin = 0;

        for (unsigned i = 0; i + 1 < LATENCY_STEPS; i++) {
                uint64_t end = latency_step_end_ns(i);

                assert_true(end > begin);
                assert_int_equal(latency_step_of(begin), i);
                assert_int_equal(latency_step_of(end - 1), i);
                assert_int_equal(latency_step_of(end), i + 1);
                if (i > 0)
                        assert_true((end - begin) * 4 <= begin); /* exact to a quarter */
                begin = end;
        }
        assert_true(begin > (uint64_t)120 * 1000 * 1000 * 1000);
        assert_true(latency_step_end_ns(LATENCY_STEPS - 1) == UINT64_MAX);
        assert_int_equal(latency_step_of(UINT64_MAX), LATENCY_STEPS - 1);
}

static void shares_are_told(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts counts;
        uint64_t p99;

        for (unsigned i = 0; i < 98; i++)
                latency_add(latency, LATENCY_READ, 100 * US);
        for (unsigned i = 0; i < 2; i++)
                latency_add(latency, LATENCY_READ, 5000 * US);
        latency_add(latency, LATENCY_FLUSH, 9);
        latency_look(latency, &counts);
        assert_int_equal(latency_n(&counts, LATENCY_READ), 100);
        assert_int_equal(latency_n(&counts, LATENCY_WRITE), 0);
        assert_int_equal(latency_n(&counts, LATENCY_FLUSH), 1);
        assert_int_equal(latency_mean_ns(&counts, LATENCY_READ), 198 * US);
        assert_true(latency_percentile_ns(&counts, LATENCY_READ, 50) >= 80 * US &&
                    latency_percentile_ns(&counts, LATENCY_READ, 50) <= 125 * US);
        assert_true(latency_percentile_ns(&counts, LATENCY_READ, 98) <= 125 * US);
        p99 = latency_percentile_ns(&counts, LATENCY_READ, 99);
        assert_true(p99 >= 4000 * US && p99 <= 6250 * US);
        assert_true(latency_percentile_ns(&counts, LATENCY_WRITE, 99) == 0);
        assert_true(latency_mean_ns(&counts, LATENCY_WRITE) == 0);
}

static void what_came_since_is_a_difference(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts before, now;

        latency_add(latency, LATENCY_WRITE, 900 * US);
        latency_look(latency, &before);
        latency_add(latency, LATENCY_WRITE, 30 * US);
        latency_add(latency, LATENCY_READ, 70 * US);
        latency_look(latency, &now);
        latency_since(&now, &before);
        assert_int_equal(latency_n(&now, LATENCY_WRITE), 1);
        assert_int_equal(latency_n(&now, LATENCY_READ), 1);
        assert_int_equal(latency_mean_ns(&now, LATENCY_WRITE), 30 * US);
        latency_counts_add(&now, &before);
        assert_int_equal(latency_n(&now, LATENCY_WRITE), 2);
        assert_int_equal(latency_mean_ns(&now, LATENCY_WRITE), 465 * US);
        latency_fade(&now);
        assert_int_equal(latency_n(&now, LATENCY_READ), 0); /* in the end nothing is left */
        assert_int_equal(now.sum_ns[LATENCY_WRITE], (900 + 30) * US * 3 / 4);
}

/* So many requests of ns each, two kinds by turns, as who makes them would say it. */
static void request(struct latency *latency, unsigned n, uint64_t ns) {
        for (unsigned i = 0; i < n; i++)
                if (latency_is_wanted(latency))
                        latency_add(latency, i % 2 ? LATENCY_READ : LATENCY_WRITE, ns);
}

static void of_short_ones_some_stand_for_the_rest(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts counts;
        uint64_t n, measured = 0;

        for (unsigned i = 0; i < 10000; i++)
                if (latency_is_wanted(latency)) {
                        measured++;
                        latency_add(latency, i % 2 ? LATENCY_READ : LATENCY_WRITE, 2 * US);
                }
        assert_true(measured > 2000 && measured < 3000);
        latency_look(latency, &counts);
        n = latency_n(&counts, LATENCY_READ) + latency_n(&counts, LATENCY_WRITE);
        assert_true(n <= 10000 && n >= 10000 - LATENCY_PASSED_MAX);
        assert_true(latency_n(&counts, LATENCY_READ) > 4000 && latency_n(&counts, LATENCY_WRITE) > 4000);
        assert_true(latency_mean_ns(&counts, LATENCY_READ) == 2 * US);
}

static void each_long_one_is_measured(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts counts;

        request(latency, 500, LATENCY_SHORT_NS);
        latency_look(latency, &counts);
        assert_int_equal(latency_n(&counts, LATENCY_READ), 250);
        assert_int_equal(latency_n(&counts, LATENCY_WRITE), 250);
}

/* Threads come one after another, and each takes the next shard: those LATENCY_SHARDS apart share one and add
 * at once, the others leave again. */
struct adder {
        struct latency *latency; /* borrowed */
        _Atomic unsigned n_there;
        pthread_barrier_t begin;
};

static void *add_many(void *arg) {
        struct adder *adder = arg;
        unsigned me;

        latency_add(adder->latency, LATENCY_TRIM, 1);
        me = atomic_fetch_add(&adder->n_there, 1);
        if (me % LATENCY_SHARDS)
                return NULL;
        pthread_barrier_wait(&adder->begin);
        for (unsigned i = 0; i < ADDS; i++)
                latency_add(adder->latency, i % 2 ? LATENCY_READ : LATENCY_FLUSH, 20 * US);
        return NULL;
}

static void *request_many(void *arg) {
        request(arg, TURNS, 3 * US);
        return NULL;
}

static void threads_lose_nothing(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts counts, before = {0};
        struct adder adder = {.latency = latency};
        pthread_t threads[THREADS];
        uint64_t n = 0;

        assert_int_equal(pthread_barrier_init(&adder.begin, NULL, THREADS / LATENCY_SHARDS), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adder), 0);
                while (atomic_load(&adder.n_there) == i)
                        sched_yield();
        }
        while (n < ADDS / 4) { /* looks never go back */
                latency_look(latency, &counts);
                n = latency_n(&counts, LATENCY_READ);
                assert_true(n >= latency_n(&before, LATENCY_READ));
                before = counts;
        }
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&adder.begin);
        latency_look(latency, &counts);
        n = (uint64_t)THREADS / LATENCY_SHARDS * ADDS / 2;
        assert_int_equal(latency_n(&counts, LATENCY_READ), n);
        assert_int_equal(latency_n(&counts, LATENCY_FLUSH), n);
        assert_int_equal(latency_n(&counts, LATENCY_TRIM), THREADS);
        assert_int_equal(counts.sum_ns[LATENCY_READ], n * 20 * US);
}

/* Of one shard they may take each other's turn: then it is about right. */
static void threads_pass_over_together(void **state UNUSED) {
        AUTO_FREE struct latency *latency = new_latency();
        struct latency_counts counts;
        pthread_t threads[THREADS];
        uint64_t n;

        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, request_many, latency), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        latency_look(latency, &counts);
        n = latency_n(&counts, LATENCY_READ) + latency_n(&counts, LATENCY_WRITE);
        assert_true(n > THREADS * TURNS / 8 && n < THREADS * TURNS * 8);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_duration_is_in_its_step),
                cmocka_unit_test(shares_are_told),
                cmocka_unit_test(what_came_since_is_a_difference),
                cmocka_unit_test(of_short_ones_some_stand_for_the_rest),
                cmocka_unit_test(each_long_one_is_measured),
                cmocka_unit_test(threads_lose_nothing),
                cmocka_unit_test(threads_pass_over_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
