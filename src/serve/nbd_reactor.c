// SPDX-License-Identifier: Apache-2.0
#include "nbd_reactor.h"

#include <pthread.h>
#include <stdio.h>

#include "local.h"
#include "mem.h"

#define TICK_EVERY_NS UINT64_C(1000000000)

struct present {
        struct nbd_guest *guest;    /* owned by itself */
        void (*closed)(void *user); /* borrowed; or NULL */
        void *user;                 /* borrowed; handed to closed */
};

struct nbd_reactor {
        struct reactor *reactor; /* borrowed, outlives us */
        struct nbd_house house;  /* what its guests are given */
        struct err_note why;     /* of a failed making */
        /* Its thread's: */
        struct nbd_reads *reads;    /* owned */
        struct loop_timer *tick;    /* owned */
        VEC(struct present) guests; /* owned */
        bool is_draining;

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t emptied;
        bool is_empty; /* drained, and the last has gone */
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void look_whether_empty(struct nbd_reactor *reactor) {
        if (!reactor->is_draining || reactor->guests.n > 0)
                return;
        pthread_mutex_lock(&reactor->mutex);
        reactor->is_empty = true;
        pthread_cond_signal(&reactor->emptied);
        pthread_mutex_unlock(&reactor->mutex);
}

static void on_gone(void *user, struct nbd_guest *guest) {
        struct nbd_reactor *reactor = user;

        for (size_t i = 0; i < reactor->guests.n; i++) {
                struct present gone = reactor->guests.data[i];

                if (gone.guest != guest)
                        continue;
                vec_remove_at(&reactor->guests, i);
                if (gone.closed)
                        gone.closed(gone.user);
                break;
        }
        look_whether_empty(reactor);
}

void nbd_reactor_take(struct nbd_reactor *reactor, const struct arrival *arrival) {
        struct nbd_house house = reactor->house;
        struct nbd_guest *guest;
        struct err_note note;

        /* Who can open the unix socket is the host's own. */
        house.needs_session &= arrival->is_tcp;
        if (!reactor->is_draining && !nbd_guest_new(&house, arrival->fd, arrival->peer, &guest, &note)) {
                *vec_add(&reactor->guests) = (struct present){guest, arrival->closed, arrival->user};
                return;
        }
        if (reactor->is_draining)
                local_close(arrival->fd);
        else
                reactor->house.log(reactor->house.user, note.text);
        if (arrival->closed)
                arrival->closed(arrival->user);
}

static void on_drain(void *user) {
        struct nbd_reactor *reactor = user;

        reactor->is_draining = true;
        VEC_EACH (&reactor->guests, each) {
                nbd_guest_drain(each->guest);
        }
        look_whether_empty(reactor);
}

static void on_tick(void *user) {
        struct nbd_reactor *reactor = user;

        VEC_EACH (&reactor->guests, each) {
                nbd_guest_tick(each->guest);
        }
        reactor->tick = loop_after(nbd_reactor_loop(reactor), TICK_EVERY_NS, on_tick, reactor);
}

static void make(void *user) {
        struct nbd_reactor *reactor = user;
        struct loop *loop = nbd_reactor_loop(reactor);

        if (nbd_reads_new(loop, &reactor->reads, &reactor->why))
                return;
        reactor->house.loop = loop;
        reactor->house.reads = reactor->reads;
        reactor->house.n_away = loop_n_away(loop);
        reactor->house.gone = on_gone;
        reactor->house.host = reactor;
        on_tick(reactor);
}

static void unmake(void *user) {
        struct nbd_reactor *reactor = user;

        if (reactor->tick)
                loop_cancel(TAKE(reactor->tick));
        vec_fini(&reactor->guests);
        if (reactor->reads)
                nbd_reads_free(TAKE(reactor->reads));
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void release(struct nbd_reactor *reactor) {
        reactor_call(reactor->reactor, unmake, reactor);
        pthread_cond_destroy(&reactor->emptied);
        pthread_mutex_destroy(&reactor->mutex);
        free(reactor);
}

enum err nbd_reactor_new(struct reactor *where, const struct nbd_house *house, struct nbd_reactor **ret,
                         struct err_note *note) {
        struct nbd_reactor *reactor = mem_new(struct nbd_reactor);

        reactor->reactor = where;
        reactor->house = *house;
        pthread_mutex_init(&reactor->mutex, NULL);
        pthread_cond_init(&reactor->emptied, NULL);
        reactor_call(where, make, reactor);
        if (!reactor->reads) {
                *note = reactor->why;
                release(reactor);
                return note->code;
        }
        *ret = reactor;
        return ERR_NONE;
}

struct loop *nbd_reactor_loop(const struct nbd_reactor *reactor) {
        return reactor_loop(reactor->reactor);
}

void nbd_reactor_drain(struct nbd_reactor *reactor) {
        loop_post(nbd_reactor_loop(reactor), on_drain, reactor);
}

/* The last guest is freed by the call that said it had gone: unmake comes behind that. */
void nbd_reactor_free(struct nbd_reactor *reactor) {
        pthread_mutex_lock(&reactor->mutex);
        while (!reactor->is_empty)
                pthread_cond_wait(&reactor->emptied, &reactor->mutex);
        pthread_mutex_unlock(&reactor->mutex);
        release(reactor);
}
