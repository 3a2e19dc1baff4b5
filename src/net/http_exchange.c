// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>

#include "http1_answer.h"
#include "http_inside.h"
#include "mem.h"

struct http_exchange *http_exchange_new(struct http_conn *conn) {
        struct http_exchange *exchange = mem_new(struct http_exchange);

        exchange->conn = conn;
        return exchange;
}

void http_exchange_free(struct http_exchange *exchange) {
        http1_head_fini(&exchange->head);
        free(exchange);
}

struct loop *http_loop(const struct http_exchange *exchange) {
        return exchange->conn->hall->loop;
}

const struct http1_head *http_head(const struct http_exchange *exchange) {
        return &exchange->head;
}

const char *http_peer(const struct http_exchange *exchange) {
        return exchange->conn->peer;
}

bool http_is_secure(const struct http_exchange *exchange) {
        return exchange->conn->hall->server->options.keys;
}

void http_exchange_serve(struct http_exchange *exchange, const struct http_exchange_ops *ops, void *user) {
        exchange->ops = ops;
        exchange->user = user;
}

/* Where the other side is gone the connection says so. */
static void say(struct http_exchange *exchange, const void *data, size_t n) {
        struct err_note unused;

        if (conn_send(exchange->conn->conn, data, n, &unused))
                return;
}

/* ---- the body -------------------------------------------------------------------------------- */

static void frame_chunks(struct http_exchange *exchange) {
        struct conn *conn = exchange->conn->conn;
        struct span in = {0};
        size_t n = 0;

        in.data = conn_peek(conn, &in.n);
        if (http1_chunks_frame(&exchange->chunks, in, &n, &exchange->why)) {
                exchange->is_wrong = true;
                http_conn_later(exchange->conn);
                return;
        }
        if (n > 0)
                conn_skip(conn, n);
        exchange->is_whole = exchange->chunks.is_whole;
}

void http_exchange_frame(struct http_exchange *exchange) {
        const struct http1_head *head = &exchange->head;

        if (exchange->is_whole || exchange->is_wrong)
                return;
        if (head->is_chunked)
                frame_chunks(exchange);
        else
                exchange->is_whole = exchange->taken == (head->has_length ? head->length : 0);
}

const uint8_t *http_body_peek(const struct http_exchange *exchange, size_t *ret_n) {
        const struct http1_head *head = &exchange->head;
        const uint8_t *data = conn_peek(exchange->conn->conn, ret_n);
        uint64_t left = head->is_chunked   ? exchange->chunks.left
                        : head->has_length ? head->length - exchange->taken
                                           : 0;

        if (exchange->is_whole || exchange->is_wrong ||
            (head->is_chunked && exchange->chunks.state != HTTP1_CHUNK_DATA))
                left = 0;
        *ret_n = (size_t)min_u64(*ret_n, left);
        return data;
}

void http_body_skip(struct http_exchange *exchange, size_t n) {
        size_t there;

        (void)http_body_peek(exchange, &there);
        assert(n <= there);
        if (n == 0)
                return;
        if (exchange->head.is_chunked)
                http1_chunks_skip(&exchange->chunks, n);
        exchange->taken += n;
        conn_skip(exchange->conn->conn, n);
        http_exchange_frame(exchange);
        if (exchange->is_whole)
                http_conn_later(exchange->conn);
}

bool http_body_is_whole(const struct http_exchange *exchange) {
        /* Who asked knows it from here on. */
        if (exchange->is_whole)
                ((struct http_exchange *)(uintptr_t)exchange)->told_whole = true;
        return exchange->is_whole;
}

uint64_t http_body_length(const struct http_exchange *exchange) {
        return exchange->head.is_chunked ? UINT64_MAX : exchange->head.length;
}

uint64_t http_body_taken(const struct http_exchange *exchange) {
        return exchange->taken;
}

void http_body_accept(struct http_exchange *exchange) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        size_t n;

        if (exchange->is_accepted)
                return;
        exchange->is_accepted = true;
        http_conn_options(exchange->conn, HTTP_IN_MAX, 0);
        (void)conn_peek(exchange->conn->conn, &n);
        if (exchange->head.expects_continue && !exchange->is_whole && n == 0 &&
            exchange->answering == HTTP_UNANSWERED)
                say(exchange, go_on, sizeof go_on - 1);
        exchange->conn->has_news = n > 0;
        http_conn_later(exchange->conn);
}

/* Of a body that nobody reads any more. */
static bool rest_is_here(const struct http_exchange *exchange) {
        const struct http1_head *head = &exchange->head;
        size_t n;

        if (exchange->is_whole)
                return true;
        (void)conn_peek(exchange->conn->conn, &n);
        /* Who asked for "100 Continue" and did not get it may send a body or none. */
        return head->has_length && !head->expects_continue && head->length - exchange->taken <= n;
}

/* Where the connection is kept all of it is here: begin_answer saw to that. */
static void skip_rest(struct http_exchange *exchange) {
        if (!exchange->closes && !exchange->is_whole)
                http_body_skip(exchange, (size_t)(exchange->head.length - exchange->taken));
}

void http_exchange_show(struct http_exchange *exchange) {
        struct http_conn *conn = exchange->conn;

        for (;;) {
                bool is_last;

                if (!conn->exchange || !exchange->is_accepted || exchange->told_whole || exchange->is_wrong ||
                    exchange->answering == HTTP_ANSWERED || !exchange->ops || !exchange->ops->got)
                        return;
                if (!conn->has_news && !exchange->is_whole)
                        return;
                conn->has_news = false;
                is_last = exchange->is_whole;
                exchange->ops->got(exchange->user);
                if (conn->exchange && is_last)
                        exchange->told_whole = true;
        }
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void put_head(struct http_exchange *exchange, const struct http_answer *answer, struct buf *ret) {
        struct loop *loop = http_loop(exchange);
        struct http1_answer head = {.status = answer->status,
                                    .now_s = io_wall_ns(loop_io(loop)) / 1000000000,
                                    .type = answer->type,
                                    .headers = answer->headers,
                                    .has_length = exchange->has_length && !http1_has_no_body(answer->status),
                                    .length = answer->length,
                                    .is_chunked = exchange->sends_chunks};
        struct err_note note;

        if (exchange->closes)
                head.connection = "close";
        else if (exchange->head.minor == 0)
                head.connection = "keep-alive";
        if (!http1_put_answer(&head, ret, &note))
                return;
        /* What was to be put into a header came from outside: it goes without, rather than as two answers. */
        http_hall_log(exchange->conn->hall, exchange->conn->peer, note.text);
        head.type = NULL;
        head.headers = NULL;
        if (http1_put_answer(&head, ret, &note))
                assert(!"a head of our own");
}

/* Decides how the answer is framed, and what becomes of the connection. */
static void begin_answer(struct http_exchange *exchange, const struct http_answer *answer) {
        const struct http1_head *head = &exchange->head;
        bool is_chunked = answer->length == HTTP_CHUNKED, is_known = answer->length < HTTP_UNTIL_CLOSE,
             never_has = http1_has_no_body(answer->status);

        assert(exchange->answering == HTTP_UNANSWERED);
        exchange->answering = HTTP_ANSWERING;
        exchange->has_no_body = never_has || head->method == HTTP_HEAD;
        exchange->sends_chunks = is_chunked && head->minor == 1 && !never_has;
        exchange->has_length = is_known;
        exchange->left = is_known ? answer->length : 0;
        exchange->closes = answer->closes || !head->keeps_alive || exchange->conn->hall->is_draining ||
                           (!is_known && !exchange->sends_chunks && !never_has) || !rest_is_here(exchange);
}

static void send_all(struct http_exchange *exchange, const struct buf *bytes) {
        struct conn *conn = exchange->conn->conn;

        http_conn_options(exchange->conn, 0, conn_unsent(conn) + bytes->n + HTTP_OUT_MAX + HTTP_OUT_SPARE);
        say(exchange, bytes->data, bytes->n);
}

void http_answer(struct http_exchange *exchange, const struct http_answer *answer) {
        AUTO(buf_fini) struct buf head = {0};

        begin_answer(exchange, answer);
        put_head(exchange, answer, &head);
        send_all(exchange, &head);
}

void http_answer_bytes(struct http_exchange *exchange, unsigned status, const char *type, const char *headers,
                       struct span body) {
        const struct http_answer answer = {
                .status = status, .type = type, .length = body.n, .headers = headers};
        AUTO(buf_fini) struct buf all = {0};

        begin_answer(exchange, &answer);
        put_head(exchange, &answer, &all);
        if (!exchange->has_no_body)
                buf_add(&all, body.data, body.n);
        exchange->left = 0;
        send_all(exchange, &all);
        http_answer_end(exchange);
}

void http_answer_text(struct http_exchange *exchange, unsigned status, const char *type, const char *text) {
        http_answer_bytes(exchange, status, type, NULL, (struct span){(const uint8_t *)text, strlen(text)});
}

bool http_is_answered(const struct http_exchange *exchange) {
        return exchange->answering != HTTP_UNANSWERED;
}

size_t http_unsent(const struct http_exchange *exchange) {
        return conn_unsent(exchange->conn->conn);
}

static void count(struct http_exchange *exchange, size_t n) {
        assert(exchange->answering == HTTP_ANSWERING);
        assert(!exchange->has_length || n <= exchange->left);
        exchange->left -= exchange->has_length ? n : 0;
}

enum err http_send(struct http_exchange *exchange, const void *data, size_t n, struct err_note *note) {
        struct conn *conn = exchange->conn->conn;
        AUTO(buf_fini) struct buf chunk = {0};
        char head[HTTP1_CHUNK_HEAD_MAX];

        if (n > HTTP_OUT_MAX || conn_unsent(conn) > HTTP_OUT_MAX - n)
                return err_set(note, ERR_TOO_LARGE, "send %zu bytes: the other side has not taken %zu before",
                               n, conn_unsent(conn));
        count(exchange, n);
        if (exchange->has_no_body || n == 0)
                return ERR_NONE;
        if (!exchange->sends_chunks)
                return conn_send(conn, data, n, note);
        buf_add(&chunk, head, http1_chunk_head(n, head));
        buf_add(&chunk, data, n);
        buf_add(&chunk, "\r\n", 2);
        return conn_send(conn, chunk.data, chunk.n, note);
}

static size_t length_of(const struct iovec *vec, unsigned n_vec) {
        size_t all = 0;

        for (unsigned i = 0; i < n_vec; i++)
                all += vec[i].iov_len;
        return all;
}

enum err http_offer(struct http_exchange *exchange, const struct iovec *vec, unsigned n_vec, size_t *ret_n,
                    struct err_note *note) {
        assert(!exchange->sends_chunks);
        assert(!exchange->has_length || length_of(vec, n_vec) <= exchange->left);
        if (exchange->has_no_body)
                *ret_n = length_of(vec, n_vec);
        else if (conn_offer(exchange->conn->conn, vec, n_vec, ret_n, note))
                return note->code;
        count(exchange, *ret_n);
        return ERR_NONE;
}

void http_answer_end(struct http_exchange *exchange) {
        assert(exchange->answering == HTTP_ANSWERING);
        assert(exchange->left == 0 || exchange->has_no_body);
        if (exchange->sends_chunks && !exchange->has_no_body)
                say(exchange, http1_chunks_end, strlen(http1_chunks_end));
        exchange->answering = HTTP_ANSWERED;
        skip_rest(exchange);
        http_conn_later(exchange->conn);
}

/* ---- without an answer's end ----------------------------------------------------------------- */

void http_abort(struct http_exchange *exchange) {
        struct http_conn *conn = exchange->conn;

        http_conn_enter(conn);
        http_conn_forget_exchange(conn);
        conn_abort(TAKE(conn->conn));
        http_conn_leave(conn);
}

struct conn *http_hijack(struct http_exchange *exchange, const struct conn_options *options) {
        struct http_conn *conn = exchange->conn;
        struct conn *bare = conn->conn;

        assert(exchange->answering == HTTP_UNANSWERED);
        http_conn_enter(conn);
        http_conn_forget_exchange(conn);
        conn->conn = NULL;
        conn_set_options(bare, options);
        http_conn_leave(conn);
        return bare;
}
