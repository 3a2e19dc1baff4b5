// SPDX-License-Identifier: Apache-2.0
#include "crew.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "mem.h"
#include "thread.h"

struct crew_thread {
        struct crew *crew; /* borrowed, outlives it */
        pthread_t thread;
        unsigned number;
};

/* Slots are a ring; these four counts only grow, and finished <= taken <= given <= finished + n_slots. */
struct crew {
        struct crew_options options;
        struct crew_thread *threads; /* owned */
        unsigned n_started;

        pthread_mutex_t lock; /* all below */
        pthread_cond_t work;  /* there is something to do, or nothing will ever be */
        pthread_cond_t news;  /* for the one who gives: a slot is free, or there is an error */
        uint64_t given, taken, finished;
        bool *is_worked; /* owned; of each slot */
        bool is_finishing, is_leaving;
        struct err_note failed; /* code ERR_NONE: none yet */
};

static void *slot_of(const struct crew *crew, uint64_t n) {
        return (char *)crew->options.slots + n % crew->options.n_slots * crew->options.slot_size;
}

static void fail(struct crew *crew, const struct err_note *note) {
        if (crew->failed.code == ERR_NONE)
                crew->failed = *note;
        pthread_cond_broadcast(&crew->work);
        pthread_cond_broadcast(&crew->news);
}

/* ---- the threads ---- */

/* Of what is ready the first in order; only one thread does this. */
static void finish_first(struct crew *crew) {
        uint64_t n = crew->finished;
        enum err failed = ERR_NONE;
        struct err_note note;

        crew->is_finishing = true;
        if (crew->options.finish) {
                pthread_mutex_unlock(&crew->lock);
                failed = crew->options.finish(crew->options.user, slot_of(crew, n), &note);
                pthread_mutex_lock(&crew->lock);
        }
        crew->is_finishing = false;
        if (failed) {
                fail(crew, &note);
                return;
        }
        crew->is_worked[n % crew->options.n_slots] = false;
        crew->finished++;
        pthread_cond_signal(&crew->news);
}

static void work_next(struct crew *crew, unsigned thread) {
        uint64_t n = crew->taken++;
        struct err_note note;
        enum err failed;

        pthread_mutex_unlock(&crew->lock);
        failed = crew->options.work(crew->options.user, thread, slot_of(crew, n), &note);
        pthread_mutex_lock(&crew->lock);
        if (failed)
                fail(crew, &note);
        else
                crew->is_worked[n % crew->options.n_slots] = true;
}

/* Finishing comes first: it frees slots.  Whoever has worked looks again, and so does whoever has finished:
 * nothing that is ready is left lying when all wait. */
static void *run(void *user) {
        struct crew_thread *self = user;
        struct crew *crew = self->crew;

        pthread_mutex_lock(&crew->lock);
        while (!crew->is_leaving && crew->failed.code == ERR_NONE) {
                if (!crew->is_finishing && crew->is_worked[crew->finished % crew->options.n_slots])
                        finish_first(crew);
                else if (crew->taken < crew->given)
                        work_next(crew, self->number);
                else
                        pthread_cond_wait(&crew->work, &crew->lock);
        }
        pthread_mutex_unlock(&crew->lock);
        return NULL;
}

/* ---- the one who gives ---- */

static void wait_until(struct crew *crew, uint64_t wait_ns, const struct timespec *until) {
        if (wait_ns == CREW_FOREVER)
                pthread_cond_wait(&crew->news, &crew->lock);
        else
                pthread_cond_timedwait(&crew->news, &crew->lock, until);
}

static struct timespec later(uint64_t wait_ns) {
        const uint64_t second = 1000000000;
        struct timespec ret;

        clock_gettime(CLOCK_MONOTONIC, &ret);
        if (wait_ns == CREW_FOREVER)
                return ret;
        wait_ns += (uint64_t)ret.tv_nsec;
        ret.tv_sec += (time_t)(wait_ns / second);
        ret.tv_nsec = (long)(wait_ns % second);
        return ret;
}

static bool is_past(const struct timespec *until) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec != until->tv_sec ? now.tv_sec > until->tv_sec : now.tv_nsec >= until->tv_nsec;
}

/* Waits until at most so many are in flight; says whether it is so. */
static enum err wait_for(struct crew *crew, uint64_t n_in_flight, uint64_t wait_ns, bool *ret,
                         struct err_note *note) {
        struct timespec until = later(wait_ns);
        enum err failed;

        pthread_mutex_lock(&crew->lock);
        while (crew->failed.code == ERR_NONE && crew->given - crew->finished > n_in_flight &&
               (wait_ns == CREW_FOREVER || !is_past(&until)))
                wait_until(crew, wait_ns, &until);
        failed = crew->failed.code;
        if (failed)
                *note = crew->failed;
        else
                *ret = crew->given - crew->finished <= n_in_flight;
        pthread_mutex_unlock(&crew->lock);
        return failed;
}

enum err crew_next(struct crew *crew, uint64_t wait_ns, void **ret_slot, struct err_note *note) {
        bool is_free;

        if (wait_for(crew, crew->options.n_slots - 1, wait_ns, &is_free, note))
                return note->code;
        *ret_slot = is_free ? slot_of(crew, crew->given) : NULL;
        return ERR_NONE;
}

void crew_give(struct crew *crew) {
        pthread_mutex_lock(&crew->lock);
        assert(crew->given - crew->finished < crew->options.n_slots);
        crew->given++;
        pthread_cond_signal(&crew->work);
        pthread_mutex_unlock(&crew->lock);
}

enum err crew_wait(struct crew *crew, uint64_t wait_ns, bool *ret_is_idle, struct err_note *note) {
        return wait_for(crew, 0, wait_ns, ret_is_idle, note);
}

/* ---- beginning and end ---- */

unsigned crew_cores(void) {
        return (unsigned)get_nprocs();
}

static void make_conditions(struct crew *crew) {
        pthread_condattr_t monotonic;

        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_mutex_init(&crew->lock, NULL);
        pthread_cond_init(&crew->work, NULL);
        pthread_cond_init(&crew->news, &monotonic);
        pthread_condattr_destroy(&monotonic);
}

enum err crew_new(const struct crew_options *options, struct crew **ret, struct err_note *note) {
        AUTO(crew_free) struct crew *crew = mem_new(struct crew);

        crew->options = *options;
        crew->threads = mem_zero(options->n_threads * sizeof *crew->threads);
        crew->is_worked = mem_zero(options->n_slots * sizeof *crew->is_worked);
        make_conditions(crew);
        for (; crew->n_started < options->n_threads; crew->n_started++) {
                struct crew_thread *thread = &crew->threads[crew->n_started];
                int failed;

                *thread = (struct crew_thread){.crew = crew, .number = crew->n_started};
                failed = thread_start(&thread->thread, run, thread);
                if (failed && crew->n_started == 0)
                        return err_set(note, ERR_NO_MEMORY, "start a thread: %s", strerror(failed));
                if (failed)
                        break; /* fewer do the same work */
        }
        *ret = TAKE(crew);
        return ERR_NONE;
}

void crew_free(struct crew *crew) {
        if (!crew)
                return;
        pthread_mutex_lock(&crew->lock);
        crew->is_leaving = true;
        pthread_cond_broadcast(&crew->work);
        pthread_mutex_unlock(&crew->lock);
        for (unsigned i = 0; i < crew->n_started; i++)
                pthread_join(crew->threads[i].thread, NULL);
        pthread_cond_destroy(&crew->news);
        pthread_cond_destroy(&crew->work);
        pthread_mutex_destroy(&crew->lock);
        free(crew->is_worked);
        free(crew->threads);
        free(crew);
}
