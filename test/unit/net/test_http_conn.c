// SPDX-License-Identifier: Apache-2.0
/* The life of a connection: requests behind one another, times, ends of every kind. */
#include "http_kit.h"

#include <malloc.h>
#include <sys/socket.h>

#include "local.h"
#include "tls_kit.h"

static struct tls_kit keys_kit;
static struct tls_keys *server_keys, *client_keys; /* owned by the group */

static int set_up(void **state) {
        struct http_kit *kit = calloc(1, sizeof *kit);

        http_kit_init(kit, NULL);
        *state = kit;
        return 0;
}

static int set_up_secure(void **state) {
        struct http_kit *kit = calloc(1, sizeof *kit);

        http_kit_init(kit, &(struct http_server_options){.keys = server_keys});
        kit->client_keys = client_keys;
        *state = kit;
        return 0;
}

static int tear_down(void **state) {
        http_kit_fini(*state);
        free(*state);
        return 0;
}

/* ---- one behind another ---- */

static void requests_in_one_piece_are_answered_in_order_in_any_weather(void **state) {
        struct http_kit *kit = *state;

        for (uint64_t seed = 1; seed <= 20; seed++) {
                AUTO(buf_fini) struct buf text = {0};
                const char *at;

                kit->is_chunked = seed & 2;
                for (unsigned i = 0; i < 50; i++)
                        buf_print(&text,
                                  i % 3 == 0   ? "GET /hello/number%u HTTP/1.1\r\n\r\n"
                                  : i % 3 == 1 ? "POST /echo HTTP/1.1\r\nContent-Length: 8\r\n\r\nnumber%02u"
                                               : "PUT /echo HTTP/1.1\r\nTransfer-Encoding: "
                                                 "chunked\r\n\r\n6\r\nnumber\r\n2\r\n%02u\r\n0\r\n\r\n",
                                  i);
                http_kit_connect(kit, seed, seed & 1 ? &net_weather_bad : &net_weather_fine);
                http_kit_say(kit, text.data, text.n);
                http_kit_run(kit, 60);
                at = http_kit_heard(kit);
                for (unsigned i = 0; i < 50; i++) {
                        char word[20];

                        snprintf(word, sizeof word, i % 3 ? "number%02u" : "number%u", i);
                        at = strstr(at, word);
                        assert_non_null(at);
                }
                assert_int_equal(http_kit_count(kit, "HTTP/1.1 200 OK"), 50);
                assert_false(kit->has_ended);
        }
        assert_int_equal(kit->n_fine, 20 * 50);
}

static void empty_lines_before_a_request_are_nothing(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "\r\n\r\n\r");
        http_kit_tell(kit, "\nGET /hello HTTP/1.1\r\n\r\n");
        assert_heard(kit, "/hello");
}

static void old_clients_get_an_end_unless_they_ask_for_none(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_heard(kit, "\r\nConnection: keep-alive\r\n");
        assert_false(kit->has_ended);
        http_kit_tell(kit, "GET /hello HTTP/1.0\r\n\r\n");
        assert_heard(kit, "\r\nConnection: close\r\n");
        assert_true(kit->has_ended);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\nGET /hello HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "200 OK"), 1);
        assert_true(kit->has_ended);
}

/* ---- what is no request ---- */

static void what_is_no_request_is_told_so_and_the_connection_closes(void **state) {
        static const struct {
                const char *said, *status;
        } rows[] = {
                {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 "},
                {"BREW / HTTP/1.1\r\n\r\n", "HTTP/1.1 501 "},
                {"GET /../x HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
                {"GET / HTTP/1.1\r\nA : b\r\n\r\n", "HTTP/1.1 400 "},
                {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
                {"\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 "},
                {"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 "HTTP/1.1 400 "},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct http_kit *kit = *state;

                http_kit_connect(kit, 1 + i, &net_weather_bad);
                http_kit_tell(kit, rows[i].said);
                /* What comes behind it is no request either. */
                http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
                assert_heard(kit, rows[i].status);
                assert_heard(kit, "\r\nConnection: close\r\n");
                assert_int_equal(http_kit_count(kit, "\r\nContent-Length: "), 1);
                assert_true(kit->has_ended);
                assert_int_equal(kit->n_begun, 0);
        }
}

static void a_head_may_be_so_large_and_no_larger(void **state) {
        struct http_kit *kit = *state;

        for (unsigned more = 0; more < 2; more++) {
                AUTO(buf_fini) struct buf text = {0};

                buf_print(&text, "GET /hello HTTP/1.1\r\nA: ");
                while (text.n < HTTP_HEAD_MAX - 4 + more)
                        buf_add(&text, "x", 1);
                buf_print(&text, "\r\n\r\n");
                http_kit_connect(kit, 1, &net_weather_bad);
                http_kit_say(kit, text.data, text.n);
                http_kit_run(kit, 9);
                assert_heard(kit, more ? "HTTP/1.1 431 " : "HTTP/1.1 200 ");
        }
}

/* Megabytes of it: no more is held than a head may have, and the answer arrives though all of it is sent
 * first. */
static void a_head_without_end_is_refused_and_its_sender_hears_it(void **state) {
        struct http_kit *kit = *state;
        AUTO(buf_fini) struct buf text = {0};
        int fd;

        buf_print(&text, "GET / HTTP/1.1\r\n");
        while (text.n < 4 << 20)
                buf_print(&text, "A: 0123456789012345678901234567890123456789\r\n");
        http_kit_connect_raw(kit, 1, &net_weather_fine, &fd);
        assert_int_equal(http_kit_say_raw(kit, fd, text.data, text.n), text.n);
        assert_true(http_kit_hear_raw(kit, fd));
        assert_heard(kit, "HTTP/1.1 431 ");
        local_close(fd);
}

/* ---- times ---- */

static void who_says_nothing_is_left_without_a_word(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_run(kit, HTTP_HEAD_NS / NET_SIM_SECOND - 1);
        assert_false(kit->has_ended);
        http_kit_run(kit, 2);
        assert_true(kit->has_ended);
        assert_int_equal(kit->heard.n, 0);
}

static void a_head_has_one_deadline_however_slowly_it_comes(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_say(kit, "GET /hello HTTP/1.1\r\n", 21);
        for (unsigned i = 0; i < 9; i++) {
                http_kit_say(kit, "A: b\r\n", 6);
                http_kit_run(kit, 1);
        }
        assert_int_equal(kit->heard.n, 0);
        http_kit_say(kit, "A: b\r\n", 6);
        http_kit_run(kit, 2);
        assert_heard(kit, "HTTP/1.1 408 ");
        assert_true(kit->has_ended);
}

static void an_idle_connection_is_kept_for_a_while(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
        http_kit_run(kit, HTTP_IDLE_NS / NET_SIM_SECOND - 10);
        assert_false(kit->has_ended);
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "200 OK"), 2);
        http_kit_run(kit, HTTP_IDLE_NS / NET_SIM_SECOND + 1);
        assert_true(kit->has_ended);
        assert_int_equal(http_kit_count(kit, "HTTP/1.1"), 2);
}

static void a_body_may_pause_for_hours(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_bad);
        http_kit_tell(kit, "PUT /echo HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
        http_kit_run(kit, 12 * 3600);
        http_kit_tell(kit, "def");
        assert_heard(kit, "\r\n\r\nabcdef");
        assert_int_equal(kit->n_fine, 1);
}

/* ---- who does not read ---- */

static void a_reader_who_pauses_for_hours_costs_nothing_and_misses_nothing(void **state) {
        struct http_kit *kit = *state;

        kit->to_send = UINT64_C(4) << 30;
        kit->in_max = 4096;
        http_kit_connect(kit, 1, &net_weather_fine);
        kit->is_deaf = true;
        http_kit_tell(kit, "GET /zeros HTTP/1.1\r\n\r\n");
        http_kit_run(kit, 12 * 3600);
        assert_true(kit->sent > 0 && kit->sent < 1 << 20);
        assert_int_equal(kit->most_unsent, 0);
        assert_true(kit->n_offers < 1000);
        assert_int_equal(kit->n_gone, 0);
        assert_false(kit->has_ended);
}

static void a_reader_who_pauses_now_and_then_gets_all_of_it(void **state) {
        struct http_kit *kit = *state;

        kit->to_send = 3 << 20;
        kit->in_max = 64 * 1024;
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /zeros HTTP/1.1\r\n\r\n");
        for (unsigned i = 0; i < 200 && kit->n_gone == 0; i++) {
                net_sim_hold(kit->net, KIT_SERVER, i % 2 == 0);
                http_kit_run(kit, 600);
        }
        assert_int_equal(kit->n_fine, 1);
        http_kit_run(kit, 600);
        assert_int_equal(
                (size_t)(http_kit_heard(kit) + kit->heard.n - strstr(http_kit_heard(kit), "\r\n\r\n") - 4),
                3 << 20);
        assert_int_equal(kit->most_unsent, 0);
}

static void who_confirms_nothing_is_dead_who_does_not_read_is_not(void **state) {
        struct http_kit *kit = *state;

        kit->to_send = 100 << 20;
        http_kit_connect(kit, 1, &net_weather_fine);
        net_sim_hold(kit->net, KIT_SERVER, true);
        http_kit_tell(kit, "GET /zeros HTTP/1.1\r\n\r\n");
        /* His kernel answers each probe: it is alive. */
        http_kit_known = (struct tcp_look){.n_unacked = 100000, .last_ack_ns = HTTP_DEAD_NS - 1};
        http_kit_run(kit, 24 * 3600);
        assert_int_equal(kit->n_gone, 0);
        /* Long ago, but nothing waits for him. */
        http_kit_known = (struct tcp_look){.n_unacked = 0, .last_ack_ns = 100 * HTTP_DEAD_NS};
        http_kit_run(kit, 24 * 3600);
        assert_int_equal(kit->n_gone, 0);
        http_kit_known = (struct tcp_look){.n_unacked = 1, .last_ack_ns = HTTP_DEAD_NS};
        http_kit_run(kit, HTTP_TICK_NS / NET_SIM_SECOND + 1);
        assert_int_equal(kit->n_gone, 1);
        assert_int_equal(kit->gone_why.code, ERR_CLOSED);
        assert_non_null(strstr(kit->gone_why.text, "confirmed nothing"));
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

/* The kernel forgets what it has for a socket that was closed, long before a reader who pauses comes back. */
static void the_end_of_an_answer_waits_for_who_pauses(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_known = (struct tcp_look){.n_unacked = 1000, .last_ack_ns = 1};
        http_kit_tell(kit, "GET /hello HTTP/1.0\r\n\r\n");
        assert_int_equal(kit->n_fine, 1);
        kit->has_ended = false;
        http_kit_run(kit, 24 * 3600);
        assert_int_equal(http_server_n_connections(kit->server), 1);
        http_kit_known = (struct tcp_look){0};
        http_kit_run(kit, HTTP_LINGER_NS / NET_SIM_SECOND);
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

static void who_neither_goes_nor_has_to_get_anything_is_left(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.0\r\n\r\n");
        assert_int_equal(http_server_n_connections(kit->server), 1);
        http_kit_run(kit, HTTP_LINGER_NS / NET_SIM_SECOND);
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

/* ---- early answers ---- */

static void begin_refusal(void *user, struct http_exchange *exchange) {
        struct http_kit *kit = user;

        kit->n_begun++;
        kit->exchange = exchange;
        http_exchange_serve(exchange, &http_kit_silent, kit);
        http_answer_text(exchange, 507, "text/plain", "the SR is full\n");
}

/* In the middle of an upload whose sender reads only when all is sent: he gets the answer, and not a
 * reset. */
static void an_answer_in_the_middle_of_an_upload_arrives(void **state) {
        struct http_kit *kit = *state;

        kit->routes[1] = (struct http_route){"/zeros", HTTP_PUT, begin_refusal, kit};
        for (uint64_t seed = 1; seed <= 10; seed++) {
                enum { N = 300000 };
                AUTO_FREE uint8_t *data = calloc(1, N);
                const char *head =
                        seed & 2 ? "PUT /zeros HTTP/1.1\r\nContent-Length: 1125899906842624\r\n\r\n"
                                 : "PUT /zeros HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n";
                int fd;

                http_kit_connect_raw(kit, seed, seed & 1 ? &net_weather_bad : &net_weather_fine, &fd);
                (void)http_kit_say_raw(kit, fd, head, strlen(head));
                assert_int_equal(http_kit_say_raw(kit, fd, data, N), N);
                assert_true(http_kit_hear_raw(kit, fd));
                assert_heard(kit, "HTTP/1.1 507 Insufficient Storage\r\n");
                assert_heard(kit, "\r\nConnection: close\r\n");
                assert_heard(kit, "the SR is full\n");
                local_close(fd);
                http_kit_run(kit, 1);
                assert_int_equal(http_server_n_connections(kit->server), 0);
        }
        assert_int_equal(kit->n_fine, 10);
}

static void an_early_answer_keeps_the_connection_where_all_of_the_body_is_here(void **state) {
        struct http_kit *kit = *state;

        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit,
                      "PUT /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /hello HTTP/1.1\r\n\r\n");
        assert_int_equal(http_kit_count(kit, "HTTP/1.1 200 OK"), 2);
        assert_false(kit->has_ended);
}

/* ---- resets ---- */

/* At every byte, of either side: the handler hears of it once, and nothing is left. */
static void a_connection_that_breaks_at_any_byte_leaves_nothing(void **state) {
        static const char text[] =
                "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
                "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n";
        struct http_kit *kit = *state;
        unsigned n_points = 0;

        for (unsigned from = 0; from < 2; from++) {
                for (uint64_t at = 1; at < (from == KIT_CLIENT ? sizeof text - 1 : 500); at++) {
                        http_kit_connect(kit, at, &net_weather_bad);
                        net_sim_reset_at(kit->net, from, at);
                        http_kit_say(kit, text, sizeof text - 1);
                        http_kit_run(kit, 5);
                        n_points += kit->has_ended;
                        http_kit_hang_up(kit);
                        http_kit_run(kit, 1);
                        assert_int_equal(http_server_n_connections(kit->server), 0);
                        assert_int_equal(kit->n_begun, kit->n_gone);
                        assert_null(kit->exchange);
                }
        }
        assert_true(n_points > 500);
        assert_true(kit->n_fine > 300 && kit->n_fine < kit->n_gone);
}

/* ---- TLS ---- */

static void all_of_it_goes_through_tls(void **state) {
        struct http_kit *kit = *state;

        for (uint64_t seed = 1; seed <= 4; seed++) {
                http_kit_connect(kit, seed, seed & 1 ? &net_weather_bad : &net_weather_fine);
                http_kit_tell(
                        kit,
                        "GET /hello HTTP/1.1\r\n\r\nPOST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
                assert_int_equal(http_kit_count(kit, "200 OK"), 2);
                assert_heard(kit, "\r\n\r\nhello");
                kit->to_send = 200000;
                http_kit_tell(kit, "GET /zeros HTTP/1.1\r\nConnection: close\r\n\r\n");
                http_kit_run(kit, 60);
                assert_true(kit->heard.n > 200000);
                assert_true(kit->has_ended);
                assert_int_equal(kit->why.code, ERR_CLOSED); /* and not CUT_SHORT: the end was said */
        }
        assert_int_equal(kit->n_fine, 12);
}

static void an_aborted_answer_is_no_end_under_tls(void **state) {
        struct http_kit *kit = *state;

        kit->to_send = 100 << 20;
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_say(kit, "GET /zeros HTTP/1.1\r\n\r\n", 23);
        while (kit->sent < 1 << 20)
                (void)loop_round(kit->loop, 0);
        http_abort(kit->exchange);
        http_kit_run(kit, 5);
        assert_true(kit->has_ended);
        /* Between two records, or within one. */
        assert_true(kit->why.code == ERR_CUT_SHORT || kit->why.code == ERR_CORRUPT);
        assert_int_equal(kit->n_gone, 0);
        assert_int_equal(http_server_n_connections(kit->server), 0);
        /* Where nothing is half sent an end could be said, and is not. */
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /silent HTTP/1.1\r\n\r\n");
        http_answer(kit->exchange, &(struct http_answer){.status = 200, .length = HTTP_UNTIL_CLOSE});
        http_kit_run(kit, 1);
        http_abort(kit->exchange);
        http_kit_run(kit, 5);
        assert_int_equal(kit->why.code, ERR_CUT_SHORT);
}

static void who_does_not_speak_tls_is_left(void **state) {
        struct http_kit *kit = *state;

        kit->client_keys = NULL;
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_tell(kit, "GET /hello HTTP/1.1\r\n\r\n");
        http_kit_run(kit, 1);
        assert_true(kit->has_ended);
        assert_int_equal(kit->n_begun, 0);
        assert_true(kit->log.n > 0);
        http_kit_connect(kit, 1, &net_weather_fine);
        http_kit_run(kit, TLS_PATIENCE_NS / NET_SIM_SECOND + 1);
        assert_true(kit->has_ended);
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

/* ---- many ---- */

enum { STALLED = 500 };

struct crowd {
        struct http_kit *kit; /* borrowed */
        int fds[STALLED];
};

/* Zeros, for many at once: each offers until its socket is full, and has nothing but its place. */
static void offer_zeros(void *user) {
        static const uint8_t zeros[256 * 1024];
        struct iovec vec = {(void *)(uintptr_t)zeros, sizeof zeros};
        struct err_note note = {0};
        size_t n;

        do
                assert_ok(http_offer(user, &vec, 1, &n, &note));
        while (n == sizeof zeros);
}

static void begin_crowd(void *user, struct http_exchange *exchange) {
        static const struct http_exchange_ops ops = {.drained = offer_zeros};
        struct http_kit *kit = user;

        kit->n_begun++;
        http_exchange_serve(exchange, &ops, exchange);
        http_answer(exchange, &(struct http_answer){.status = 200, .length = UINT64_C(4) << 30});
        offer_zeros(exchange);
}

static void turn(struct http_kit *kit) {
        for (unsigned i = 0; i < 100; i++)
                (void)loop_round(kit->loop, 0);
}

static void stalled_readers_of_a_large_disk_need_little_memory(void **state) {
        static const char text[] = "GET /zeros HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/7.88.1\r\n\r\n";
        struct http_kit *kit = *state;
        struct crowd crowd = {.kit = kit};
        struct err_note note = {0};
        size_t before = mallinfo2().uordblks, after;

        kit->routes[1].begin = begin_crowd;
        for (unsigned i = 0; i < STALLED; i++) {
                struct arrival arrival = {.peer = "one of many"};
                int fds[2];

                assert_ok(local_pair(fds, &note));
                arrival.fd = fds[0];
                crowd.fds[i] = fds[1];
                http_server_give(kit->server, kit->loop, &arrival);
                assert_int_equal(send(fds[1], text, sizeof text - 1, 0), sizeof text - 1);
                turn(kit);
        }
        assert_int_equal(kit->n_begun, STALLED);
        after = mallinfo2().uordblks;
        /* The sanitizers have an allocator of their own, and it counts nothing. */
        assert_true(after - before < STALLED * 4096);
        for (unsigned i = 0; i < STALLED; i++)
                local_close(crowd.fds[i]);
        turn(kit);
        assert_int_equal(http_server_n_connections(kit->server), 0);
}

static int set_up_keys(void **state) {
        struct err_note note = {0};
        struct tls_options options;

        (void)state;
        tls_kit_init(&keys_kit, 10);
        options = (struct tls_options){.x509_folder = keys_kit.folder};
        assert_ok(tls_keys_load(&options, &server_keys, &note));
        options.is_client = true;
        assert_ok(tls_keys_load(&options, &client_keys, &note));
        return 0;
}

static int tear_down_keys(void **state) {
        (void)state;
        tls_keys_free(server_keys);
        tls_keys_free(client_keys);
        tls_kit_fini(&keys_kit);
        return 0;
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SECURE_CASE(name) cmocka_unit_test_setup_teardown(name, set_up_secure, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(requests_in_one_piece_are_answered_in_order_in_any_weather),
                CASE(empty_lines_before_a_request_are_nothing),
                CASE(old_clients_get_an_end_unless_they_ask_for_none),
                CASE(what_is_no_request_is_told_so_and_the_connection_closes),
                CASE(a_head_may_be_so_large_and_no_larger),
                CASE(a_head_without_end_is_refused_and_its_sender_hears_it),
                CASE(who_says_nothing_is_left_without_a_word),
                CASE(a_head_has_one_deadline_however_slowly_it_comes),
                CASE(an_idle_connection_is_kept_for_a_while),
                CASE(a_body_may_pause_for_hours),
                CASE(a_reader_who_pauses_for_hours_costs_nothing_and_misses_nothing),
                CASE(a_reader_who_pauses_now_and_then_gets_all_of_it),
                CASE(who_confirms_nothing_is_dead_who_does_not_read_is_not),
                CASE(the_end_of_an_answer_waits_for_who_pauses),
                CASE(who_neither_goes_nor_has_to_get_anything_is_left),
                CASE(an_answer_in_the_middle_of_an_upload_arrives),
                CASE(an_early_answer_keeps_the_connection_where_all_of_the_body_is_here),
                CASE(a_connection_that_breaks_at_any_byte_leaves_nothing),
                SECURE_CASE(all_of_it_goes_through_tls),
                SECURE_CASE(an_aborted_answer_is_no_end_under_tls),
                SECURE_CASE(who_does_not_speak_tls_is_left),
                CASE(stalled_readers_of_a_large_disk_need_little_memory),
        };

        return cmocka_run_group_tests(tests, set_up_keys, tear_down_keys);
}
