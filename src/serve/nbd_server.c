// SPDX-License-Identifier: Apache-2.0
#include "nbd_server.h"

#include <assert.h>
#include <stdio.h>

#include "local.h"
#include "mem.h"

/* A flag that a signal sets between two looks at it wakes nobody. */
#define LOOK_EVERY_NS   UINT64_C(100000000)
#define TICK_EVERY_NS   UINT64_C(1000000000)
#define ACCEPT_AGAIN_NS UINT64_C(100000000)

struct listener {
        struct nbd_server *server; /* borrowed, outlives us */
        bool is_tcp;
        int fd;                   /* -1: none */
        struct loop_watch *watch; /* owned; NULL: nobody is let in */
};

struct nbd_server {
        struct nbd_server_options options;
        struct loop *loop;           /* owned */
        struct nbd_work *work;       /* owned */
        struct nbd_exports *exports; /* owned */
        struct tls_keys *keys;       /* owned; NULL: none */
        struct nbd_house house;
        struct listener unix_one, tcp_one;
        char *unix_path; /* owned */
        struct tcp_address tcp_address;
        VEC(struct nbd_guest *) guests; /* owned by themselves */
        struct loop_timer *tick;        /* owned */
};

/* ---- guests ---------------------------------------------------------------------------------- */

static void want_guests(struct nbd_server *server, bool wants) {
        if (server->unix_one.watch)
                loop_want(server->unix_one.watch, wants ? LOOP_READ : 0);
        if (server->tcp_one.watch)
                loop_want(server->tcp_one.watch, wants ? LOOP_READ : 0);
}

static void on_gone(void *user, struct nbd_guest *guest) {
        struct nbd_server *server = user;

        for (size_t i = 0; i < server->guests.n; i++) {
                if (server->guests.data[i] != guest)
                        continue;
                vec_remove_at(&server->guests, i);
                break;
        }
        want_guests(server, true);
}

static void accept_again(void *user) {
        want_guests(user, true);
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
        struct nbd_guest *guest;
        struct tcp_address peer;
        struct err_note note;
        int fd = -1;

        (void)events;
        if (server->guests.n >= server->options.n_guests_max) {
                want_guests(server, false);
                return;
        }
        if (accept_one(listener, &fd, &peer, &note)) {
                /* Out of descriptors, say: whoever waits is still there a moment later. */
                server->options.log(server->options.user, note.text);
                want_guests(server, false);
                (void)loop_after(server->loop, ACCEPT_AGAIN_NS, accept_again, server);
        }
        if (fd >= 0 && !nbd_guest_new(&server->house, fd, peer.s, &guest, &note))
                *vec_add(&server->guests) = guest;
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

enum err nbd_server_open(const struct nbd_server_options *options, struct nbd_server **ret,
                         struct err_note *note) {
        AUTO(nbd_server_close) struct nbd_server *server = mem_new(struct nbd_server);
        struct nbd_exports_options of_exports = {
                .sr = options->sr, .turn = options->turn, .failed = options->log, .user = options->user};

        server->options = *options;
        if (!server->options.n_guests_max)
                server->options.n_guests_max = NBD_GUESTS_MAX;
        server->unix_one = (struct listener){.server = server, .fd = -1};
        server->tcp_one = (struct listener){.server = server, .fd = -1, .is_tcp = true};
        if (load_keys(server, note) || loop_new(options->io, &server->loop, note) || listen_all(server, note))
                return note->code;
        server->work = of_exports.work = nbd_work_new(nbd_work_threads());
        server->exports = nbd_exports_new(&of_exports);
        server->house.loop = server->loop;
        server->house.exports = server->exports;
        server->house.keys = server->keys;
        server->house.log = options->log;
        server->house.gone = on_gone;
        server->house.user = server;
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
        VEC_EACH (&server->guests, each) {
                nbd_guest_tick(*each);
        }
        server->tick = loop_after(server->loop, TICK_EVERY_NS, on_tick, server);
}

static void drain(struct nbd_server *server) {
        stop_listening(&server->unix_one);
        stop_listening(&server->tcp_one);
        VEC_EACH (&server->guests, each) {
                nbd_guest_drain(*each);
        }
        while (server->guests.n > 0)
                (void)loop_round(server->loop, LOOK_EVERY_NS);
}

void nbd_server_run(struct nbd_server *server, const atomic_bool *stop) {
        on_tick(server);
        while (!atomic_load(stop))
                (void)loop_round(server->loop, LOOK_EVERY_NS);
        drain(server);
        loop_cancel(TAKE(server->tick));
}

void nbd_server_close(struct nbd_server *server) {
        assert(server->guests.n == 0);
        stop_listening(&server->unix_one);
        stop_listening(&server->tcp_one);
        if (server->unix_path)
                local_unlisten_at(server->unix_path);
        if (server->exports)
                nbd_exports_free(server->exports);
        if (server->work)
                nbd_work_free(server->work);
        if (server->loop)
                loop_free(server->loop);
        if (server->keys)
                tls_keys_free(server->keys);
        vec_fini(&server->guests);
        free(server->unix_path);
        free(server);
}
