// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bytes.h"
#include "mem.h"

enum { EVENTS_A_ROUND = 64, AWAKE_FIRST_NS = 8000 };

struct loop_watch {
        struct loop *loop; /* borrowed, outlives us */
        int fd;
        unsigned events;
        loop_ready ready; /* borrowed */
        void *user;       /* borrowed; handed to ready */
        size_t place;     /* in the loop's list */
        bool is_gone;     /* unwatched within this round: freed at its end */
};

struct loop_timer {
        struct loop *loop; /* borrowed, outlives us */
        uint64_t at_ns, number;
        size_t place;   /* in the heap */
        loop_call call; /* borrowed */
        void *user;     /* borrowed; handed to call */
};

struct posted {
        loop_call call; /* borrowed */
        void *user;     /* borrowed; handed to call */
};

struct posted_list {
        VEC(struct posted) list; /* owned */
};

struct loop {
        struct io *io; /* borrowed; its clock */
        int epoll, wake;
        VEC(struct loop_watch *) watches; /* owned */
        VEC(struct loop_watch *) gone;    /* owned */
        VEC(struct loop_timer *) timers;  /* owned; a heap by time, then by number */
        uint64_t n_timers_made;
        uint64_t awake_max_ns, awake_ns; /* at most; and as it pays at present */
        unsigned n_away;                 /* what other threads do for us */
        atomic_bool is_stopped;
        pthread_mutex_t mutex;      /* guards posted */
        struct posted_list posted;  /* owned */
        struct posted_list calling; /* owned; empty but while they are called: it takes turns with posted */
};

/* ---- making ---------------------------------------------------------------------------------- */

enum err loop_new(struct io *io, struct loop **ret, struct err_note *note) {
        AUTO(loop_free) struct loop *loop = mem_new(struct loop);
        struct epoll_event event = {.events = EPOLLIN};

        loop->io = io;
        pthread_mutex_init(&loop->mutex, NULL);
        loop->wake = -1;
        loop->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll >= 0)
                loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->wake < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0)
                return err_set(note, ERR_IO, "make an event loop: %s", strerror(errno));
        *ret = TAKE(loop);
        return ERR_NONE;
}

static void free_gone(struct loop *loop) {
        VEC_EACH (&loop->gone, each) {
                free(*each);
        }
        loop->gone.n = 0;
}

void loop_free(struct loop *loop) {
        free_gone(loop);
        VEC_EACH (&loop->watches, each) {
                free(*each);
        }
        VEC_EACH (&loop->timers, each) {
                free(*each);
        }
        vec_fini(&loop->watches);
        vec_fini(&loop->gone);
        vec_fini(&loop->timers);
        vec_fini(&loop->posted.list);
        vec_fini(&loop->calling.list);
        if (loop->wake >= 0)
                close(loop->wake);
        if (loop->epoll >= 0)
                close(loop->epoll);
        pthread_mutex_destroy(&loop->mutex);
        free(loop);
}

struct io *loop_io(const struct loop *loop) {
        return loop->io;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static uint32_t to_epoll(unsigned events) {
        return (events & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0u) | (events & LOOP_WRITE ? EPOLLOUT : 0u);
}

static unsigned from_epoll(uint32_t events) {
        return (events & (EPOLLIN | EPOLLRDHUP) ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
               (events & (EPOLLHUP | EPOLLERR) ? LOOP_GONE : 0u);
}

enum err loop_watch(struct loop *loop, int fd, unsigned events, loop_ready ready, void *user,
                    struct loop_watch **ret, struct err_note *note) {
        AUTO_FREE struct loop_watch *watch = mem_new(struct loop_watch);
        struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};

        if (loop->watches.n >= LOOP_WATCHES_MAX)
                return err_set(note, ERR_TOO_LARGE, "watch one more connection: there are %d",
                               LOOP_WATCHES_MAX);
        *watch = (struct loop_watch){.loop = loop,
                                     .fd = fd,
                                     .events = events,
                                     .ready = ready,
                                     .user = user,
                                     .place = loop->watches.n};
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                return err_set(note, ERR_IO, "watch descriptor %d: %s", fd, strerror(errno));
        *vec_add(&loop->watches) = watch;
        *ret = TAKE(watch);
        return ERR_NONE;
}

void loop_want(struct loop_watch *watch, unsigned events) {
        struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};
        int failed;

        if (events == watch->events)
                return;
        failed = epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
        assert(failed == 0);
        watch->events = events;
}

void loop_unwatch(struct loop_watch *watch) {
        struct loop *loop = watch->loop;

        assert(!watch->is_gone);
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        loop->watches.n--;
        if (watch->place < loop->watches.n) {
                loop->watches.data[watch->place] = loop->watches.data[loop->watches.n];
                loop->watches.data[watch->place]->place = watch->place;
        }
        /* The kernel may have told of it in this round already. */
        watch->is_gone = true;
        *vec_add(&loop->gone) = watch;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b) {
        return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void put_timer(struct loop *loop, size_t place, struct loop_timer *timer) {
        loop->timers.data[place] = timer;
        timer->place = place;
}

/* Moves timer from a free place to where it belongs. */
static void sift(struct loop *loop, size_t place, struct loop_timer *timer) {
        struct loop_timer **heap = loop->timers.data;
        size_t n = loop->timers.n;

        while (place > 0 && is_before(timer, heap[(place - 1) / 2])) {
                put_timer(loop, place, heap[(place - 1) / 2]);
                place = (place - 1) / 2;
        }
        for (;;) {
                size_t child = 2 * place + 1;

                if (child + 1 < n && is_before(heap[child + 1], heap[child]))
                        child++;
                if (child >= n || !is_before(heap[child], timer))
                        break;
                put_timer(loop, place, heap[child]);
                place = child;
        }
        put_timer(loop, place, timer);
}

static void take_timer(struct loop_timer *timer) {
        struct loop *loop = timer->loop;
        struct loop_timer *last = loop->timers.data[--loop->timers.n];

        if (last != timer)
                sift(loop, timer->place, last);
}

struct loop_timer *loop_after(struct loop *loop, uint64_t ns, loop_call call, void *user) {
        struct loop_timer *timer = mem_new(struct loop_timer);
        uint64_t at;

        *timer = (struct loop_timer){
                .loop = loop, .number = loop->n_timers_made++, .call = call, .user = user};
        timer->at_ns = add_u64(io_now_ns(loop->io), ns, &at) ? at : UINT64_MAX;
        (void)vec_add(&loop->timers);
        sift(loop, loop->timers.n - 1, timer);
        return timer;
}

void loop_cancel(struct loop_timer *timer) {
        take_timer(timer);
        free(timer);
}

/* Only those that were due when the round began: a timer that sets itself anew with 0 does not hold it up. */
static bool fire_timers(struct loop *loop) {
        uint64_t now = io_now_ns(loop->io), until = loop->n_timers_made;
        bool fired = false;

        while (loop->timers.n > 0 && loop->timers.data[0]->at_ns <= now &&
               loop->timers.data[0]->number < until) {
                AUTO_FREE struct loop_timer *timer = loop->timers.data[0];

                take_timer(timer);
                timer->call(timer->user);
                fired = true;
        }
        return fired;
}

uint64_t loop_due_ns(const struct loop *loop) {
        return loop->timers.n > 0 ? loop->timers.data[0]->at_ns : UINT64_MAX;
}

/* ---- running --------------------------------------------------------------------------------- */

static void wake(struct loop *loop) {
        uint64_t one = 1;

        /* Full is awake enough. */
        (void)!write(loop->wake, &one, sizeof one);
}

/* What is posted by these calls is called in the next round. */
static bool call_posted(struct loop *loop) {
        struct posted_list swap;
        bool called;

        pthread_mutex_lock(&loop->mutex);
        swap = loop->posted;
        loop->posted = loop->calling;
        loop->calling = swap;
        pthread_mutex_unlock(&loop->mutex);
        VEC_EACH (&loop->calling.list, each) {
                each->call(each->user);
        }
        called = loop->calling.list.n > 0;
        loop->calling.list.n = 0;
        return called;
}

/* In milliseconds, rounded up: a timer never fires early. */
static int wait_of(struct loop *loop, uint64_t ns) {
        if (loop->timers.n > 0) {
                uint64_t now = io_now_ns(loop->io), at = loop->timers.data[0]->at_ns;

                ns = min_u64(ns, at > now ? at - now : 0);
        }
        return ns == UINT64_MAX ? -1 : (int)min_u64(div_up(ns, 1000000), 60 * 1000);
}

/* Grows while waits are short, and is given up by a long one. */
static void learn_from(struct loop *loop, uint64_t waited_ns) {
        if (waited_ns > loop->awake_max_ns)
                loop->awake_ns = 0;
        else if (waited_ns > loop->awake_ns)
                loop->awake_ns = min_u64(max_u64(2 * loop->awake_ns, AWAKE_FIRST_NS), loop->awake_max_ns);
}

/* As epoll_wait. */
static int wait_for_events(struct loop *loop, struct epoll_event events[EVENTS_A_ROUND], uint64_t ns) {
        uint64_t began, until;
        int n;

        if (loop->awake_max_ns == 0 || loop->n_away > 0)
                return epoll_wait(loop->epoll, events, EVENTS_A_ROUND, wait_of(loop, ns));
        began = io_now_ns(loop->io);
        until = began + min_u64(ns, loop->awake_ns);
        do
                n = epoll_wait(loop->epoll, events, EVENTS_A_ROUND, 0);
        while (n == 0 && io_now_ns(loop->io) < until);
        if (n == 0)
                n = epoll_wait(loop->epoll, events, EVENTS_A_ROUND, wait_of(loop, ns));
        learn_from(loop, io_now_ns(loop->io) - began);
        return n;
}

void loop_set_awake(struct loop *loop, uint64_t max_ns) {
        loop->awake_max_ns = max_ns;
}

unsigned *loop_n_away(struct loop *loop) {
        return &loop->n_away;
}

bool loop_round(struct loop *loop, uint64_t ns) {
        struct epoll_event events[EVENTS_A_ROUND];
        int n = wait_for_events(loop, events, ns);
        bool called = n > 0;

        for (int i = 0; i < n; i++) {
                struct loop_watch *watch = events[i].data.ptr;
                uint64_t ignored;

                if (!watch)
                        (void)!read(loop->wake, &ignored, sizeof ignored);
                else if (!watch->is_gone)
                        watch->ready(watch->user, from_epoll(events[i].events));
        }
        called |= call_posted(loop);
        called |= fire_timers(loop);
        free_gone(loop);
        return called;
}

void loop_run(struct loop *loop) {
        while (!atomic_load(&loop->is_stopped))
                (void)loop_round(loop, UINT64_MAX);
        atomic_store(&loop->is_stopped, false);
}

void loop_stop(struct loop *loop) {
        atomic_store(&loop->is_stopped, true);
        wake(loop);
}

void loop_post(struct loop *loop, loop_call call, void *user) {
        pthread_mutex_lock(&loop->mutex);
        *vec_add(&loop->posted.list) = (struct posted){call, user};
        pthread_mutex_unlock(&loop->mutex);
        wake(loop);
}
