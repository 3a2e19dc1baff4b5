// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>

#include "buf.h"
#include "http_inside.h"
#include "mem.h"

static void settle(struct http_conn *conn);

/* ---- in and out ------------------------------------------------------------------------------ */

static void stop_timer(struct http_conn *conn) {
        if (conn->timer)
                loop_cancel(TAKE(conn->timer));
}

static void release(struct http_conn *conn) {
        stop_timer(conn);
        if (conn->again)
                loop_cancel(TAKE(conn->again));
        if (conn->conn)
                conn_free(conn->conn);
        if (conn->closed)
                conn->closed(conn->user);
        http_hall_remove(conn->hall, conn);
        free(conn);
}

void http_conn_enter(struct http_conn *conn) {
        conn->n_inside++;
}

void http_conn_leave(struct http_conn *conn) {
        if (conn->n_inside == 1)
                settle(conn);
        if (--conn->n_inside == 0 && conn->state == HTTP_GONE)
                release(conn);
}

static void on_again(void *user) {
        struct http_conn *conn = user;

        conn->again = NULL;
        http_conn_enter(conn);
        http_conn_leave(conn);
}

void http_conn_later(struct http_conn *conn) {
        if (conn->n_inside == 0 && !conn->again)
                conn->again = loop_after(conn->hall->loop, 0, on_again, conn);
}

/* ---- the end --------------------------------------------------------------------------------- */

void http_conn_forget_exchange(struct http_conn *conn) {
        conn->state = HTTP_GONE;
        if (conn->exchange)
                http_exchange_free(TAKE(conn->exchange));
}

/* It is still there while its handler hears of it, but nothing can be said any more. */
static void end_exchange(struct http_conn *conn, const struct err_note *why) {
        struct http_exchange *exchange = TAKE(conn->exchange);

        if (exchange->ops && exchange->ops->gone)
                exchange->ops->gone(exchange->user, why);
        http_exchange_free(exchange);
}

static void go(struct http_conn *conn, const struct err_note *why) {
        conn->state = HTTP_GONE;
        if (conn->exchange)
                end_exchange(conn, why);
}

void http_conn_break(struct http_conn *conn, const struct err_note *why) {
        http_conn_enter(conn);
        go(conn, why);
        if (conn->conn)
                conn_abort(TAKE(conn->conn));
        http_conn_leave(conn);
}

/* ---- times ----------------------------------------------------------------------------------- */

static void answer_wrong(struct http_conn *conn, unsigned status, const char *text);
static void on_time(void *user);

static void set_timer(struct http_conn *conn, uint64_t ns) {
        stop_timer(conn);
        conn->timer = loop_after(conn->hall->loop, ns, on_time, conn);
}

static void set_linger(struct http_conn *conn) {
        set_timer(conn, conn->hall->is_draining ? HTTP_LAST_LINGER_NS : HTTP_LINGER_NS);
}

static void linger(struct http_conn *conn) {
        conn->state = HTTP_LINGERING;
        set_linger(conn);
        conn_finish(conn->conn);
}

/* Bytes of ours are on their way, or wait until the other side reads: the kernel drops what it has for a
 * socket that was closed long before a reader who pauses comes back. */
static bool has_to_deliver(const struct http_conn *conn, struct tcp_look *ret) {
        *ret = conn->hall->server->options.look(conn->fd);
        return ret->n_unacked > 0 || conn_unsent(conn->conn) > 0;
}

static bool is_dead(const struct tcp_look *look) {
        return look->n_unacked > 0 && look->last_ack_ns >= HTTP_DEAD_NS;
}

static void end_linger(struct http_conn *conn) {
        struct tcp_look look;

        if (has_to_deliver(conn, &look) && !is_dead(&look) && !conn->hall->is_draining)
                set_linger(conn);
        else
                conn->state = HTTP_GONE;
}

static void on_time(void *user) {
        struct http_conn *conn = user;

        conn->timer = NULL;
        http_conn_enter(conn);
        if (conn->state == HTTP_HEADING)
                answer_wrong(conn, 408, "the request's head did not come in time");
        else if (conn->state == HTTP_LINGERING)
                end_linger(conn);
        else
                linger(conn);
        http_conn_leave(conn);
}

void http_conn_tick(struct http_conn *conn) {
        struct err_note why = {0};
        struct tcp_look look;

        if (!conn->conn || (conn->state != HTTP_SERVING && conn->state != HTTP_LINGERING))
                return;
        (void)has_to_deliver(conn, &look);
        if (is_dead(&look)) {
                (void)err_set(&why, ERR_CLOSED, "the other side has confirmed nothing for %u s",
                              (unsigned)(look.last_ack_ns / 1000000000));
                http_conn_break(conn, &why);
        } else {
                conn_rest(conn->conn);
        }
}

/* A head that has come in part is no request: nobody was promised anything. */
void http_conn_close_idle(struct http_conn *conn) {
        http_conn_enter(conn);
        if (conn->state == HTTP_LINGERING)
                set_linger(conn);
        else if (conn->state != HTTP_SERVING)
                conn->state = HTTP_GONE;
        http_conn_leave(conn);
}

/* ---- a request ------------------------------------------------------------------------------- */

static struct http_exchange *begin_exchange(struct http_conn *conn) {
        stop_timer(conn);
        conn->state = HTTP_SERVING;
        conn->looked_at = 0;
        conn->exchange = http_exchange_new(conn);
        return conn->exchange;
}

/* What is not understood as a request has no end that is known: the connection closes behind the answer. */
static void answer_wrong(struct http_conn *conn, unsigned status, const char *text) {
        AUTO_FREE char *line = mem_format("%s\n", text);
        struct http_exchange *exchange = begin_exchange(conn);

        exchange->head.minor = 1;
        http_answer_text(exchange, status, "text/plain", line);
}

static unsigned status_of(enum err code) {
        switch (code) {
        case ERR_UNSUPPORTED:
                return 501;
        case ERR_MISMATCH:
                return 505;
        case ERR_TOO_LARGE:
                return 431;
        case ERR_NONE:
        case ERR_IO:
        case ERR_NO_SPACE:
        case ERR_CORRUPT:
        case ERR_CUT_SHORT:
        case ERR_NOT_FOUND:
        case ERR_EXISTS:
        case ERR_BUSY:
        case ERR_READ_ONLY:
        case ERR_DENIED:
        case ERR_INVALID:
        case ERR_NO_MEMORY:
        case ERR_CANCELLED:
        case ERR_CLOSED:
                break;
        }
        return 400;
}

static void answer_method(struct http_exchange *exchange, unsigned methods) {
        static const char text[] = "there is no such method for this path\n";
        AUTO(buf_fini) struct buf allow = {0};

        buf_print(&allow, "Allow: ");
        for (unsigned bit = HTTP_GET, n = 0; bit <= HTTP_OPTIONS; bit <<= 1)
                if (methods & bit)
                        buf_print(&allow, "%s%s", n++ ? ", " : "", http_method_name((enum http_method)bit));
        buf_print(&allow, "\r\n");
        http_answer_bytes(exchange, 405, "text/plain", buf_text(&allow),
                          (struct span){(const uint8_t *)text, sizeof text - 1});
}

static void serve(struct http_conn *conn, struct http_exchange *exchange) {
        const struct http_route *route = http_server_route(conn->hall->server, exchange->head.path);

        http_exchange_frame(exchange);
        if (!route)
                http_answer_text(exchange, 404, "text/plain", "there is nothing here\n");
        else if (!(route->methods & exchange->head.method))
                answer_method(exchange, route->methods);
        else
                route->begin(route->user, exchange);
}

static void take_head(struct http_conn *conn, struct span head) {
        AUTO(http1_head_fini) struct http1_head decoded = {0};
        struct err_note note = {0};
        struct http_exchange *exchange;
        enum err failed = http1_head_decode(head, &decoded, &note);
        size_t left;

        conn_skip(conn->conn, head.n);
        (void)conn_peek(conn->conn, &left);
        if (left == 0)
                conn_rest(conn->conn); /* an answer may take hours */
        if (failed) {
                answer_wrong(conn, status_of(failed), note.text);
                return;
        }
        exchange = begin_exchange(conn);
        exchange->head = decoded;
        decoded = (struct http1_head){0};
        serve(conn, exchange);
}

/* Empty lines before a request are some old clients' way to end one. */
static struct span skip_empty_lines(struct http_conn *conn) {
        struct span in;

        in.data = conn_peek(conn->conn, &in.n);
        while (in.n >= 2 && in.data[0] == '\r' && in.data[1] == '\n') {
                conn_skip(conn->conn, 2);
                in.data = conn_peek(conn->conn, &in.n);
                conn->looked_at = 0;
        }
        return in;
}

/* True: it goes on from there. */
static bool look_for_head(struct http_conn *conn) {
        struct span in = skip_empty_lines(conn);
        size_t n;

        if (in.n == 0)
                return false;
        if (conn->state == HTTP_WAITING) {
                conn->state = HTTP_HEADING;
                set_timer(conn, HTTP_HEAD_NS);
        }
        n = http1_head_length(in, &conn->looked_at);
        if (n > HTTP_HEAD_MAX || (n == 0 && in.n >= HTTP_HEAD_MAX))
                answer_wrong(conn, 431, "the request's head is too large");
        else if (n > 0)
                take_head(conn, (struct span){in.data, n});
        return n > 0 || conn->state != HTTP_HEADING;
}

/* ---- settling -------------------------------------------------------------------------------- */

static void drop_all(struct http_conn *conn) {
        size_t n;

        (void)conn_peek(conn->conn, &n);
        if (n > 0)
                conn_skip(conn->conn, n);
}

/* The answer is with the kernel. */
static void end_served(struct http_conn *conn) {
        const struct err_note fine = {0};
        bool closes = conn->exchange->closes || conn->hall->is_draining;

        end_exchange(conn, &fine);
        conn_rest(conn->conn);
        conn->has_news = false;
        if (closes) {
                linger(conn);
                return;
        }
        conn->state = HTTP_WAITING;
        http_conn_options(conn, HTTP_HEAD_MAX, 0);
        set_timer(conn, HTTP_IDLE_NS);
}

/* The body is none. */
static void end_wrong(struct http_conn *conn) {
        struct err_note why = conn->exchange->why;
        bool is_answered = http_is_answered(conn->exchange);

        if (is_answered) {
                http_conn_break(conn, &why);
                return;
        }
        end_exchange(conn, &why);
        answer_wrong(conn, why.code == ERR_TOO_LARGE ? 413 : 400, why.text);
}

/* True: something has changed, and it is to be looked at again. */
static bool go_on_serving(struct http_conn *conn) {
        struct http_exchange *exchange = conn->exchange;

        if (exchange->is_wrong && exchange->answering != HTTP_ANSWERED) {
                end_wrong(conn);
                return true;
        }
        if (exchange->answering != HTTP_ANSWERED) {
                if (exchange->is_accepted)
                        http_exchange_frame(exchange);
                http_exchange_show(exchange);
                return conn->exchange != exchange || exchange->answering == HTTP_ANSWERED ||
                       exchange->is_wrong;
        }
        if (exchange->closes && !exchange->is_whole)
                drop_all(conn); /* who sends all of it before he reads must come to its end */
        if (conn_unsent(conn->conn) > 0)
                return false;
        end_served(conn);
        return true;
}

static bool step(struct http_conn *conn) {
        switch (conn->state) {
        case HTTP_WAITING:
        case HTTP_HEADING:
                return look_for_head(conn);
        case HTTP_SERVING:
                return go_on_serving(conn);
        case HTTP_LINGERING:
                drop_all(conn);
                break;
        case HTTP_SECURING:
        case HTTP_GONE:
                break;
        }
        return false;
}

/* Called by the outermost alone; what handlers do meanwhile is seen in the next step. */
static void settle(struct http_conn *conn) {
        while (step(conn))
                ;
}

/* ---- the connection's callbacks -------------------------------------------------------------- */

static void on_got(void *user) {
        struct http_conn *conn = user;

        http_conn_enter(conn);
        conn->has_news = true;
        http_conn_leave(conn);
}

static void on_drained(void *user) {
        struct http_conn *conn = user;
        struct http_exchange *exchange = conn->exchange;

        http_conn_enter(conn);
        if (exchange && exchange->answering == HTTP_ANSWERING && exchange->ops && exchange->ops->drained)
                exchange->ops->drained(exchange->user);
        http_conn_leave(conn);
}

static void on_secured(void *user) {
        struct http_conn *conn = user;

        http_conn_enter(conn);
        conn->state = HTTP_WAITING;
        set_timer(conn, HTTP_HEAD_NS);
        http_conn_leave(conn);
}

static void on_ended(void *user, const struct err_note *why) {
        struct http_conn *conn = user;

        http_conn_enter(conn);
        if (conn->state == HTTP_SECURING)
                http_hall_log(conn->hall, conn->peer, why->text);
        go(conn, why);
        http_conn_leave(conn);
}

static struct conn_options options_of(struct http_conn *conn, size_t in_max, size_t out_max) {
        return (struct conn_options){.in_max = in_max,
                                     .out_max = out_max,
                                     .got = on_got,
                                     .drained = on_drained,
                                     .secured = on_secured,
                                     .ended = on_ended,
                                     .user = conn};
}

/* 0: as it is at first. */
void http_conn_options(struct http_conn *conn, size_t in_max, size_t out_max) {
        struct conn_options options;

        if (in_max)
                conn->in_max = in_max;
        options = options_of(conn, conn->in_max, out_max ? out_max : HTTP_OUT_MAX + HTTP_OUT_SPARE);
        conn_set_options(conn->conn, &options);
}

/* ---- making ---------------------------------------------------------------------------------- */

static enum err secure(struct http_conn *conn, struct err_note *note) {
        const struct tls_keys *keys = conn->hall->server->options.keys;
        struct cover *cover;

        if (!keys) {
                conn->state = HTTP_WAITING;
                set_timer(conn, HTTP_HEAD_NS);
                return ERR_NONE;
        }
        if (tls_cover_new(keys, NULL, &cover, note))
                return note->code;
        conn_secure(conn->conn, cover, TLS_PATIENCE_NS);
        return ERR_NONE;
}

void http_conn_new(struct http_hall *hall, const struct arrival *arrival) {
        struct http_conn *conn = mem_new(struct http_conn);
        struct conn_options options = options_of(conn, HTTP_HEAD_MAX, HTTP_OUT_MAX + HTTP_OUT_SPARE);
        struct err_note note = {0};

        *conn = (struct http_conn){.hall = hall,
                                   .fd = arrival->fd,
                                   .closed = arrival->closed,
                                   .user = arrival->user,
                                   .in_max = HTTP_HEAD_MAX,
                                   .state = HTTP_SECURING};
        snprintf(conn->peer, sizeof conn->peer, "%s", arrival->peer);
        http_hall_add(hall, conn);
        http_conn_enter(conn);
        if (conn_new(hall->loop, arrival->fd, &options, &conn->conn, &note) || secure(conn, &note)) {
                http_hall_log(hall, conn->peer, note.text);
                conn->state = HTTP_GONE;
        }
        http_conn_leave(conn);
}
