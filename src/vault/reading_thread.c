// SPDX-License-Identifier: Apache-2.0
#include "reading_thread.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "thread.h"

#define EVERY_NS UINT64_C(5000000000)

struct reading_thread {
        struct reading *reading; /* borrowed, outlives it; the thread's */
        struct reading_thread_options options;
        pthread_t thread;
        pthread_mutex_t lock; /* is_over */
        pthread_cond_t ends;
        bool is_over;
};

/* false: it is over. */
static bool wait_for_time(struct reading_thread *thread) {
        struct timespec until;
        uint64_t ns;
        int waited = 0;
        bool ret;

        clock_gettime(CLOCK_MONOTONIC, &until);
        ns = (uint64_t)until.tv_nsec + thread->options.every_ns;
        until.tv_sec += (time_t)(ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        pthread_mutex_lock(&thread->lock);
        while (!thread->is_over && waited == 0)
                waited = pthread_cond_timedwait(&thread->ends, &thread->lock, &until);
        ret = !thread->is_over;
        pthread_mutex_unlock(&thread->lock);
        return ret;
}

static void *run(void *user) {
        struct reading_thread *thread = user;

        while (!thread->reading->is_broken && wait_for_time(thread))
                reading_go_on(thread->reading);
        if (thread->reading->is_broken && thread->options.broken)
                thread->options.broken(thread->options.user);
        return NULL;
}

enum err reading_thread_new(struct reading *reading, const struct reading_thread_options *options,
                            struct reading_thread **ret, struct err_note *note) {
        struct reading_thread *thread = mem_new(struct reading_thread);
        pthread_condattr_t monotonic;
        int failed;

        thread->reading = reading;
        thread->options = *options;
        if (options->every_ns == 0)
                thread->options.every_ns = EVERY_NS;
        pthread_mutex_init(&thread->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&thread->ends, &monotonic);
        pthread_condattr_destroy(&monotonic);
        failed = thread_start(&thread->thread, run, thread);
        if (failed) {
                pthread_cond_destroy(&thread->ends);
                pthread_mutex_destroy(&thread->lock);
                free(thread);
                return err_set(note, ERR_NO_MEMORY, "start a thread: %s", strerror(failed));
        }
        *ret = thread;
        return ERR_NONE;
}

void reading_thread_free(struct reading_thread *thread) {
        if (!thread)
                return;
        pthread_mutex_lock(&thread->lock);
        thread->is_over = true;
        pthread_cond_signal(&thread->ends);
        pthread_mutex_unlock(&thread->lock);
        pthread_join(thread->thread, NULL);
        pthread_cond_destroy(&thread->ends);
        pthread_mutex_destroy(&thread->lock);
        free(thread);
}
