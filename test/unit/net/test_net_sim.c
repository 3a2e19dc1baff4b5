// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "conn.h"
#include "io_sim.h"
#include "net_sim.h"

enum { IN_MAX = 1000, OUT_MAX = 1 << 20, MUCH = 100000 };

struct side {
        struct conn *conn; /* owned */
        struct buf got;
        struct io *io;    /* borrowed from the pair */
        uint64_t history; /* of when how much came */
        unsigned n_got, n_ended;
        bool pauses; /* reads nothing */
        struct err_note why;
};

struct pair {
        struct io *io;       /* owned */
        struct loop *loop;   /* owned */
        struct net_sim *net; /* owned */
        struct side sides[2];
};

static void on_got(void *user) {
        struct side *side = user;
        size_t n;
        const uint8_t *data = conn_peek(side->conn, &n);

        if (side->pauses)
                return;
        buf_add(&side->got, data, n);
        side->history = (side->history ^ io_now_ns(side->io) ^ n << 40) * 0x100000001B3;
        side->n_got++;
        conn_skip(side->conn, n);
}

static void on_ended(void *user, const struct err_note *why) {
        struct side *side = user;

        side->n_ended++;
        side->why = *why;
}

static struct pair *new_pair(uint64_t seed, const struct net_weather *weather) {
        struct pair *pair = calloc(1, sizeof *pair);
        struct err_note note = {0};
        int fds[2];

        pair->io = io_sim_new(1, 0);
        assert_ok(loop_new(pair->io, &pair->loop, &note));
        assert_ok(net_sim_new(pair->loop, seed, weather, fds, &pair->net, &note));
        for (unsigned i = 0; i < 2; i++) {
                struct conn_options options = {.in_max = IN_MAX,
                                               .out_max = OUT_MAX,
                                               .got = on_got,
                                               .ended = on_ended,
                                               .user = &pair->sides[i]};

                pair->sides[i].io = pair->io;
                assert_ok(conn_new(pair->loop, fds[i], &options, &pair->sides[i].conn, &note));
        }
        return pair;
}

static void free_pair(struct pair *pair) {
        for (unsigned i = 0; i < 2; i++) {
                if (pair->sides[i].conn)
                        conn_free(pair->sides[i].conn);
                buf_fini(&pair->sides[i].got);
        }
        net_sim_free(pair->net);
        loop_free(pair->loop);
        io_free(pair->io);
        free(pair);
}

static void send_much(struct pair *pair, unsigned from, size_t n) {
        AUTO_FREE uint8_t *data = malloc(n);
        struct err_note note = {0};

        for (size_t i = 0; i < n; i++)
                data[i] = (uint8_t)(i * 31 + i / 253 + from);
        assert_ok(conn_send(pair->sides[from].conn, data, n, &note));
}

static void check_much(const struct pair *pair, unsigned from) {
        const struct buf *got = &pair->sides[1 - from].got;

        for (size_t i = 0; i < got->n; i++)
                if (got->data[i] != (uint8_t)(i * 31 + i / 253 + from)) {
                        print_error("byte %zu of those from %u\n", i, from);
                        fail();
                }
}

static void bytes_arrive_whole_and_in_order_in_any_weather(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 20; seed++) {
                struct pair *pair = new_pair(seed, seed & 1 ? &net_weather_bad : &net_weather_fine);

                send_much(pair, 0, MUCH);
                send_much(pair, 1, MUCH / 2);
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[1].got.n, MUCH);
                assert_int_equal(pair->sides[0].got.n, MUCH / 2);
                check_much(pair, 0);
                check_much(pair, 1);
                assert_int_equal(net_sim_arrived(pair->net, 0), MUCH);
                assert_int_equal(io_now_ns(pair->io), 3600 * NET_SIM_SECOND);
                free_pair(pair);
        }
}

static void bad_weather_brings_pieces_and_takes_time(void **state) {
        struct pair *pair = new_pair(7, &net_weather_bad);
        uint64_t ns = 0;

        (void)state;
        send_much(pair, 0, MUCH);
        while (pair->sides[1].got.n < MUCH && ns < 1000 * NET_SIM_SECOND) {
                net_sim_run(pair->loop, NET_SIM_SECOND / 1000);
                ns += NET_SIM_SECOND / 1000;
        }
        /* No faster than 4 KiB each delay of 40 ms at most, no slower than a byte each 80 ms. */
        assert_in_range(ns / NET_SIM_SECOND, 0, 999);
        assert_true(ns > NET_SIM_SECOND / 10);
        assert_true(pair->sides[1].n_got > MUCH / 4096);
        free_pair(pair);
}

static uint64_t history_of(uint64_t seed) {
        struct pair *pair = new_pair(seed, &net_weather_bad);
        uint64_t history;

        send_much(pair, 0, 20000);
        send_much(pair, 1, 30000);
        net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
        history = pair->sides[0].history * 31 + pair->sides[1].history;
        free_pair(pair);
        return history;
}

static void a_history_follows_from_its_seed(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++) {
                assert_int_equal(history_of(seed), history_of(seed));
                assert_int_not_equal(history_of(seed), history_of(seed + 1));
        }
}

static void who_is_not_read_waits_in_bounded_memory_for_hours(void **state) {
        (void)state;
        for (unsigned holds = 0; holds < 2; holds++) {
                struct pair *pair = new_pair(3, &net_weather_bad);
                size_t unsent;

                pair->sides[1].pauses = !holds;
                net_sim_hold(pair->net, 0, holds);
                send_much(pair, 0, MUCH);
                net_sim_run(pair->loop, 5 * 3600 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[1].got.n, 0);
                unsent = conn_unsent(pair->sides[0].conn);
                assert_true(unsent > MUCH - 40000); /* small sockets, little under way */
                /* The other direction goes on. */
                send_much(pair, 1, 500);
                net_sim_run(pair->loop, NET_SIM_SECOND);
                assert_int_equal(pair->sides[0].got.n, 500);
                assert_int_equal(conn_unsent(pair->sides[0].conn), unsent);
                pair->sides[1].pauses = false;
                if (!holds)
                        on_got(&pair->sides[1]);
                net_sim_hold(pair->net, 0, false);
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[1].got.n, MUCH);
                check_much(pair, 0);
                free_pair(pair);
        }
}

static void a_reset_loses_what_is_under_way_and_both_are_told(void **state) {
        (void)state;
        for (uint64_t at = 0; at < 5000; at += 499) {
                struct pair *pair = new_pair(at, &net_weather_bad);

                net_sim_reset_at(pair->net, 0, at);
                send_much(pair, 0, MUCH);
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[1].got.n, at);
                check_much(pair, 0);
                for (unsigned i = 0; i < 2; i++) {
                        assert_int_equal(pair->sides[i].n_ended, 1);
                        assert_int_equal(pair->sides[i].why.code, ERR_CLOSED);
                }
                free_pair(pair);
        }
}

static void a_close_is_seen_after_all_that_was_sent_before(void **state) {
        static const struct net_weather narrow = {.piece_max = 100, .under_way_max = 200};

        (void)state;
        for (uint64_t seed = 1; seed <= 20; seed++) {
                struct pair *pair = new_pair(seed, seed & 2 ? &net_weather_bad : &narrow);

                send_much(pair, 0, 3000);
                net_sim_hold(pair->net, 0, seed & 1);
                conn_free(TAKE(pair->sides[0].conn)); /* his socket held it all */
                net_sim_run(pair->loop, NET_SIM_SECOND);
                net_sim_hold(pair->net, 0, false);
                net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
                assert_int_equal(pair->sides[1].got.n, 3000);
                assert_int_equal(pair->sides[1].n_ended, 1);
                free_pair(pair);
        }
}

static void who_sends_to_one_that_closed_is_reset(void **state) {
        struct pair *pair = new_pair(1, &net_weather_bad);

        (void)state;
        net_sim_hold(pair->net, 0, true); /* so that it is not known */
        conn_free(TAKE(pair->sides[0].conn));
        send_much(pair, 1, MUCH);
        net_sim_run(pair->loop, 3600 * NET_SIM_SECOND);
        assert_int_equal(pair->sides[1].n_ended, 1);
        free_pair(pair);
}

/* Raw ends: a conn takes a half-close for the end. */
static void a_half_close_leaves_the_other_direction_open(void **state) {
        struct io *io = io_sim_new(1, 0);
        struct loop *loop;
        struct net_sim *net;
        struct err_note note = {0};
        uint8_t room[8];
        int fds[2];

        (void)state;
        assert_ok(loop_new(io, &loop, &note));
        assert_ok(net_sim_new(loop, 1, &net_weather_bad, fds, &net, &note));
        assert_int_equal(write(fds[0], "last", 4), 4);
        shutdown(fds[0], SHUT_WR);
        net_sim_run(loop, NET_SIM_SECOND);
        assert_int_equal(read(fds[1], room, sizeof room), 4);
        assert_int_equal(read(fds[1], room, sizeof room), 0);
        assert_int_equal(write(fds[1], "more", 4), 4);
        net_sim_run(loop, NET_SIM_SECOND);
        assert_int_equal(read(fds[0], room, sizeof room), 4);
        assert_int_equal(read(fds[0], room, sizeof room), -1);
        close(fds[0]);
        close(fds[1]);
        net_sim_run(loop, NET_SIM_SECOND);
        net_sim_free(net);
        loop_free(loop);
        io_free(io);
}

static void count(void *user) {
        ++*(unsigned *)user;
}

static void timers_run_on_its_clock(void **state) {
        struct pair *pair = new_pair(1, &net_weather_fine);
        unsigned n = 0;

        (void)state;
        (void)loop_after(pair->loop, 3600 * NET_SIM_SECOND, count, &n);
        net_sim_run(pair->loop, 3600 * NET_SIM_SECOND - 1);
        assert_int_equal(n, 0);
        net_sim_run(pair->loop, 1);
        assert_int_equal(n, 1);
        free_pair(pair);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_arrive_whole_and_in_order_in_any_weather),
                cmocka_unit_test(bad_weather_brings_pieces_and_takes_time),
                cmocka_unit_test(a_history_follows_from_its_seed),
                cmocka_unit_test(who_is_not_read_waits_in_bounded_memory_for_hours),
                cmocka_unit_test(a_reset_loses_what_is_under_way_and_both_are_told),
                cmocka_unit_test(a_close_is_seen_after_all_that_was_sent_before),
                cmocka_unit_test(who_sends_to_one_that_closed_is_reset),
                cmocka_unit_test(a_half_close_leaves_the_other_direction_open),
                cmocka_unit_test(timers_run_on_its_clock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
