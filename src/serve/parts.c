// SPDX-License-Identifier: Apache-2.0
#include "parts.h"

#include <assert.h>
#include <pthread.h>

#include "mem.h"

struct parts {
        struct io *io;         /* borrowed, outlives us */
        pthread_mutex_t mutex; /* guards what is below */
        struct part *idle;     /* owned; a list */
        unsigned n_made, n_out;
        struct parts_wait *first, **last; /* borrowed; who waits, the oldest first */
};

struct parts *parts_new(struct io *io) {
        struct parts *parts = mem_new(struct parts);

        parts->io = io;
        parts->last = &parts->first;
        pthread_mutex_init(&parts->mutex, NULL);
        return parts;
}

static void part_free(struct part *part) {
        if (part->batch)
                chain_batch_free(part->batch);
        free(part->memory);
        free(part);
}

void parts_free(struct parts *parts) {
        assert(parts->n_out == 0 && !parts->first);
        while (parts->idle) {
                struct part *part = parts->idle;

                parts->idle = part->next;
                part_free(part);
        }
        pthread_mutex_destroy(&parts->mutex);
        free(parts);
}

static struct part *make(struct parts *parts) {
        struct part *part = mem_new(struct part);
        struct err_note unused;

        part->memory = mem_aligned(4096, PART_SIZE);
        if (chain_batch_new(parts->io, &part->batch, &unused))
                part->batch = NULL;
        return part;
}

/* The mutex is held. */
static void wait_in_line(struct parts *parts, struct parts_wait *wait) {
        assert(!wait->is_waiting);
        wait->is_waiting = true;
        wait->next = NULL;
        *parts->last = wait;
        parts->last = &wait->next;
}

struct part *parts_take(struct parts *parts, struct parts_wait *wait) {
        struct part *part = NULL;
        bool makes = false;

        pthread_mutex_lock(&parts->mutex);
        if (parts->idle) {
                part = parts->idle;
                parts->idle = part->next;
        } else if (parts->n_made < PARTS_MAX) {
                parts->n_made++;
                makes = true;
        } else {
                wait_in_line(parts, wait);
        }
        parts->n_out += part || makes;
        pthread_mutex_unlock(&parts->mutex);
        return makes ? make(parts) : part;
}

/* The mutex is held. */
static void call_next(struct parts *parts) {
        struct parts_wait *wait = parts->first;

        if (!wait)
                return;
        parts->first = wait->next;
        if (!parts->first)
                parts->last = &parts->first;
        wait->is_waiting = false;
        loop_post(wait->loop, wait->call, wait->user);
}

void parts_give(struct parts *parts, struct part *part) {
        pthread_mutex_lock(&parts->mutex);
        part->next = parts->idle;
        parts->idle = part;
        parts->n_out--;
        call_next(parts);
        pthread_mutex_unlock(&parts->mutex);
}

void parts_pass(struct parts *parts) {
        pthread_mutex_lock(&parts->mutex);
        if (parts->idle)
                call_next(parts);
        pthread_mutex_unlock(&parts->mutex);
}

bool parts_forget(struct parts *parts, struct parts_wait *wait) {
        bool was_waiting;

        pthread_mutex_lock(&parts->mutex);
        was_waiting = wait->is_waiting;
        for (struct parts_wait **at = &parts->first; was_waiting && *at; at = &(*at)->next) {
                if (*at != wait)
                        continue;
                *at = wait->next;
                if (!*at)
                        parts->last = at;
                break;
        }
        wait->is_waiting = false;
        pthread_mutex_unlock(&parts->mutex);
        return was_waiting;
}
