// SPDX-License-Identifier: Apache-2.0
#include "nbd_reactor.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "local.h"
#include "mem.h"
#include "tcp.h"
#include "thread.h"

#define TICK_EVERY_NS UINT64_C(1000000000)
#define AWAKE_NS      UINT64_C(100000)

struct nbd_reactor {
        struct nbd_reactor_options options;
        struct nbd_house house;  /* what its guests are given */
        struct loop *loop;       /* owned */
        struct nbd_reads *reads; /* owned */
        unsigned n_away;         /* requests of its guests that threads have; its thread's */
        pthread_t thread;
        atomic_uint n_guests; /* given, and not gone yet */
        /* The thread's: */
        VEC(struct nbd_guest *) guests; /* owned by themselves */
        bool is_draining;
};

/* One who was let in, on the way to his reactor. */
struct coming {
        struct nbd_reactor *reactor; /* borrowed, outlives us */
        int fd;
        struct tcp_address peer;
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void one_fewer(struct nbd_reactor *reactor) {
        atomic_fetch_sub(&reactor->n_guests, 1);
        reactor->options.gone(reactor->options.user);
}

static void on_gone(void *user, struct nbd_guest *guest) {
        struct nbd_reactor *reactor = user;

        for (size_t i = 0; i < reactor->guests.n; i++) {
                if (reactor->guests.data[i] != guest)
                        continue;
                vec_remove_at(&reactor->guests, i);
                break;
        }
        one_fewer(reactor);
}

static void on_coming(void *user) {
        AUTO_FREE struct coming *coming = user;
        struct nbd_reactor *reactor = coming->reactor;
        struct nbd_guest *guest;
        struct err_note note;

        if (reactor->is_draining) {
                local_close(coming->fd);
                one_fewer(reactor);
        } else if (nbd_guest_new(&reactor->house, coming->fd, coming->peer.s, &guest, &note)) {
                reactor->house.log(reactor->house.user, note.text);
                one_fewer(reactor);
        } else {
                *vec_add(&reactor->guests) = guest;
        }
}

static void on_drain(void *user) {
        struct nbd_reactor *reactor = user;

        reactor->is_draining = true;
        VEC_EACH (&reactor->guests, each) {
                nbd_guest_drain(*each);
        }
}

static void on_tick(void *user) {
        struct nbd_reactor *reactor = user;

        VEC_EACH (&reactor->guests, each) {
                nbd_guest_tick(*each);
        }
        (void)loop_after(reactor->loop, TICK_EVERY_NS, on_tick, reactor);
}

static void *run(void *user) {
        struct nbd_reactor *reactor = user;

        on_tick(reactor);
        while (!reactor->is_draining || reactor->guests.n > 0) {
                /* While threads work for us the processor is theirs. */
                loop_set_awake(reactor->loop, reactor->n_away > 0 ? 0 : AWAKE_NS);
                (void)loop_round(reactor->loop, UINT64_MAX);
        }
        return NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* What was made before the thread could be had. */
static void release(struct nbd_reactor *reactor) {
        vec_fini(&reactor->guests);
        if (reactor->reads)
                nbd_reads_free(reactor->reads);
        if (reactor->loop)
                loop_free(reactor->loop);
        free(reactor);
}
DEFINE_AUTO(struct nbd_reactor *, release);

enum err nbd_reactor_new(const struct nbd_reactor_options *options, struct nbd_reactor **ret,
                         struct err_note *note) {
        AUTO(release) struct nbd_reactor *reactor = mem_new(struct nbd_reactor);
        int failed;

        reactor->options = *options;
        if (loop_new(options->io, &reactor->loop, note) ||
            nbd_reads_new(reactor->loop, &reactor->reads, note))
                return note->code;
        reactor->house = *options->house;
        reactor->house.loop = reactor->loop;
        reactor->house.reads = reactor->reads;
        reactor->house.n_away = &reactor->n_away;
        reactor->house.gone = on_gone;
        reactor->house.host = reactor;
        failed = thread_start(&reactor->thread, run, reactor);
        if (failed)
                return err_set(note, ERR_NO_MEMORY, "start a thread for clients: error %d", failed);
        *ret = TAKE(reactor);
        return ERR_NONE;
}

void nbd_reactor_free(struct nbd_reactor *reactor) {
        pthread_join(reactor->thread, NULL);
        assert(atomic_load(&reactor->n_guests) == 0);
        release(reactor);
}

void nbd_reactor_give(struct nbd_reactor *reactor, int fd, const char *peer) {
        struct coming *coming = mem_new(struct coming);

        coming->reactor = reactor;
        coming->fd = fd;
        snprintf(coming->peer.s, sizeof coming->peer.s, "%s", peer);
        atomic_fetch_add(&reactor->n_guests, 1);
        loop_post(reactor->loop, on_coming, coming);
}

unsigned nbd_reactor_n_guests(const struct nbd_reactor *reactor) {
        return atomic_load(&reactor->n_guests);
}

void nbd_reactor_drain(struct nbd_reactor *reactor) {
        loop_post(reactor->loop, on_drain, reactor);
}
