// SPDX-License-Identifier: Apache-2.0
/* A queue whose requests are done by threads with blocking calls: for kernels that forbid io_uring, and for
 * tools that cannot look into it.
 *
 * A thread is started when a request comes and none is idle, up to min(depth, 16): most queues of small depth
 * never need more, and sixteen waiting reads keep any disk busy.  Signals are not for these threads.
 *
 * One mutex guards all of a pool but what is marked otherwise. */
#include "io_posix.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "thread.h"

enum { MOST_THREADS = 16 };

/* Room for as many as may be in flight, so it never runs over. */
struct ring {
        struct io_request **each; /* owned; each borrowed from its submitter */
        unsigned first, n;
};

struct pool {
        struct io_queue queue;            /* its user's alone */
        void (*run)(struct io_request *); /* borrowed */
        pthread_mutex_t mutex;
        pthread_cond_t work_came;
        pthread_cond_t work_ended;
        struct ring todo;
        struct ring ended;
        bool must_stop;
        int fd; /* owned; an eventfd, readable while something has ended; -1: nobody asked for it */
        unsigned n_idle;
        unsigned n_threads; /* its user's alone, and the array */
        pthread_t threads[MOST_THREADS];
};

static void ring_put(struct ring *ring, unsigned room, struct io_request *request) {
        ring->each[(ring->first + ring->n++) % room] = request;
}

static struct io_request *ring_take(struct ring *ring, unsigned room) {
        struct io_request *request = ring->each[ring->first];

        ring->first = (ring->first + 1) % room;
        ring->n--;
        return request;
}

/* The mutex is held, from here on. */
static void put_ended(struct pool *pool, struct io_request *request) {
        uint64_t one = 1;

        ring_put(&pool->ended, pool->queue.depth, request);
        if (pool->fd >= 0)
                (void)!write(pool->fd, &one, sizeof one);
}

static void clear_fd(struct pool *pool) {
        uint64_t ignored;

        if (pool->fd >= 0 && pool->ended.n == 0)
                (void)!read(pool->fd, &ignored, sizeof ignored);
}

static void *work(void *arg) {
        struct pool *pool = arg;
        unsigned room = pool->queue.depth; /* set before any thread starts */

        pthread_mutex_lock(&pool->mutex);
        for (;;) {
                struct io_request *request;

                while (pool->todo.n == 0 && !pool->must_stop) {
                        pool->n_idle++;
                        pthread_cond_wait(&pool->work_came, &pool->mutex);
                        pool->n_idle--;
                }
                if (pool->todo.n == 0)
                        break;
                request = ring_take(&pool->todo, room);
                pthread_mutex_unlock(&pool->mutex);
                pool->run(request);
                pthread_mutex_lock(&pool->mutex);
                put_ended(pool, request);
                pthread_cond_signal(&pool->work_ended); /* a queue has one user */
        }
        pthread_mutex_unlock(&pool->mutex);
        return NULL;
}

static bool start_thread(struct pool *pool) {
        if (thread_start(&pool->threads[pool->n_threads], work, pool))
                return false;
        pool->n_threads++;
        return true;
}

static void pool_submit(struct io_queue *queue, struct io_request *request) {
        struct pool *pool = (struct pool *)queue;
        unsigned most = queue->depth < MOST_THREADS ? queue->depth : MOST_THREADS;
        bool is_short_of_threads;

        pthread_mutex_lock(&pool->mutex);
        is_short_of_threads = pool->n_idle <= pool->todo.n;
        pthread_mutex_unlock(&pool->mutex);
        if (is_short_of_threads && pool->n_threads < most)
                start_thread(pool);

        if (pool->n_threads == 0) { /* the system has no thread to give: slow is better than not at all */
                pool->run(request);
                pthread_mutex_lock(&pool->mutex);
                put_ended(pool, request);
                pthread_mutex_unlock(&pool->mutex);
                return;
        }
        pthread_mutex_lock(&pool->mutex);
        ring_put(&pool->todo, queue->depth, request);
        pthread_cond_signal(&pool->work_came);
        pthread_mutex_unlock(&pool->mutex);
}

static unsigned pool_reap(struct io_queue *queue, unsigned min, struct io_request **ret, unsigned max) {
        struct pool *pool = (struct pool *)queue;
        unsigned n = 0;

        pthread_mutex_lock(&pool->mutex);
        while (pool->ended.n < min)
                pthread_cond_wait(&pool->work_ended, &pool->mutex);
        while (n < max && pool->ended.n > 0)
                ret[n++] = ring_take(&pool->ended, queue->depth);
        clear_fd(pool);
        pthread_mutex_unlock(&pool->mutex);
        return n;
}

/* Where the system has none to give it is -1. */
static int pool_fd(struct io_queue *queue) {
        struct pool *pool = (struct pool *)queue;
        uint64_t one = 1;

        pthread_mutex_lock(&pool->mutex);
        if (pool->fd < 0)
                pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->fd >= 0 && pool->ended.n > 0)
                (void)!write(pool->fd, &one, sizeof one);
        pthread_mutex_unlock(&pool->mutex);
        return pool->fd;
}

static void pool_free(struct io_queue *queue) {
        struct pool *pool = (struct pool *)queue;

        pthread_mutex_lock(&pool->mutex);
        pool->must_stop = true;
        pthread_cond_broadcast(&pool->work_came);
        pthread_mutex_unlock(&pool->mutex);
        for (unsigned i = 0; i < pool->n_threads; i++)
                pthread_join(pool->threads[i], NULL);
        pthread_cond_destroy(&pool->work_came);
        pthread_cond_destroy(&pool->work_ended);
        pthread_mutex_destroy(&pool->mutex);
        free(pool->todo.each);
        free(pool->ended.each);
        if (pool->fd >= 0)
                close(pool->fd);
        free(pool);
}

static const struct io_queue_ops pool_ops = {
        .free = pool_free, .submit = pool_submit, .reap = pool_reap, .fd = pool_fd};

static struct io_queue *pool_new(unsigned depth, void (*run)(struct io_request *)) {
        struct pool *pool = mem_new(struct pool);

        pool->queue.ops = &pool_ops;
        pool->run = run;
        pool->fd = -1;
        pthread_mutex_init(&pool->mutex, NULL);
        pthread_cond_init(&pool->work_came, NULL);
        pthread_cond_init(&pool->work_ended, NULL);
        pool->todo.each = mem_grow(NULL, depth, sizeof *pool->todo.each);
        pool->ended.each = mem_grow(NULL, depth, sizeof *pool->ended.each);
        return &pool->queue;
}

enum err io_pool_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        (void)io, (void)note;
        *ret = pool_new(depth, io_posix_run);
        return ERR_NONE;
}

enum err io_plain_queue_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        (void)io, (void)note;
        *ret = pool_new(depth, io_request_run);
        (*ret)->takes_any = true;
        return ERR_NONE;
}
