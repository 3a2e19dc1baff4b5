// SPDX-License-Identifier: Apache-2.0
#include "nbd_server.h"

#include <assert.h>

#include "acceptor.h"
#include "mem.h"
#include "nbd_reactor.h"

/* A flag that a signal sets between two looks at it wakes nobody. */
#define LOOK_EVERY_NS UINT64_C(100000000)
#define TICK_EVERY_NS UINT64_C(1000000000)
struct nbd_server {
        struct nbd_server_options options;
        struct loop *own_loop;          /* owned; NULL: it was given */
        struct loop *loop;              /* borrowed, or own_loop; lets in, and ticks */
        struct reactors *own_reactors;  /* owned; NULL: they were given */
        struct reactors *reactors;      /* borrowed, or own_reactors */
        VEC(struct nbd_reactor *) ours; /* owned, and each: what we have in each reactor */
        struct acceptor *acceptor;      /* owned */
        struct nbd_work *work;          /* owned */
        struct nbd_exports *exports;    /* owned */
        struct tls_keys *keys;          /* owned; NULL: none */
        struct nbd_house house;         /* what reactors are given */
        struct tcp_address *places;     /* owned; options.n_tcp, where TCP is listened on */
        const char **tcp;               /* owned; the same as text */
        struct loop_timer *tick;        /* owned */
};

/* ---- guests ---------------------------------------------------------------------------------- */

/* A reactor's thread. */
static void on_come(void *user, struct loop *loop, const struct arrival *arrival) {
        struct nbd_server *server = user;

        VEC_EACH (&server->ours, each) {
                if (nbd_reactor_loop(*each) == loop) {
                        nbd_reactor_take(*each, arrival);
                        return;
                }
        }
        assert(!"a reactor that we have nothing in");
}

/* ---- listening ------------------------------------------------------------------------------- */

static enum err listen_all(struct nbd_server *server, struct err_note *note) {
        const struct nbd_server_options *of = &server->options;
        const struct acceptor_options options = {.loop = server->loop,
                                                 .reactors = server->reactors,
                                                 .n_max = server->options.n_guests_max,
                                                 .come = on_come,
                                                 .user = server,
                                                 .log = server->options.log,
                                                 .log_user = server->options.user};

        server->acceptor = acceptor_new(&options);
        if (of->unix_path && acceptor_listen_unix(server->acceptor, of->unix_path, note))
                return note->code;
        for (size_t i = 0; i < of->n_tcp; i++) {
                if (acceptor_listen_tcp(server->acceptor, of->tcp[i], &server->places[i], note))
                        return note->code;
                server->tcp[i] = server->places[i].s;
        }
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
        for (unsigned i = 0; i < reactors_n(server->reactors); i++) {
                struct nbd_reactor *ours;

                if (nbd_reactor_new(reactors_at(server->reactors, i), &server->house, &ours, note))
                        return note->code;
                *vec_add(&server->ours) = ours;
        }
        return ERR_NONE;
}

/* Until the last guest has gone. */
static void drain(struct nbd_server *server) {
        VEC_EACH (&server->ours, each) {
                nbd_reactor_drain(*each);
        }
        while (server->ours.n > 0)
                nbd_reactor_free(server->ours.data[--server->ours.n]);
}

/* Those of ours where none were given. */
static enum err have_threads(struct nbd_server *server, struct err_note *note) {
        const struct nbd_server_options *options = &server->options;

        if (!options->loop && loop_new(options->io, &server->own_loop, note))
                return note->code;
        if (!options->reactors && reactors_new(options->io, 0, &server->own_reactors, note))
                return note->code;
        server->loop = options->loop ? options->loop : server->own_loop;
        server->reactors = options->reactors ? options->reactors : server->own_reactors;
        return ERR_NONE;
}

enum err nbd_server_open(const struct nbd_server_options *options, struct nbd_server **ret,
                         struct err_note *note) {
        AUTO(nbd_server_close) struct nbd_server *server = mem_new(struct nbd_server);
        struct nbd_exports_options of_exports = {
                .shelves = options->shelves, .failed = options->log, .user = options->user};

        server->options = *options;
        server->places = mem_zero((options->n_tcp + 1) * sizeof *server->places);
        server->tcp = mem_zero((options->n_tcp + 1) * sizeof *server->tcp);
        if (!server->options.n_guests_max)
                server->options.n_guests_max = NBD_GUESTS_MAX;
        if (load_keys(server, note) || have_threads(server, note))
                return note->code;
        server->work = of_exports.work = nbd_work_new(nbd_work_threads());
        server->exports = nbd_exports_new(&of_exports);
        server->house.exports = server->exports;
        server->house.keys = server->keys;
        server->house.needs_session = options->needs_session;
        server->house.log = options->log;
        server->house.user = options->user;
        if (start_reactors(server, note) || listen_all(server, note))
                return note->code;
        *ret = TAKE(server);
        return ERR_NONE;
}

const char *const *nbd_server_tcp(const struct nbd_server *server, size_t *ret_n) {
        *ret_n = server->options.n_tcp;
        return server->tcp;
}

enum err nbd_server_reload(struct nbd_server *server, const struct tls_options *tls, struct err_note *note) {
        return server->keys ? tls_keys_reload(server->keys, tls, note) : ERR_NONE;
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
        acceptor_stop(server->acceptor);
        drain(server);
        loop_cancel(TAKE(server->tick));
}

void nbd_server_close(struct nbd_server *server) {
        if (server->acceptor)
                acceptor_stop(server->acceptor);
        drain(server);
        if (server->acceptor)
                acceptor_free(server->acceptor);
        if (server->own_reactors)
                reactors_free(server->own_reactors);
        if (server->exports)
                nbd_exports_free(server->exports);
        if (server->work)
                nbd_work_free(server->work);
        if (server->own_loop)
                loop_free(server->own_loop);
        if (server->keys)
                tls_keys_free(server->keys);
        vec_fini(&server->ours);
        free(server->places);
        free(server->tcp);
        free(server);
}
