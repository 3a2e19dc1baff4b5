// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "pool.h"

enum { N_JOBS = 2000, N_MAX = 4 };

struct counter {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned n_run, n_now, most, order[N_JOBS];
        unsigned n_needed; /* a job waits until so many run at once */
};

struct job {
        struct pool_job job;
        struct counter *counter; /* borrowed */
        unsigned index;
};

static void begin_job(struct job *job) {
        struct counter *counter = job->counter;

        pthread_mutex_lock(&counter->mutex);
        counter->order[counter->n_run++] = job->index;
        counter->n_now++;
        counter->most = counter->n_now > counter->most ? counter->n_now : counter->most;
        pthread_cond_broadcast(&counter->changed);
}

static void count(void *user) {
        struct job *job = user;

        begin_job(job);
        while (job->counter->most < job->counter->n_needed)
                pthread_cond_wait(&job->counter->changed, &job->counter->mutex);
        job->counter->n_now--;
        pthread_mutex_unlock(&job->counter->mutex);
}

static void add_all(struct pool *pool, struct job *jobs, unsigned n, struct counter *counter) {
        pthread_mutex_init(&counter->mutex, NULL);
        pthread_cond_init(&counter->changed, NULL);
        for (unsigned i = 0; i < n; i++) {
                jobs[i] =
                        (struct job){.job = {.run = count, .user = &jobs[i]}, .counter = counter, .index = i};
                pool_add(pool, &jobs[i].job);
        }
        pool_free(pool);
        pthread_cond_destroy(&counter->changed);
        pthread_mutex_destroy(&counter->mutex);
}

static void all_that_was_added_runs_before_the_end(void **state) {
        static struct job jobs[N_JOBS];
        static struct counter counter;

        (void)state;
        add_all(pool_new(N_MAX), jobs, N_JOBS, &counter);
        assert_int_equal(counter.n_run, N_JOBS);
        assert_true(counter.most <= N_MAX);
}

static void jobs_that_wait_do_not_hold_up_others(void **state) {
        static struct job jobs[N_MAX];
        static struct counter counter = {.n_needed = N_MAX};

        (void)state;
        add_all(pool_new(N_MAX), jobs, N_MAX, &counter);
        assert_int_equal(counter.most, N_MAX);
}

static void one_thread_takes_them_in_their_order(void **state) {
        static struct job jobs[N_JOBS];
        static struct counter counter;

        (void)state;
        add_all(pool_new(1), jobs, N_JOBS, &counter);
        for (unsigned i = 0; i < N_JOBS; i++)
                assert_int_equal(counter.order[i], i);
}

struct gate {
        pthread_mutex_t mutex; /* held: nobody passes */
        unsigned n;
};

static void pass(void *user) {
        struct gate *gate = user;

        pthread_mutex_lock(&gate->mutex);
        gate->n++;
        pthread_mutex_unlock(&gate->mutex);
}

static void calls_beyond_the_bound_are_refused(void **state) {
        struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER};
        struct pool *pool = pool_new_bounded(1, 3);
        unsigned n_taken = 0;

        (void)state;
        pthread_mutex_lock(&gate.mutex);
        while (n_taken < 100 && pool_call(pool, pass, &gate))
                n_taken++;
        assert_true(n_taken == 3 || n_taken == 4); /* one of them may run by now */
        pthread_mutex_unlock(&gate.mutex);
        pool_free(pool);
        assert_int_equal(gate.n, n_taken);
        assert_int_equal(pthread_mutex_destroy(&gate.mutex), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_was_added_runs_before_the_end),
                cmocka_unit_test(jobs_that_wait_do_not_hold_up_others),
                cmocka_unit_test(one_thread_takes_them_in_their_order),
                cmocka_unit_test(calls_beyond_the_bound_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
