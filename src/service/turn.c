// SPDX-License-Identifier: Apache-2.0
#include "turn.h"

#include <assert.h>
#include <stdio.h>

#include "mem.h"

/* A flag that a signal sets wakes nobody: it is looked at this often. */
enum { LOOK_EVERY_NS = 50000000 };

void turn_init(struct turn *turn, struct io *io) {
        pthread_condattr_t attributes;

        *turn = (struct turn){.io = io};
        pthread_mutex_init(&turn->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&turn->moved, &attributes);
        pthread_condattr_destroy(&attributes);
}

void turn_fini(struct turn *turn) {
        assert(!turn->is_held && turn->next_ticket == turn->serving);
        free(turn->left);
        pthread_cond_destroy(&turn->moved);
        pthread_mutex_destroy(&turn->mutex);
}

/* ---- tickets; the mutex is held -------------------------------------------------------------- */

static bool has_left(struct turn *turn, uint64_t ticket) {
        for (unsigned i = 0; i < turn->n_left; i++) {
                if (turn->left[i] != ticket)
                        continue;
                turn->left[i] = turn->left[--turn->n_left];
                return true;
        }
        return false;
}

static void serve_next(struct turn *turn) {
        turn->serving++;
        while (turn->serving < turn->next_ticket && has_left(turn, turn->serving))
                turn->serving++;
        pthread_cond_broadcast(&turn->moved);
}

static void leave_queue(struct turn *turn, uint64_t ticket) {
        if (turn->n_left == turn->room_left) {
                turn->room_left = turn->room_left ? turn->room_left * 2 : 8;
                turn->left = mem_grow(turn->left, turn->room_left, sizeof *turn->left);
        }
        turn->left[turn->n_left++] = ticket;
}

static bool is_stopped(const atomic_bool *stop) {
        return stop && atomic_load_explicit(stop, memory_order_relaxed);
}

static void wait_a_little(struct turn *turn) {
        uint64_t until = io_now_ns(turn->io) + LOOK_EVERY_NS;
        struct timespec at = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};

        pthread_cond_timedwait(&turn->moved, &turn->mutex, &at);
}

/* ---- taking, giving -------------------------------------------------------------------------- */

enum err turn_take_unless(struct turn *turn, const char *who, const atomic_bool *stop,
                          struct err_note *note) {
        enum err failed = ERR_NONE;
        uint64_t ticket;

        if (!turn)
                return ERR_NONE;
        pthread_mutex_lock(&turn->mutex);
        ticket = turn->next_ticket++;
        while (!failed && (turn->is_held || turn->serving != ticket)) {
                if (is_stopped(stop)) {
                        leave_queue(turn, ticket);
                        failed = err_set(note, ERR_CANCELLED, "interrupted");
                } else if (stop) {
                        wait_a_little(turn);
                } else {
                        pthread_cond_wait(&turn->moved, &turn->mutex);
                }
        }
        if (!failed) {
                turn->is_held = true;
                snprintf(turn->holder, sizeof turn->holder, "%s", who);
        }
        pthread_mutex_unlock(&turn->mutex);
        return failed;
}

void turn_take(struct turn *turn, const char *who) {
        struct err_note unused;

        (void)!turn_take_unless(turn, who, NULL, &unused);
}

static void give(struct turn *turn, bool is_told) {
        pthread_mutex_lock(&turn->mutex);
        assert(turn->is_held);
        turn->is_held = false;
        turn->holder[0] = 0;
        if (is_told && turn->given)
                turn->given(turn->user);
        serve_next(turn);
        pthread_mutex_unlock(&turn->mutex);
}

void turn_give(struct turn *turn) {
        if (turn)
                give(turn, true);
}

void turn_give_unchanged(struct turn *turn) {
        if (turn)
                give(turn, false);
}

void turn_set_given(struct turn *turn, void (*given)(void *user), void *user) {
        if (!turn)
                return;
        pthread_mutex_lock(&turn->mutex);
        turn->given = given;
        turn->user = user;
        pthread_mutex_unlock(&turn->mutex);
}

void turn_holder(struct turn *turn, char ret[TURN_HOLDER_SIZE]) {
        ret[0] = 0;
        if (!turn)
                return;
        pthread_mutex_lock(&turn->mutex);
        snprintf(ret, TURN_HOLDER_SIZE, "%s", turn->holder);
        pthread_mutex_unlock(&turn->mutex);
}

unsigned turn_n_waiting(struct turn *turn) {
        unsigned n;

        if (!turn)
                return 0;
        pthread_mutex_lock(&turn->mutex);
        n = (unsigned)(turn->next_ticket - turn->serving) - turn->n_left - turn->is_held;
        pthread_mutex_unlock(&turn->mutex);
        return n;
}
