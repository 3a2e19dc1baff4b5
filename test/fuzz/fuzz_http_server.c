// SPDX-License-Identifier: Apache-2.0
/* A connection from its first byte to its last, with handlers that answer early, late, in pieces and not at
 * all: whatever is said, each answer begins as one, and nothing is left when the client has gone.  The first
 * byte says how many bytes are said between two looks of the server. */
#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "http_server.h"
#include "io_sim.h"
#include "local.h"

struct state {
        struct http_exchange *exchange; /* borrowed; NULL: none is under way */
        uint64_t taken;
        unsigned n_begun, n_ended;
};

static void on_gone(void *user, const struct err_note *why) {
        struct state *state = user;

        (void)why;
        MUST_HOLD(state->exchange);
        state->exchange = NULL;
        state->n_ended++;
}

static void on_got(void *user) {
        struct state *state = user;
        size_t n;

        while ((void)http_body_peek(state->exchange, &n), n > 0) {
                http_body_skip(state->exchange, n);
                state->taken += n;
        }
        MUST_HOLD(state->taken == http_body_taken(state->exchange));
        if (http_body_is_whole(state->exchange))
                http_answer_text(state->exchange, 200, "text/plain", "all of it\n");
}

static const struct http_exchange_ops ops = {.got = on_got, .gone = on_gone};

static void begin(void *user, struct http_exchange *exchange) {
        struct state *state = user;
        const struct http1_head *head = http_head(exchange);
        struct err_note note;

        MUST_HOLD(!state->exchange);
        state->exchange = exchange;
        state->taken = 0;
        state->n_begun++;
        http_exchange_serve(exchange, &ops, state);
        if (http1_query(head, "early")) {
                http_answer_text(exchange, 507, "text/plain", "no\n");
        } else if (http1_query(head, "chunks")) {
                http_answer(exchange, &(struct http_answer){.status = 200, .length = HTTP_CHUNKED});
                MUST_HOLD(!http_send(exchange, "ab", 2, &note));
                http_answer_end(exchange);
        } else if (http1_query(head, "abort")) {
                state->exchange = NULL;
                state->n_ended++;
                http_abort(exchange);
        } else if (!http1_query(head, "silent")) {
                http_body_accept(exchange);
        }
}

static void turn(struct loop *loop) {
        while (loop_round(loop, 0))
                ;
}

static void hear(int fd, struct buf *ret) {
        for (;;) {
                ssize_t n = recv(fd, buf_extend(ret, 4096), 4096, MSG_DONTWAIT);

                ret->n -= 4096 - (n > 0 ? (size_t)n : 0);
                if (n <= 0)
                        return;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct state state = {0};
        const struct http_route route = {"/", HTTP_GET | HTTP_HEAD | HTTP_POST | HTTP_PUT | HTTP_OPTIONS,
                                         begin, &state};
        const struct http_server_options options = {.routes = &route, .n_routes = 1};
        AUTO(buf_fini) struct buf heard = {0};
        struct io *io = io_sim_new(1, 0);
        struct http_server *server;
        struct loop *loop;
        struct err_note note;
        int fds[2];

        if (loop_new(io, &loop, &note) || http_server_new(&options, &server, &note) || local_pair(fds, &note))
                abort();
        http_server_give(server, loop, &(struct arrival){.fd = fds[0], .peer = "a test"});
        for (size_t at = 1, step = size ? 1 + (size_t)data[0] * 8 : 1; at < size; at += step) {
                size_t n = size - at < step ? size - at : step;

                if (send(fds[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                        break;
                turn(loop);
                hear(fds[1], &heard);
        }
        turn(loop);
        hear(fds[1], &heard);
        MUST_HOLD(heard.n < 9 || memcmp(heard.data, "HTTP/1.1 ", 9) == 0);
        local_close(fds[1]);
        turn(loop);
        MUST_HOLD(!state.exchange && state.n_begun == state.n_ended);
        MUST_HOLD(http_server_n_connections(server) == 0);
        http_server_free(server);
        loop_free(loop);
        io_free(io);
        return 0;
}
