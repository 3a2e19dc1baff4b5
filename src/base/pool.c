// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

#include <pthread.h>
#include <stdint.h>

#include "mem.h"
#include "thread.h"

struct pool {
        pthread_t *threads; /* owned */
        unsigned n_max;
        size_t n_waiting_max;
        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t came;
        struct pool_job *first, **last; /* borrowed; what waits, the oldest first */
        unsigned n_threads, n_idle;
        size_t n_waiting;
        bool is_ending;
};

/* The mutex is held. */
static struct pool_job *take(struct pool *pool) {
        struct pool_job *job = pool->first;

        pool->first = job->next;
        pool->n_waiting--;
        if (!pool->first)
                pool->last = &pool->first;
        return job;
}

static void *run(void *user) {
        struct pool *pool = user;

        pthread_mutex_lock(&pool->mutex);
        for (;;) {
                if (pool->first) {
                        struct pool_job *job = take(pool);

                        pthread_mutex_unlock(&pool->mutex);
                        job->run(job->user);
                        pthread_mutex_lock(&pool->mutex);
                } else if (pool->is_ending) {
                        break;
                } else {
                        pool->n_idle++;
                        pthread_cond_wait(&pool->came, &pool->mutex);
                        pool->n_idle--;
                }
        }
        pthread_mutex_unlock(&pool->mutex);
        return NULL;
}

struct pool *pool_new_bounded(unsigned n_max, size_t n_waiting_max) {
        struct pool *pool = mem_new(struct pool);

        pool->threads = n_max ? mem_grow(NULL, n_max, sizeof *pool->threads) : NULL;
        pool->n_max = n_max;
        pool->n_waiting_max = n_waiting_max;
        pool->last = &pool->first;
        pthread_mutex_init(&pool->mutex, NULL);
        pthread_cond_init(&pool->came, NULL);
        return pool;
}

struct pool *pool_new(unsigned n_max) {
        return pool_new_bounded(n_max, SIZE_MAX);
}

void pool_free(struct pool *pool) {
        pthread_mutex_lock(&pool->mutex);
        pool->is_ending = true;
        pthread_cond_broadcast(&pool->came);
        pthread_mutex_unlock(&pool->mutex);
        for (unsigned i = 0; i < pool->n_threads; i++)
                pthread_join(pool->threads[i], NULL);
        pthread_cond_destroy(&pool->came);
        pthread_mutex_destroy(&pool->mutex);
        free(pool->threads);
        free(pool);
}

/* The mutex is held, and let go. */
static void add(struct pool *pool, struct pool_job *job) {
        bool has_threads;

        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->n_waiting++;
        if (pool->n_waiting > pool->n_idle && pool->n_threads < pool->n_max &&
            thread_start(&pool->threads[pool->n_threads], run, pool) == 0)
                pool->n_threads++;
        pthread_cond_signal(&pool->came);
        has_threads = pool->n_threads > 0;
        if (!has_threads)
                job = take(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (!has_threads)
                job->run(job->user);
}

void pool_add(struct pool *pool, struct pool_job *job) {
        pthread_mutex_lock(&pool->mutex);
        add(pool, job);
}

/* ---- jobs of our own ---- */

struct call {
        struct pool_job job;
        void (*run)(void *user); /* borrowed */
        void *user;              /* borrowed; handed to run */
};

static void run_call(void *user) {
        AUTO_FREE struct call *call = user;

        call->run(call->user);
}

bool pool_call(struct pool *pool, void (*run_it)(void *user), void *user) {
        struct call *call;

        pthread_mutex_lock(&pool->mutex);
        if (pool->n_waiting >= pool->n_waiting_max) {
                pthread_mutex_unlock(&pool->mutex);
                return false;
        }
        call = mem_new(struct call);
        *call = (struct call){.job = {.run = run_call, .user = call}, .run = run_it, .user = user};
        add(pool, &call->job);
        return true;
}
