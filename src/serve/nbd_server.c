// SPDX-License-Identifier: Apache-2.0
#include "nbd_server.h"

#include <assert.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include "local.h"
#include "mem.h"
#include "nbd_reactor.h"

/* A flag that a signal sets between two looks at it wakes nobody. */
#define LOOK_EVERY_NS   UINT64_C(100000000)
#define TICK_EVERY_NS   UINT64_C(1000000000)
#define ACCEPT_AGAIN_NS UINT64_C(100000000)

enum { REACTORS_MAX = 64 };

struct listener {
        struct nbd_server *server; /* borrowed, outlives us */
        bool is_tcp;
        int fd;                   /* -1: none */
        struct loop_watch *watch; /* owned; NULL: nobody is let in */
};

struct nbd_server {
        struct nbd_server_options options;
        struct loop *loop;                  /* owned; lets in, and ticks */
        VEC(struct nbd_reactor *) reactors; /* owned, and each */
        struct nbd_work *work;              /* owned */
        struct nbd_exports *exports;        /* owned */
        struct tls_keys *keys;              /* owned; NULL: none */
        struct nbd_house house;             /* what reactors are given */
        struct listener unix_one, tcp_one;
        char *unix_path; /* owned */
        struct tcp_address tcp_address;
        struct loop_timer *tick; /* owned */
};

/* ---- guests ---------------------------------------------------------------------------------- */

static void want_guests(struct nbd_server *server, bool wants) {
        if (server->unix_one.watch)
                loop_want(server->unix_one.watch, wants ? LOOP_READ : 0);
        if (server->tcp_one.watch)
                loop_want(server->tcp_one.watch, wants ? LOOP_READ : 0);
}

static void accept_again(void *user) {
        want_guests(user, true);
}

/* A reactor's thread. */
static void on_gone(void *user) {
        struct nbd_server *server = user;

        loop_post(server->loop, accept_again, server);
}

static unsigned count_guests(const struct nbd_server *server) {
        unsigned n = 0;

        VEC_EACH (&server->reactors, each) {
                n += nbd_reactor_n_guests(*each);
        }
        return n;
}

static struct nbd_reactor *least_busy(const struct nbd_server *server) {
        struct nbd_reactor *least = server->reactors.data[0];

        VEC_EACH (&server->reactors, each) {
                if (nbd_reactor_n_guests(*each) < nbd_reactor_n_guests(least))
                        least = *each;
        }
        return least;
}

static enum err accept_one(const struct listener *listener, int *ret_fd, struct tcp_address *ret_peer,
                           struct err_note *note) {
        if (listener->is_tcp)
                return tcp_accept(listener->fd, ret_fd, ret_peer, note);
        snprintf(ret_peer->s, sizeof ret_peer->s, "a client of the unix socket");
        return local_accept_any(listener->fd, ret_fd, note);
}

static void on_connection(void *user, unsigned events) {
        struct listener *listener = user;
        struct nbd_server *server = listener->server;
        struct tcp_address peer;
        struct err_note note;
        int fd = -1;

        (void)events;
        if (count_guests(server) >= server->options.n_guests_max) {
                want_guests(server, false);
                return;
        }
        if (accept_one(listener, &fd, &peer, &note)) {
                /* Out of descriptors, say: whoever waits is still there a moment later. */
                server->options.log(server->options.user, note.text);
                want_guests(server, false);
                (void)loop_after(server->loop, ACCEPT_AGAIN_NS, accept_again, server);
        }
        if (fd >= 0)
                nbd_reactor_give(least_busy(server), fd, peer.s);
}

/* ---- listening ------------------------------------------------------------------------------- */

static void stop_listening(struct listener *listener) {
        if (listener->watch)
                loop_unwatch(TAKE(listener->watch));
        if (listener->fd >= 0)
                local_close(listener->fd);
        listener->fd = -1;
}

static enum err watch_listener(struct listener *listener, struct err_note *note) {
        return loop_watch(listener->server->loop, listener->fd, LOOP_READ, on_connection, listener,
                          &listener->watch, note);
}

static enum err listen_all(struct nbd_server *server, struct err_note *note) {
        const char *path = server->options.unix_path, *address = server->options.tcp_address;

        if (path && local_listen_at(path, &server->unix_one.fd, note))
                return note->code;
        if (path)
                server->unix_path = mem_text(path);
        if (path && watch_listener(&server->unix_one, note))
                return note->code;
        if (address && (tcp_listen(address, &server->tcp_one.fd, note) ||
                        tcp_address_of(server->tcp_one.fd, &server->tcp_address, note) ||
                        watch_listener(&server->tcp_one, note)))
                return note->code;
        return ERR_NONE;
}

static enum err load_keys(struct nbd_server *server, struct err_note *note) {
        const struct nbd_server_options *options = &server->options;

        assert(options->tls || !options->requires_tls);
        server->house.tls = NBD_TLS_NONE;
        if (!options->tls)
                return ERR_NONE;
        server->house.tls = options->requires_tls ? NBD_TLS_REQUIRED : NBD_TLS_OFFERED;
        return tls_keys_load(options->tls, &server->keys, note);
}

static enum err start_reactors(struct nbd_server *server, struct err_note *note) {
        const struct nbd_reactor_options options = {
                .io = server->options.io, .house = &server->house, .gone = on_gone, .user = server};

        for (int i = 0; i < get_nprocs() && i < REACTORS_MAX; i++) {
                struct nbd_reactor *reactor;

                if (nbd_reactor_new(&options, &reactor, note))
                        return note->code;
                *vec_add(&server->reactors) = reactor;
        }
        return ERR_NONE;
}

/* Until the last guest has gone. */
static void drain(struct nbd_server *server) {
        VEC_EACH (&server->reactors, each) {
                nbd_reactor_drain(*each);
        }
        while (server->reactors.n > 0)
                nbd_reactor_free(server->reactors.data[--server->reactors.n]);
}

enum err nbd_server_open(const struct nbd_server_options *options, struct nbd_server **ret,
                         struct err_note *note) {
        AUTO(nbd_server_close) struct nbd_server *server = mem_new(struct nbd_server);
        struct nbd_exports_options of_exports = {
                .shelves = options->shelves, .failed = options->log, .user = options->user};

        server->options = *options;
        if (!server->options.n_guests_max)
                server->options.n_guests_max = NBD_GUESTS_MAX;
        server->unix_one = (struct listener){.server = server, .fd = -1};
        server->tcp_one = (struct listener){.server = server, .fd = -1, .is_tcp = true};
        if (load_keys(server, note) || loop_new(options->io, &server->loop, note) || listen_all(server, note))
                return note->code;
        server->work = of_exports.work = nbd_work_new(nbd_work_threads());
        server->exports = nbd_exports_new(&of_exports);
        server->house.exports = server->exports;
        server->house.keys = server->keys;
        server->house.log = options->log;
        server->house.user = options->user;
        if (start_reactors(server, note))
                return note->code;
        *ret = TAKE(server);
        return ERR_NONE;
}

const char *nbd_server_tcp_address(const struct nbd_server *server) {
        return *server->tcp_address.s ? server->tcp_address.s : NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

static void on_tick(void *user) {
        struct nbd_server *server = user;

        nbd_exports_tick(server->exports);
        server->tick = loop_after(server->loop, TICK_EVERY_NS, on_tick, server);
}

void nbd_server_run(struct nbd_server *server, const atomic_bool *stop) {
        on_tick(server);
        while (!atomic_load(stop))
                (void)loop_round(server->loop, LOOK_EVERY_NS);
        stop_listening(&server->unix_one);
        stop_listening(&server->tcp_one);
        drain(server);
        loop_cancel(TAKE(server->tick));
}

void nbd_server_close(struct nbd_server *server) {
        stop_listening(&server->unix_one);
        stop_listening(&server->tcp_one);
        if (server->unix_path)
                local_unlisten_at(server->unix_path);
        drain(server);
        if (server->exports)
                nbd_exports_free(server->exports);
        if (server->work)
                nbd_work_free(server->work);
        if (server->loop)
                loop_free(server->loop);
        if (server->keys)
                tls_keys_free(server->keys);
        vec_fini(&server->reactors);
        free(server->unix_path);
        free(server);
}
