// SPDX-License-Identifier: Apache-2.0
/* A server over the simulated net, a client that says what a test has it say and keeps all that it hears, and
 * handlers to try: they count what is told to them.  Threads: one.
 */
#ifndef TEST_UNIT_NET_HTTP_KIT_H
#define TEST_UNIT_NET_HTTP_KIT_H

#include "check.h"

#include <errno.h>
#include <sys/socket.h>

#include "buf.h"
#include "http_server.h"
#include "io_sim.h"
#include "mem.h"
#include "net_sim.h"

enum { KIT_ROUTES_MAX = 12, KIT_CLIENT = 0, KIT_SERVER = 1 };

struct http_kit {
        struct io *io;              /* owned */
        struct loop *loop;          /* owned */
        struct http_server *server; /* owned */
        struct http_route routes[KIT_ROUTES_MAX];
        struct buf log;
        unsigned n_closed;

        /* One client at a time. */
        struct net_sim *net; /* owned; NULL: none */
        struct conn *client; /* owned; NULL: gone */
        struct buf heard;
        struct buf to_say; /* from said on: does not fit in yet */
        size_t said;
        size_t in_max;
        bool is_deaf; /* it does not read */
        bool has_ended;
        struct err_note why;

        /* Of handlers. */
        unsigned n_begun, n_got, n_drained, n_gone, n_fine;
        struct err_note gone_why;
        struct http_exchange *exchange; /* borrowed; the last one, until it is gone */
        struct buf body;
        uint64_t sent, to_send;
        size_t most_unsent;
        unsigned n_offers;
        bool is_chunked;
        struct tls_keys *client_keys; /* borrowed; NULL: no TLS */
};

/* What the kernel knows of the server's end, as a test has it. */
static struct tcp_look http_kit_known;

static inline struct tcp_look http_kit_look(int fd) {
        (void)fd;
        return http_kit_known;
}

static inline void http_kit_log(void *user, const char *text) {
        struct http_kit *kit = user;

        buf_print(&kit->log, "%s\n", text);
}

/* ---- handlers ---- */

static inline void http_kit_gone(void *user, const struct err_note *why) {
        struct http_kit *kit = user;

        kit->n_gone++;
        kit->n_fine += why->code == ERR_NONE;
        kit->gone_why = *why;
        kit->exchange = NULL;
}

static inline void http_kit_take_body(struct http_kit *kit) {
        const uint8_t *data;
        size_t n;

        while ((data = http_body_peek(kit->exchange, &n)), n > 0) {
                buf_add(&kit->body, data, n);
                http_body_skip(kit->exchange, n);
        }
}

/* Answers with what came. */
static inline void http_kit_echo_got(void *user) {
        struct http_kit *kit = user;
        struct err_note note = {0};

        kit->n_got++;
        http_kit_take_body(kit);
        if (!http_body_is_whole(kit->exchange))
                return;
        http_answer(kit->exchange,
                    &(struct http_answer){.status = 200,
                                          .type = "application/octet-stream",
                                          .length = kit->is_chunked ? HTTP_CHUNKED : kit->body.n});
        for (size_t at = 0; at < kit->body.n; at += 1000) {
                size_t n = kit->body.n - at < 1000 ? kit->body.n - at : 1000;

                assert_ok(http_send(kit->exchange, kit->body.data + at, n, &note));
        }
        http_answer_end(kit->exchange);
        kit->body.n = 0;
}

static const struct http_exchange_ops http_kit_echo = {.got = http_kit_echo_got, .gone = http_kit_gone};

static inline void http_kit_begin_echo(void *user, struct http_exchange *exchange) {
        struct http_kit *kit = user;

        kit->n_begun++;
        kit->exchange = exchange;
        kit->body.n = 0;
        http_exchange_serve(exchange, &http_kit_echo, kit);
        http_body_accept(exchange);
}

/* So many zeros as `to_send`, of memory of its own. */
static inline void http_kit_zeros_go_on(void *user) {
        static const uint8_t zeros[256 * 1024];
        struct http_kit *kit = user;
        struct err_note note = {0};

        kit->n_drained++;
        while (kit->sent < kit->to_send) {
                uint64_t left = kit->to_send - kit->sent;
                struct iovec vec = {(void *)(uintptr_t)zeros, left < sizeof zeros ? left : sizeof zeros};
                size_t n;

                assert_ok(http_offer(kit->exchange, &vec, 1, &n, &note));
                kit->n_offers++;
                kit->sent += n;
                if (http_unsent(kit->exchange) > kit->most_unsent)
                        kit->most_unsent = http_unsent(kit->exchange);
                if (n < vec.iov_len)
                        return;
        }
        http_answer_end(kit->exchange);
}

static const struct http_exchange_ops http_kit_zeros = {.drained = http_kit_zeros_go_on,
                                                        .gone = http_kit_gone};

static inline void http_kit_begin_zeros(void *user, struct http_exchange *exchange) {
        struct http_kit *kit = user;

        kit->n_begun++;
        kit->exchange = exchange;
        kit->sent = 0;
        http_exchange_serve(exchange, &http_kit_zeros, kit);
        http_answer(exchange, &(struct http_answer){.status = 200, .length = kit->to_send});
        http_kit_zeros_go_on(kit);
}

/* Answers by itself, or not at all: the test does. */
static const struct http_exchange_ops http_kit_silent = {.gone = http_kit_gone};

static inline void http_kit_begin_silent(void *user, struct http_exchange *exchange) {
        struct http_kit *kit = user;

        kit->n_begun++;
        kit->exchange = exchange;
        http_exchange_serve(exchange, &http_kit_silent, kit);
}

static inline void http_kit_begin_hello(void *user, struct http_exchange *exchange) {
        struct http_kit *kit = user;

        kit->n_begun++;
        kit->exchange = exchange;
        http_exchange_serve(exchange, &http_kit_silent, kit);
        http_answer_text(exchange, 200, "text/plain", http_head(exchange)->path);
}

/* ---- the kit ---- */

/* With further routes. */
static inline void http_kit_init_with(struct http_kit *kit, const struct http_server_options *more,
                                      const struct http_route *routes, unsigned n_routes) {
        struct http_server_options options = more ? *more : (struct http_server_options){0};
        struct err_note note = {0};

        *kit = (struct http_kit){.in_max = 1 << 20, .to_send = 100000};
        kit->routes[0] =
                (struct http_route){"/echo", HTTP_POST | HTTP_PUT | HTTP_GET, http_kit_begin_echo, kit};
        kit->routes[1] = (struct http_route){"/zeros", HTTP_GET | HTTP_HEAD, http_kit_begin_zeros, kit};
        kit->routes[2] = (struct http_route){"/silent", HTTP_GET | HTTP_PUT, http_kit_begin_silent, kit};
        kit->routes[3] =
                (struct http_route){"/hello", HTTP_GET | HTTP_HEAD | HTTP_PUT, http_kit_begin_hello, kit};
        options.routes = kit->routes;
        options.n_routes = 4;
        options.look = http_kit_look;
        for (unsigned i = 0; i < n_routes; i++)
                kit->routes[options.n_routes++] = routes[i];
        options.log = http_kit_log;
        options.user = kit;
        kit->io = io_sim_new(1, 0);
        assert_ok(loop_new(kit->io, &kit->loop, &note));
        assert_ok(http_server_new(&options, &kit->server, &note));
}

static inline void http_kit_init(struct http_kit *kit, const struct http_server_options *more) {
        http_kit_init_with(kit, more, NULL, 0);
}

static inline void http_kit_got(void *user) {
        struct http_kit *kit = user;
        size_t n;
        const uint8_t *data = conn_peek(kit->client, &n);

        if (kit->is_deaf)
                return;
        buf_add(&kit->heard, data, n);
        conn_skip(kit->client, n);
}

static inline void http_kit_say_on(void *user) {
        struct http_kit *kit = user;

        while (kit->said < kit->to_say.n && !kit->has_ended) {
                struct iovec vec = {kit->to_say.data + kit->said, kit->to_say.n - kit->said};
                struct err_note note = {0};
                size_t n;

                if (conn_offer(kit->client, &vec, 1, &n, &note))
                        return;
                kit->said += n;
                if (n < vec.iov_len)
                        return;
        }
}

static inline void http_kit_ended(void *user, const struct err_note *why) {
        struct http_kit *kit = user;

        kit->has_ended = true;
        kit->why = *why;
}

static inline void http_kit_closed(void *user) {
        ((struct http_kit *)user)->n_closed++;
}

static inline void http_kit_hang_up(struct http_kit *kit) {
        if (kit->client)
                conn_free(TAKE(kit->client));
        if (kit->net)
                net_sim_free(TAKE(kit->net));
        kit->heard.n = kit->to_say.n = kit->said = 0;
        kit->has_ended = kit->is_deaf = false;
        kit->why = (struct err_note){0};
}

static inline void http_kit_connect(struct http_kit *kit, uint64_t seed, const struct net_weather *weather) {
        struct conn_options options = {.in_max = kit->in_max,
                                       .out_max = 1 << 20,
                                       .got = http_kit_got,
                                       .drained = http_kit_say_on,
                                       .secured = http_kit_say_on,
                                       .ended = http_kit_ended,
                                       .user = kit};
        struct arrival arrival = {.peer = "a client", .closed = http_kit_closed, .user = kit};
        struct err_note note = {0};
        int fds[2];

        http_kit_hang_up(kit);
        http_kit_known = (struct tcp_look){0};
        assert_ok(net_sim_new(kit->loop, seed, weather, fds, &kit->net, &note));
        assert_ok(conn_new(kit->loop, fds[KIT_CLIENT], &options, &kit->client, &note));
        arrival.fd = fds[KIT_SERVER];
        http_server_give(kit->server, kit->loop, &arrival);
        if (kit->client_keys) {
                struct cover *cover;

                assert_ok(tls_cover_new(kit->client_keys, "catena.test", &cover, &note));
                conn_secure(kit->client, cover, TLS_PATIENCE_NS);
                net_sim_run(kit->loop, 5 * NET_SIM_SECOND);
        }
}

/* A client that hears nothing before it has said all, as some do; *ret_fd is the caller's. */
static inline void http_kit_connect_raw(struct http_kit *kit, uint64_t seed,
                                        const struct net_weather *weather, int *ret_fd) {
        struct arrival arrival = {.peer = "a client", .closed = http_kit_closed, .user = kit};
        struct err_note note = {0};
        int fds[2];

        http_kit_hang_up(kit);
        http_kit_known = (struct tcp_look){0};
        assert_ok(net_sim_new(kit->loop, seed, weather, fds, &kit->net, &note));
        arrival.fd = fds[KIT_SERVER];
        http_server_give(kit->server, kit->loop, &arrival);
        *ret_fd = fds[KIT_CLIENT];
}

/* How much of it could be said. */
static inline size_t http_kit_say_raw(struct http_kit *kit, int fd, const void *data, size_t n) {
        size_t at = 0;

        for (unsigned i = 0; i < 100000 && at < n; i++) {
                ssize_t some = send(fd, (const char *)data + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (some < 0 && errno != EAGAIN)
                        break;
                at += some > 0 ? (size_t)some : 0;
                net_sim_run(kit->loop, NET_SIM_SECOND / 1000);
        }
        return at;
}

/* Into heard, up to the end; false: it was none, but a reset. */
static inline bool http_kit_hear_raw(struct http_kit *kit, int fd) {
        for (unsigned i = 0; i < 10000; i++) {
                ssize_t some;

                net_sim_run(kit->loop, NET_SIM_SECOND / 1000);
                some = recv(fd, buf_extend(&kit->heard, 4096), 4096, MSG_DONTWAIT);
                kit->heard.n -= 4096 - (some > 0 ? (size_t)some : 0);
                if (some == 0)
                        return true;
                if (some < 0 && errno != EAGAIN)
                        return false;
        }
        return false;
}

static inline void http_kit_say(struct http_kit *kit, const void *data, size_t n) {
        buf_add(&kit->to_say, data, n);
        http_kit_say_on(kit);
}

static inline void http_kit_run(struct http_kit *kit, uint64_t seconds) {
        net_sim_run(kit->loop, seconds * NET_SIM_SECOND);
}

/* Says it, and gives it time. */
static inline void http_kit_tell(struct http_kit *kit, const char *text) {
        http_kit_say(kit, text, strlen(text));
        http_kit_run(kit, 5);
}

static inline const char *http_kit_heard(struct http_kit *kit) {
        return buf_text(&kit->heard);
}

static inline unsigned http_kit_count(struct http_kit *kit, const char *text) {
        unsigned n = 0;

        for (const char *at = http_kit_heard(kit); (at = strstr(at, text)); at += strlen(text))
                n++;
        return n;
}

static inline void http_kit_fini(struct http_kit *kit) {
        http_kit_hang_up(kit);
        http_kit_run(kit, 7200);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        http_server_free(kit->server);
        loop_free(kit->loop);
        io_free(kit->io);
        buf_fini(&kit->log);
        buf_fini(&kit->heard);
        buf_fini(&kit->to_say);
        buf_fini(&kit->body);
}

#define assert_heard(kit, text)                                                                              \
        do {                                                                                                 \
                if (!strstr(http_kit_heard(kit), (text))) {                                                  \
                        print_error("%s:%d: heard \"%s\", wanted \"%s\"\n", __FILE__, __LINE__,              \
                                    http_kit_heard(kit), (text));                                            \
                        fail();                                                                              \
                }                                                                                            \
        } while (0)

#endif
