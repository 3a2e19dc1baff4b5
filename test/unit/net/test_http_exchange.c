// SPDX-License-Identifier: Apache-2.0
/* What a handler sees of a body, and what goes out of its answer. */
#include "http_kit.h"

static int set_up(void **state) {
        struct http_kit *kit = calloc(1, sizeof *kit);

        http_kit_init(kit, NULL);
        *state = kit;
        return 0;
}

static int tear_down(void **state) {
        http_kit_fini(*state);
        free(*state);
        return 0;
}

/* The test's own handler at /silent. */
static void handle(struct http_kit *kit, void (*begin)(void *user, struct http_exchange *)) {
        kit->routes[2] =
                (struct http_route){"/silent", HTTP_GET | HTTP_HEAD | HTTP_PUT | HTTP_POST, begin, kit};
}

static void take(struct http_kit *kit, const struct http_exchange_ops *ops, struct http_exchange *exchange) {
        kit->n_begun++;
        kit->exchange = exchange;
        http_exchange_serve(exchange, ops, kit);
}

/* ---- bodies ---- */

static void count_got(void *user) {
        struct http_kit *kit = user;

        kit->n_got++;
}

static const struct http_exchange_ops counting = {.got = count_got, .gone = http_kit_gone};

static void begin_counting(void *user, struct http_exchange *exchange) {
        take(user, &counting, exchange);
        http_body_accept(exchange);
}

static void a_body_is_told_of_when_it_comes_and_once_at_its_end(void **state) {
        struct http_kit *kit = *state;
        size_t n;

        handle(kit, begin_counting);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nContent-Length: 6\r\n\r\n");
        assert_int_equal(kit->n_got, 0);
        assert_int_equal(http_body_length(kit->exchange), 6);
        http_kit_tell(kit, "abc");
        assert_int_equal(kit->n_got, 1);
        http_kit_tell(kit, "def");
        assert_int_equal(kit->n_got, 2);
        assert_memory_equal(http_body_peek(kit->exchange, &n), "abcdef", 6);
        assert_int_equal(n, 6);
        http_body_skip(kit->exchange, 5);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_got, 2);
        assert_false(http_body_is_whole(kit->exchange));
        http_body_skip(kit->exchange, 1);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_got, 3);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_got, 3);
        assert_int_equal(http_body_taken(kit->exchange), 6);
        http_answer_text(kit->exchange, 204, NULL, "");
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_fine, 1);
}

static void who_saw_the_end_is_not_told_of_it_again(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_counting);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert_int_equal(kit->n_got, 1);
        http_body_skip(kit->exchange, 3);
        assert_true(http_body_is_whole(kit->exchange));
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_got, 1);
}

static void an_empty_body_has_an_end_too(void **state) {
        static const char *const heads[] = {
                "GET /silent HTTP/1.1\r\n\r\n", "PUT /silent HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
                "PUT /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
        struct http_kit *kit = *state;

        handle(kit, begin_counting);
        for (unsigned i = 0; i < 3; i++) {
                http_kit_connect(kit, 1, &net_weather_fine);
                http_kit_tell(kit, heads[i]);
                assert_int_equal(kit->n_got, i + 1);
                assert_true(http_body_is_whole(kit->exchange));
                http_answer_text(kit->exchange, 200, NULL, "x");
                http_kit_run(kit, 1);
        }
}

/* It is not read, so its sender stands still, at a price that is known. */
static void a_body_that_is_not_taken_costs_its_buffer(void **state) {
        struct http_kit *kit = *state;
        AUTO_FREE char *data = calloc(1, 1 << 20);
        size_t n;

        for (unsigned accepts = 0; accepts < 2; accepts++) {
                handle(kit, accepts ? begin_counting : http_kit_begin_silent);
                http_kit_connect(kit, 1, &net_weather_fine);
                http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n");
                http_kit_say(kit, data, 1 << 20);
                http_kit_run(kit, 3600);
                (void)http_body_peek(kit->exchange, &n);
                assert_int_equal(n, accepts ? HTTP_IN_MAX : HTTP_HEAD_MAX);
                assert_true(kit->said < 1 << 20);
        }
}

static void chunks_are_shown_one_after_another(void **state) {
        struct http_kit *kit = *state;
        size_t n;

        handle(kit, begin_counting);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(
                kit,
                "PUT /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_true(http_body_length(kit->exchange) == UINT64_MAX);
        assert_memory_equal(http_body_peek(kit->exchange, &n), "abc", 3);
        assert_int_equal(n, 3);
        http_body_skip(kit->exchange, 3);
        assert_memory_equal(http_body_peek(kit->exchange, &n), "de", 2);
        assert_int_equal(n, 2);
        assert_false(http_body_is_whole(kit->exchange));
        http_body_skip(kit->exchange, 2);
        assert_true(http_body_is_whole(kit->exchange));
        (void)http_body_peek(kit->exchange, &n);
        assert_int_equal(n, 0);
}

static void what_is_no_chunk_is_told_to_both_sides(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_counting);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        assert_int_equal(kit->n_gone, 1);
        assert_int_equal(kit->gone_why.code, ERR_CORRUPT);
        assert_heard(kit, "HTTP/1.1 400 ");
        assert_true(kit->has_ended);
}

static void begin_answer_first(void *user, struct http_exchange *exchange) {
        take(user, &counting, exchange);
        http_answer(exchange, &(struct http_answer){.status = 200, .length = 2});
        http_body_accept(exchange);
}

static void what_is_no_chunk_breaks_an_answer_that_has_begun(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_answer_first);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nazz\r\n");
        http_body_skip(kit->exchange, 1);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_gone, 1);
        assert_int_equal(kit->gone_why.code, ERR_CORRUPT);
        assert_int_equal(http_kit_count(kit, "HTTP/1.1"), 1);
        assert_true(kit->has_ended);
}

/* Some answer 200 before they look at what comes. */
static void a_body_may_be_read_after_the_answer_began(void **state) {
        struct http_kit *kit = *state;
        struct err_note note = {0};
        size_t n;

        handle(kit, begin_answer_first);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert_heard(kit, "HTTP/1.1 200 OK");
        assert_memory_equal(http_body_peek(kit->exchange, &n), "abc", 3);
        assert_int_equal(n, 3);
        http_body_skip(kit->exchange, 3);
        assert_ok(http_send(kit->exchange, "ok", 2, &note));
        http_answer_end(kit->exchange);
        http_kit_run(kit, 1);
        assert_heard(kit, "\r\n\r\nok");
        assert_int_equal(kit->n_fine, 1);
}

/* ---- Expect ---- */

static void who_waits_to_be_told_is_told_when_the_body_is_accepted(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        assert_string_equal(http_kit_heard(kit), "HTTP/1.1 100 Continue\r\n\r\n");
        http_kit_tell(kit, "abc");
        assert_heard(kit, "\r\n\r\nabc");
        assert_false(kit->has_ended);
        http_kit_tell(kit, "PUT /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
        http_kit_tell(kit, "PUT /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
        assert_int_equal(http_kit_count(kit, " 100 "), 1);
        assert_int_equal(http_kit_count(kit, " 200 "), 3);
}

/* Whether he then sends the body or not, nobody knows. */
static void who_is_refused_instead_has_the_connection_closed(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        assert_heard(kit, "HTTP/1.1 200 OK");
        assert_heard(kit, "\r\nConnection: close\r\n");
        assert_int_equal(http_kit_count(kit, " 100 "), 0);
        assert_true(kit->has_ended);
        /* Neither when bytes are there that may be the body, or not. */
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
                           "abcGET /hello HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "200 OK"), 1);
        assert_true(kit->has_ended);
}

/* ---- answers ---- */

static void begin_chunks(void *user, struct http_exchange *exchange) {
        struct err_note note = {0};

        take(user, &http_kit_silent, exchange);
        http_answer(exchange, &(struct http_answer){.status = 200, .length = HTTP_CHUNKED});
        assert_ok(http_send(exchange, "abc", 3, &note));
        assert_ok(http_send(exchange, "", 0, &note));
        assert_ok(http_send(exchange, "defghijklmnop", 13, &note));
        http_answer_end(exchange);
}

static void an_answer_of_unknown_length_is_framed_as_the_other_side_knows_it(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_chunks);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        assert_heard(kit, "\r\nTransfer-Encoding: chunked\r\n");
        assert_heard(kit, "\r\n\r\n3\r\nabc\r\nd\r\ndefghijklmnop\r\n0\r\n\r\n");
        assert_false(kit->has_ended);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_heard(kit, "\r\nConnection: close\r\n");
        assert_heard(kit, "\r\n\r\nabcdefghijklmnop");
        assert_int_equal(http_kit_count(kit, "Content-Length") + http_kit_count(kit, "Encoding"), 0);
        assert_true(kit->has_ended);
}

static void begin_until_close(void *user, struct http_exchange *exchange) {
        struct err_note note = {0};

        take(user, &http_kit_silent, exchange);
        http_answer(exchange, &(struct http_answer){.status = 200, .length = HTTP_UNTIL_CLOSE});
        assert_ok(http_send(exchange, "abc", 3, &note));
        http_answer_end(exchange);
}

static void an_answer_may_go_on_to_the_end_of_the_connection(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_until_close);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        assert_heard(kit, "\r\nConnection: close\r\n\r\nabc");
        assert_true(kit->has_ended);
}

static void a_head_alone_says_how_long_it_would_be(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "HEAD /zeros HTTP/1.1\r\n\r\n");
        assert_heard(kit, "\r\nContent-Length: 100000\r\n\r\n");
        assert_true(kit->heard.n < 200);
        handle(kit, begin_chunks);
        http_kit_tell(kit, "HEAD /silent HTTP/1.1\r\n\r\nHEAD /hello HTTP/1.1\r\n\r\n");
        assert_heard(kit, "\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200");
        assert_heard(kit, "\r\nContent-Length: 6\r\n\r\n");
        assert_int_equal(kit->n_fine, 3);
        assert_false(kit->has_ended);
}

static void begin_nothing(void *user, struct http_exchange *exchange) {
        take(user, &http_kit_silent, exchange);
        http_answer_text(exchange, 204, NULL, "");
}

static void an_answer_without_a_body_has_no_length(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_nothing);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "Content-Length"), 1);
        assert_heard(kit, "/hello");
}

static void begin_injection(void *user, struct http_exchange *exchange) {
        take(user, &http_kit_silent, exchange);
        http_answer_bytes(exchange, 200, "text/plain", "X: a\r\n\r\nHTTP/1.1 200 OK\r\n",
                          (struct span){(const uint8_t *)"x", 1});
}

static void a_header_that_would_be_another_answer_is_left_out(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_injection);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "HTTP/1.1"), 1);
        assert_heard(kit, "\r\n\r\nx");
        assert_non_null(strstr(buf_text(&kit->log), "not one line"));
}

static void a_large_answer_goes_out_whole_whatever_its_size(void **state) {
        struct http_kit *kit = *state;
        AUTO_FREE char *text = calloc(1, (5 << 20) + 1);

        memset(text, 'x', 5 << 20);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        net_sim_hold(kit->net, KIT_SERVER, true);
        http_answer_text(kit->exchange, 200, NULL, text);
        /* Nothing of it is given up as long as it waits. */
        http_kit_run(kit, 3600);
        assert_int_equal(kit->n_gone, 0);
        net_sim_hold(kit->net, KIT_SERVER, false);
        http_kit_run(kit, 60);
        assert_int_equal(kit->n_fine, 1);
        assert_true(kit->heard.n > 5 << 20);
        assert_string_equal(strstr(http_kit_heard(kit), "\r\n\r\n") + 4, text);
}

static void no_more_is_held_than_was_agreed(void **state) {
        struct http_kit *kit = *state;
        static const uint8_t piece[1000];
        enum err failed = ERR_NONE;
        struct err_note note = {0};

        kit->in_max = 1000;
        http_kit_connect(kit, 1, &net_weather_fine);
        kit->is_deaf = true;
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        http_answer(kit->exchange, &(struct http_answer){.status = 200, .length = HTTP_CHUNKED});
        for (unsigned i = 0; i < 5000 && !failed; i++) {
                failed = http_send(kit->exchange, piece, sizeof piece, &note);
                assert_true(http_unsent(kit->exchange) <= HTTP_OUT_MAX + 2000);
        }
        assert_err(failed, ERR_TOO_LARGE, "has not taken");
        assert_true(http_unsent(kit->exchange) > HTTP_OUT_MAX - 2000);
}

/* ---- without an end ---- */

static void an_aborted_answer_is_short(void **state) {
        struct http_kit *kit = *state;

        kit->in_max = 4096;
        kit->to_send = 100 << 20;
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        http_answer(kit->exchange, &(struct http_answer){.status = 200, .length = 1000});
        http_abort(kit->exchange);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_gone, 0);
        assert_true(kit->has_ended);
        assert_int_equal(kit->n_closed, 1);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        kit->exchange = NULL;
}

static void begin_abort(void *user, struct http_exchange *exchange) {
        ((struct http_kit *)user)->n_begun++;
        http_abort(exchange);
}

static void got_abort(void *user) {
        struct http_kit *kit = user;

        http_abort(TAKE(kit->exchange));
}

static const struct http_exchange_ops aborting = {
        .got = got_abort, .drained = got_abort, .gone = http_kit_gone};

static void begin_abort_later(void *user, struct http_exchange *exchange) {
        take(user, &aborting, exchange);
        http_body_accept(exchange);
}

static void it_may_be_aborted_from_anywhere(void **state) {
        struct http_kit *kit = *state;

        for (unsigned i = 0; i < 2; i++) {
                handle(kit, i ? begin_abort_later : begin_abort);
                http_kit_connect(kit, 1, &net_weather_bad);
                http_kit_tell(
                        kit,
                        "PUT /silent HTTP/1.1\r\nContent-Length: 9\r\n\r\nabcGET /hello HTTP/1.1\r\n\r\n");
                assert_true(kit->has_ended);
                assert_int_equal(kit->heard.n, 0);
        }
        assert_int_equal(kit->n_gone, 0);
        assert_int_equal(kit->n_begun, 2);
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

struct taken {
        struct conn *conn; /* owned */
        struct buf got;
        bool has_ended;
};

static void taken_got(void *user) {
        struct taken *taken = user;
        size_t n;
        const uint8_t *data = conn_peek(taken->conn, &n);

        buf_add(&taken->got, data, n);
        conn_skip(taken->conn, n);
}

static void taken_ended(void *user, const struct err_note *why) {
        struct taken *taken = user;

        (void)why;
        taken->has_ended = true;
}

/* What another protocol said behind the head is not lost. */
static void a_connection_may_be_had_bare(void **state) {
        struct http_kit *kit = *state;
        struct taken taken = {0};
        struct conn_options options = {
                .in_max = 1000, .out_max = 1000, .got = taken_got, .ended = taken_ended, .user = &taken};
        struct err_note note = {0};

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "PUT /silent HTTP/1.0\r\nContent-Length: 3\r\n\r\nabcdef");
        taken.conn = http_hijack(TAKE(kit->exchange), &options);
        assert_int_equal(kit->n_gone, 0);
        assert_int_equal(kit->n_closed, 1);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        taken_got(&taken);
        assert_string_equal(buf_text(&taken.got), "abcdef");
        http_kit_tell(kit, "ghi");
        assert_string_equal(buf_text(&taken.got), "abcdefghi");
        assert_ok(conn_send(taken.conn, "hello", 5, &note));
        http_kit_run(kit, 1);
        assert_string_equal(http_kit_heard(kit), "hello");
        http_kit_hang_up(kit);
        http_kit_run(kit, 1);
        assert_true(taken.has_ended);
        conn_free(taken.conn);
        buf_fini(&taken.got);
}

static struct taken stolen;

static void begin_hijack(void *user, struct http_exchange *exchange) {
        struct conn_options options = {
                .in_max = 1000, .out_max = 1000, .got = taken_got, .ended = taken_ended, .user = &stolen};
        struct err_note note = {0};

        ((struct http_kit *)user)->n_begun++;
        stolen.conn = http_hijack(exchange, &options);
        assert_ok(conn_send(stolen.conn, "bare", 4, &note));
}

static void it_may_be_had_while_the_head_is_looked_at(void **state) {
        struct http_kit *kit = *state;

        handle(kit, begin_hijack);
        http_kit_connect(kit, 1, &net_weather_bad);
        http_kit_tell(kit, "POST /silent HTTP/1.0\r\n\r\n");
        assert_string_equal(http_kit_heard(kit), "bare");
        http_kit_tell(kit, "more");
        assert_string_equal(buf_text(&stolen.got), "more");
        conn_free(stolen.conn);
        buf_fini(&stolen.got);
}

static void what_a_handler_may_ask_for_is_there(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent?a=b HTTP/1.1\r\n\r\n");
        assert_ptr_equal(http_loop(kit->exchange), kit->loop);
        assert_string_equal(http_peer(kit->exchange), "a client");
        assert_false(http_is_secure(kit->exchange));
        assert_string_equal(http1_query(http_head(kit->exchange), "a"), "b");
        assert_false(http_is_answered(kit->exchange));
        http_kit_hang_up(kit);
        http_kit_run(kit, 1);
        assert_int_equal(kit->n_gone, 1);
        assert_int_equal(kit->gone_why.code, ERR_CLOSED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_body_is_told_of_when_it_comes_and_once_at_its_end),
                CASE(who_saw_the_end_is_not_told_of_it_again),
                CASE(an_empty_body_has_an_end_too),
                CASE(a_body_that_is_not_taken_costs_its_buffer),
                CASE(chunks_are_shown_one_after_another),
                CASE(what_is_no_chunk_is_told_to_both_sides),
                CASE(what_is_no_chunk_breaks_an_answer_that_has_begun),
                CASE(a_body_may_be_read_after_the_answer_began),
                CASE(who_waits_to_be_told_is_told_when_the_body_is_accepted),
                CASE(who_is_refused_instead_has_the_connection_closed),
                CASE(an_answer_of_unknown_length_is_framed_as_the_other_side_knows_it),
                CASE(an_answer_may_go_on_to_the_end_of_the_connection),
                CASE(a_head_alone_says_how_long_it_would_be),
                CASE(an_answer_without_a_body_has_no_length),
                CASE(a_header_that_would_be_another_answer_is_left_out),
                CASE(a_large_answer_goes_out_whole_whatever_its_size),
                CASE(no_more_is_held_than_was_agreed),
                CASE(an_aborted_answer_is_short),
                CASE(it_may_be_aborted_from_anywhere),
                CASE(a_connection_may_be_had_bare),
                CASE(it_may_be_had_while_the_head_is_looked_at),
                CASE(what_a_handler_may_ask_for_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
