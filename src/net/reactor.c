// SPDX-License-Identifier: Apache-2.0
#include "reactor.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/sysinfo.h>

#include "bytes.h"
#include "mem.h"
#include "thread.h"

#define AWAKE_NS UINT64_C(100000)

struct reactor {
        struct loop *loop; /* owned */
        pthread_t thread;
        bool runs;
        atomic_uint n; /* connections */
};

struct reactors {
        struct reactor *each; /* owned */
        unsigned n;
};

static void *run(void *user) {
        struct reactor *reactor = user;

        loop_set_awake(reactor->loop, AWAKE_NS);
        loop_run(reactor->loop);
        return NULL;
}

static enum err start(struct io *io, struct reactor *reactor, struct err_note *note) {
        int failed;

        if (loop_new(io, &reactor->loop, note))
                return note->code;
        failed = thread_start(&reactor->thread, run, reactor);
        if (failed)
                return err_set(note, ERR_NO_MEMORY, "start a thread for connections: error %d", failed);
        reactor->runs = true;
        return ERR_NONE;
}

enum err reactors_new(struct io *io, unsigned n, struct reactors **ret, struct err_note *note) {
        AUTO(reactors_free) struct reactors *reactors = mem_new(struct reactors);

        reactors->n = (unsigned)min_u64(n ? n : (unsigned)get_nprocs(), REACTORS_MAX);
        reactors->each = mem_zero(reactors->n * sizeof *reactors->each);
        for (unsigned i = 0; i < reactors->n; i++)
                if (start(io, &reactors->each[i], note))
                        return note->code;
        *ret = TAKE(reactors);
        return ERR_NONE;
}

static void stop(struct reactor *reactor) {
        if (reactor->runs) {
                loop_stop(reactor->loop);
                pthread_join(reactor->thread, NULL);
        }
        assert(atomic_load(&reactor->n) == 0);
        if (reactor->loop)
                loop_free(reactor->loop);
}

void reactors_free(struct reactors *reactors) {
        for (unsigned i = 0; i < reactors->n; i++)
                stop(&reactors->each[i]);
        free(reactors->each);
        free(reactors);
}

unsigned reactors_n(const struct reactors *reactors) {
        return reactors->n;
}

struct reactor *reactors_at(const struct reactors *reactors, unsigned i) {
        assert(i < reactors->n);
        return &reactors->each[i];
}

struct reactor *reactors_least_busy(const struct reactors *reactors) {
        struct reactor *least = reactors->each;

        for (unsigned i = 1; i < reactors->n; i++)
                if (reactor_n(&reactors->each[i]) < reactor_n(least))
                        least = &reactors->each[i];
        return least;
}

struct loop *reactor_loop(const struct reactor *reactor) {
        return reactor->loop;
}

void reactor_enter(struct reactor *reactor) {
        atomic_fetch_add(&reactor->n, 1);
}

void reactor_leave(struct reactor *reactor) {
        atomic_fetch_sub(&reactor->n, 1);
}

unsigned reactor_n(const struct reactor *reactor) {
        return atomic_load(&reactor->n);
}

/* ---- a call that is waited for --------------------------------------------------------------- */

struct errand {
        loop_call call;
        void *user; /* borrowed; handed to call */
        pthread_mutex_t mutex;
        pthread_cond_t ended;
        bool has_ended;
};

static void on_errand(void *user) {
        struct errand *errand = user;

        errand->call(errand->user);
        pthread_mutex_lock(&errand->mutex);
        errand->has_ended = true;
        pthread_cond_signal(&errand->ended);
        pthread_mutex_unlock(&errand->mutex);
}

void reactor_call(struct reactor *reactor, loop_call call, void *user) {
        struct errand errand = {.call = call, .user = user};

        assert(!pthread_equal(pthread_self(), reactor->thread));
        pthread_mutex_init(&errand.mutex, NULL);
        pthread_cond_init(&errand.ended, NULL);
        loop_post(reactor->loop, on_errand, &errand);
        pthread_mutex_lock(&errand.mutex);
        while (!errand.has_ended)
                pthread_cond_wait(&errand.ended, &errand.mutex);
        pthread_mutex_unlock(&errand.mutex);
        pthread_cond_destroy(&errand.ended);
        pthread_mutex_destroy(&errand.mutex);
}
