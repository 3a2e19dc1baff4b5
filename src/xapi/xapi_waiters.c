// SPDX-License-Identifier: Apache-2.0
#include "xapi_waiters.h"

#include <assert.h>
#include <pthread.h>

#include "mem.h"

struct xapi_waiters {
        struct objects *objects;     /* borrowed, outlives us */
        struct objects_watch *watch; /* owned */
        pthread_mutex_t mutex;       /* guards what is below */
        struct xapi_waiter *first;   /* borrowed */
};

/* What is posted to a loop, which may come when the waiter is gone.  waiter is the loop's thread's alone. */
struct xapi_post {
        struct xapi_waiter *waiter; /* borrowed; NULL: it does not wait any more */
        bool is_posted;             /* guarded by the mutex: the loop has a call of ours to make */
};

/* The mutex is held. */
static void unlink_waiter(struct xapi_waiter *waiter) {
        *waiter->self = waiter->next;
        if (waiter->next)
                waiter->next->self = waiter->self;
}

void xapi_waiters_remove(struct xapi_waiters *waiters, struct xapi_waiter *waiter) {
        struct xapi_post *post;
        bool is_posted;

        if (!waiter->post)
                return;
        if (waiter->timer)
                loop_cancel(TAKE(waiter->timer));
        pthread_mutex_lock(&waiters->mutex);
        /* Whoever finds it in the list finds its post. */
        post = TAKE(waiter->post);
        unlink_waiter(waiter);
        is_posted = post->is_posted;
        pthread_mutex_unlock(&waiters->mutex);
        post->waiter = NULL;
        if (!is_posted)
                free(post); /* else on_post does */
}

static void wake(struct xapi_waiter *waiter) {
        xapi_waiters_remove(waiter->waiters, waiter);
        waiter->wake(waiter);
}

/* Is still marked as posted while the waiter is removed, so it is freed here and nowhere else. */
static void on_post(void *user) {
        struct xapi_post *post = user;

        if (post->waiter)
                wake(post->waiter);
        free(post);
}

static void on_timer(void *user) {
        struct xapi_waiter *waiter = user;

        waiter->timer = NULL;
        wake(waiter);
}

/* The mutex is held. */
static void post(struct xapi_waiter *waiter) {
        if (waiter->post->is_posted)
                return;
        waiter->post->is_posted = true;
        loop_post(waiter->loop, on_post, waiter->post);
}

void xapi_waiters_wake(struct xapi_waiters *waiters) {
        pthread_mutex_lock(&waiters->mutex);
        for (struct xapi_waiter *each = waiters->first; each; each = each->next)
                post(each);
        pthread_mutex_unlock(&waiters->mutex);
}

static void on_change(void *user) {
        xapi_waiters_wake(user);
}

/* A change between the look and this moment was told to nobody: it is looked for once more. */
void xapi_waiters_add(struct xapi_waiters *waiters, struct xapi_waiter *waiter) {
        uint64_t now_ns = io_now_ns(loop_io(waiter->loop));

        assert(!waiter->post);
        waiter->waiters = waiters;
        waiter->post = mem_new(struct xapi_post);
        waiter->post->waiter = waiter;
        waiter->timer = loop_after(waiter->loop, waiter->until_ns > now_ns ? waiter->until_ns - now_ns : 0,
                                   on_timer, waiter);
        pthread_mutex_lock(&waiters->mutex);
        waiter->next = waiters->first;
        waiter->self = &waiters->first;
        if (waiter->next)
                waiter->next->self = &waiter->next;
        waiters->first = waiter;
        if (objects_generation(waiters->objects) != waiter->generation)
                post(waiter);
        pthread_mutex_unlock(&waiters->mutex);
}

struct xapi_waiters *xapi_waiters_new(struct objects *objects) {
        struct xapi_waiters *waiters = mem_new(struct xapi_waiters);

        waiters->objects = objects;
        pthread_mutex_init(&waiters->mutex, NULL);
        waiters->watch = objects_watch(objects, on_change, waiters);
        return waiters;
}

void xapi_waiters_free(struct xapi_waiters *waiters) {
        objects_unwatch(waiters->objects, waiters->watch);
        assert(!waiters->first);
        pthread_mutex_destroy(&waiters->mutex);
        free(waiters);
}
