// SPDX-License-Identifier: Apache-2.0
#include "nbd_work.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/sysinfo.h>

#include "mem.h"
#include "thread.h"

enum { THREADS_MIN = 8 };

struct nbd_lane {
        struct nbd_work *work;    /* borrowed, outlives us */
        struct nbd_errand *first; /* borrowed; the oldest that waits; NULL: none does */
        struct nbd_errand **last; /* borrowed; where the next one goes */
        struct nbd_lane *next;    /* borrowed; of those that could begin something */
        unsigned n_running;
        bool is_in_line;
        _Atomic bool is_frozen;
        _Atomic unsigned n_inside; /* who entered; changed without the mutex */
};

struct nbd_work {
        pthread_t *threads; /* owned */
        unsigned n_threads;
        pthread_mutex_t mutex; /* guards what is below, and all lanes */
        pthread_cond_t came, idle;
        struct nbd_lane *first, **last; /* borrowed; the line of lanes */
        bool is_ending;
};

unsigned nbd_work_threads(void) {
        unsigned n = 2 * (unsigned)get_nprocs();

        return n < THREADS_MIN ? THREADS_MIN : n;
}

/* ---- the line; the mutex is held ------------------------------------------------------------- */

static void join_line(struct nbd_lane *lane) {
        struct nbd_work *work = lane->work;

        if (lane->is_in_line || !lane->first || lane->n_running + 1 >= work->n_threads)
                return;
        lane->is_in_line = true;
        lane->next = NULL;
        *work->last = lane;
        work->last = &lane->next;
        pthread_cond_signal(&work->came);
}

static struct nbd_lane *leave_line(struct nbd_work *work) {
        struct nbd_lane *lane = work->first;

        work->first = lane->next;
        if (!work->first)
                work->last = &work->first;
        lane->is_in_line = false;
        return lane;
}

static struct nbd_errand *take_errand(struct nbd_lane *lane) {
        struct nbd_errand *errand = lane->first;

        lane->first = errand->next;
        if (!lane->first)
                lane->last = &lane->first;
        return errand;
}

/* ---- the threads ----------------------------------------------------------------------------- */

static void run_one(struct nbd_work *work) {
        struct nbd_lane *lane = leave_line(work);
        struct nbd_errand *errand;

        if (atomic_load(&lane->is_frozen))
                return;
        errand = take_errand(lane);
        lane->n_running++;
        join_line(lane);
        pthread_mutex_unlock(&work->mutex);
        errand->run(errand->user);
        pthread_mutex_lock(&work->mutex);
        lane->n_running--;
        join_line(lane);
        if (lane->n_running == 0)
                pthread_cond_broadcast(&work->idle);
}

static void *run(void *user) {
        struct nbd_work *work = user;

        pthread_mutex_lock(&work->mutex);
        for (;;) {
                if (work->first)
                        run_one(work);
                else if (work->is_ending)
                        break;
                else
                        pthread_cond_wait(&work->came, &work->mutex);
        }
        pthread_mutex_unlock(&work->mutex);
        return NULL;
}

static void start_threads(struct nbd_work *work, unsigned n) {
        while (work->n_threads < n && thread_start(&work->threads[work->n_threads], run, work) == 0)
                work->n_threads++;
        assert(work->n_threads >= 2);
}

struct nbd_work *nbd_work_new(unsigned n_threads) {
        struct nbd_work *work = mem_new(struct nbd_work);

        work->threads = mem_grow(NULL, n_threads, sizeof *work->threads);
        work->last = &work->first;
        pthread_mutex_init(&work->mutex, NULL);
        pthread_cond_init(&work->came, NULL);
        pthread_cond_init(&work->idle, NULL);
        pthread_mutex_lock(&work->mutex);
        start_threads(work, n_threads);
        pthread_mutex_unlock(&work->mutex);
        return work;
}

void nbd_work_free(struct nbd_work *work) {
        pthread_mutex_lock(&work->mutex);
        work->is_ending = true;
        pthread_cond_broadcast(&work->came);
        pthread_mutex_unlock(&work->mutex);
        for (unsigned i = 0; i < work->n_threads; i++)
                pthread_join(work->threads[i], NULL);
        pthread_cond_destroy(&work->idle);
        pthread_cond_destroy(&work->came);
        pthread_mutex_destroy(&work->mutex);
        free(work->threads);
        free(work);
}

struct nbd_lane *nbd_lane_new(struct nbd_work *work) {
        struct nbd_lane *lane = mem_new(struct nbd_lane);

        lane->work = work;
        lane->last = &lane->first;
        return lane;
}

void nbd_lane_free(struct nbd_lane *lane) {
        struct nbd_work *work = lane->work;

        pthread_mutex_lock(&work->mutex);
        while (lane->n_running > 0)
                pthread_cond_wait(&work->idle, &work->mutex);
        assert(!lane->first);
        pthread_mutex_unlock(&work->mutex);
        free(lane);
}

void nbd_work_add(struct nbd_lane *lane, struct nbd_errand *errand) {
        pthread_mutex_lock(&lane->work->mutex);
        errand->next = NULL;
        *lane->last = errand;
        lane->last = &errand->next;
        join_line(lane);
        pthread_mutex_unlock(&lane->work->mutex);
}

/* Who enters says so before he looks, and who freezes before he counts: one of the two sees the other. */
bool nbd_lane_enter(struct nbd_lane *lane) {
        atomic_fetch_add(&lane->n_inside, 1);
        if (!atomic_load(&lane->is_frozen))
                return true;
        nbd_lane_leave(lane);
        return false;
}

void nbd_lane_leave(struct nbd_lane *lane) {
        if (atomic_fetch_sub(&lane->n_inside, 1) != 1 || !atomic_load(&lane->is_frozen))
                return;
        pthread_mutex_lock(&lane->work->mutex);
        pthread_cond_broadcast(&lane->work->idle);
        pthread_mutex_unlock(&lane->work->mutex);
}

void nbd_lane_freeze(struct nbd_lane *lane) {
        pthread_mutex_lock(&lane->work->mutex);
        atomic_store(&lane->is_frozen, true);
        while (lane->n_running > 0 || atomic_load(&lane->n_inside) > 0)
                pthread_cond_wait(&lane->work->idle, &lane->work->mutex);
        pthread_mutex_unlock(&lane->work->mutex);
}

void nbd_lane_thaw(struct nbd_lane *lane) {
        pthread_mutex_lock(&lane->work->mutex);
        atomic_store(&lane->is_frozen, false);
        join_line(lane);
        pthread_mutex_unlock(&lane->work->mutex);
}
