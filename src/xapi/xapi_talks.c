// SPDX-License-Identifier: Apache-2.0
#include "xapi_talks.h"

#include <pthread.h>

#include "mem.h"

struct xapi_talks {
        pthread_mutex_t mutex; /* guards what is below, and what talks have of the list */
        pthread_cond_t gone;
        struct xapi_talk *first; /* borrowed */
        unsigned n;
        bool is_closed;
};

struct xapi_talks *xapi_talks_new(void) {
        struct xapi_talks *talks = mem_new(struct xapi_talks);

        pthread_mutex_init(&talks->mutex, NULL);
        pthread_cond_init(&talks->gone, NULL);
        return talks;
}

bool xapi_talks_add(struct xapi_talks *talks, struct xapi_talk *talk) {
        bool fits;

        pthread_mutex_lock(&talks->mutex);
        fits = !talks->is_closed && talks->n < XAPI_TALKS_MAX;
        if (fits) {
                talk->list = talks;
                talk->is_listed = true;
                talk->follow = talks->first;
                if (talk->follow)
                        talk->follow->prev = talk;
                talks->first = talk;
                talks->n++;
        }
        pthread_mutex_unlock(&talks->mutex);
        return fits;
}

static void take_out(struct xapi_talks *talks, struct xapi_talk *talk) {
        if (talk->prev)
                talk->prev->follow = talk->follow;
        else
                talks->first = talk->follow;
        if (talk->follow)
                talk->follow->prev = talk->prev;
        talk->is_listed = false;
        talks->n--;
        pthread_cond_signal(&talks->gone);
}

bool xapi_talks_strike(struct xapi_talks *talks, struct xapi_talk *talk) {
        bool is_posted;

        pthread_mutex_lock(&talks->mutex);
        is_posted = talk->is_posted;
        if (!is_posted && talk->is_listed)
                take_out(talks, talk);
        pthread_mutex_unlock(&talks->mutex);
        return !is_posted;
}

static void on_drain(void *user) {
        struct xapi_talk *talk = user;

        pthread_mutex_lock(&talk->list->mutex);
        talk->is_posted = false;
        pthread_mutex_unlock(&talk->list->mutex);
        talk->drain(talk);
}

void xapi_talks_drain(struct xapi_talks *talks) {
        pthread_mutex_lock(&talks->mutex);
        talks->is_closed = true;
        for (struct xapi_talk *each = talks->first; each; each = each->follow)
                if (!each->is_posted) {
                        each->is_posted = true;
                        loop_post(each->loop, on_drain, each);
                }
        pthread_mutex_unlock(&talks->mutex);
}

void xapi_talks_free(struct xapi_talks *talks) {
        xapi_talks_drain(talks);
        pthread_mutex_lock(&talks->mutex);
        while (talks->first)
                pthread_cond_wait(&talks->gone, &talks->mutex);
        pthread_mutex_unlock(&talks->mutex);
        pthread_cond_destroy(&talks->gone);
        pthread_mutex_destroy(&talks->mutex);
        free(talks);
}
