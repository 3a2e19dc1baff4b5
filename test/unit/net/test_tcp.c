// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "conn.h"
#include "tcp.h"

static int option_of(int fd, int level, int option) {
        int value = -1;
        socklen_t n = sizeof value;

        assert_int_equal(getsockopt(fd, level, option, &value, &n), 0);
        return value;
}

/* Whether this host has ::1. */
static bool has_v6(void) {
        struct err_note note;
        int fd;

        if (tcp_listen("[::1]:0", &fd, &note))
                return false;
        tcp_close(fd);
        return true;
}

struct wire {
        int listener, client, server;
        struct tcp_address at, peer;
};

static struct wire open_wire(const char *address, const char *host) {
        struct err_note note = {0};
        struct wire wire;
        char to[TCP_ADDRESS_SIZE];

        assert_ok(tcp_listen(address, &wire.listener, &note));
        assert_ok(tcp_accept(wire.listener, &wire.server, &wire.peer, &note));
        assert_int_equal(wire.server, -1);
        assert_ok(tcp_address_of(wire.listener, &wire.at, &note));
        snprintf(to, sizeof to, "%s%s", host, strrchr(wire.at.s, ':'));
        assert_ok(tcp_connect(to, &wire.client, &note));
        assert_true(poll(&(struct pollfd){.fd = wire.listener, .events = POLLIN}, 1, 10000) == 1);
        assert_ok(tcp_accept(wire.listener, &wire.server, &wire.peer, &note));
        assert_true(wire.server >= 0);
        return wire;
}

static void close_wire(const struct wire *wire) {
        tcp_close(wire->listener);
        tcp_close(wire->client);
        tcp_close(wire->server);
}

static void check_talk(const struct wire *wire) {
        char byte = 0;

        assert_int_equal(write(wire->client, "x", 1), 1);
        assert_true(poll(&(struct pollfd){.fd = wire->server, .events = POLLIN}, 1, 10000) == 1);
        assert_int_equal(read(wire->server, &byte, 1), 1);
        assert_int_equal(byte, 'x');
}

static void two_talk_and_each_knows_the_others_address(void **state) {
        struct wire wire = open_wire("127.0.0.1:0", "127.0.0.1");
        struct err_note note = {0};
        struct tcp_address client;

        (void)state;
        check_talk(&wire);
        assert_true(strncmp(wire.at.s, "127.0.0.1:", 10) == 0 && strcmp(wire.at.s + 10, "0") != 0);
        assert_ok(tcp_address_of(wire.client, &client, &note));
        assert_string_equal(client.s, wire.peer.s);
        close_wire(&wire);
}

static void v6_is_written_in_brackets(void **state) {
        struct wire wire;

        (void)state;
        if (!has_v6())
                skip_because("this host has no IPv6");
        wire = open_wire("[::1]:0", "[::1]");
        check_talk(&wire);
        assert_true(strncmp(wire.at.s, "[::1]:", 6) == 0);
        assert_true(strncmp(wire.peer.s, "[::1]:", 6) == 0);
        close_wire(&wire);
}

static void without_a_host_all_addresses_are_heard(void **state) {
        struct wire wire = open_wire(":0", "127.0.0.1");

        (void)state;
        check_talk(&wire);
        close_wire(&wire);
        if (!has_v6())
                return;
        wire = open_wire(":0", "[::1]");
        check_talk(&wire);
        close_wire(&wire);
}

static void what_waits_in_the_kernel_is_shared_by_those_who_are_there(void **state) {
        const struct tcp_unsent unsent = {.together = 32 << 20, .least = 128 << 10, .most = 1 << 20};
        const struct tcp_unsent own_choice = {0};
        uint64_t all = 0;

        (void)state;
        assert_int_equal(tcp_unsent_share(&unsent, 1), 1 << 20);
        assert_int_equal(tcp_unsent_share(&unsent, 32), 1 << 20);
        assert_int_equal(tcp_unsent_share(&unsent, 64), 512 << 10);
        assert_int_equal(tcp_unsent_share(&unsent, 256), 128 << 10);
        assert_int_equal(tcp_unsent_share(&unsent, 16384), 128 << 10);
        for (unsigned n = 1; n <= 500; n++)
                all += tcp_unsent_share(&unsent, n);
        assert_true(all <= 130 << 20);
        assert_int_equal(tcp_unsent_share(&own_choice, 7), 0);
}

static void connections_are_set_up_as_promised(void **state) {
        struct wire wire = open_wire("localhost:0", "127.0.0.1");
        const int fds[] = {wire.client, wire.server};
        struct tcp_options options = {.no_delay = false, .idle_s = 0, .unsent_max = 65536};
        struct err_note note = {0};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(option_of(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
                assert_int_equal(option_of(fds[i], SOL_SOCKET, SO_KEEPALIVE), 1);
                assert_int_equal(option_of(fds[i], IPPROTO_TCP, TCP_KEEPIDLE), 60);
                assert_int_equal(option_of(fds[i], IPPROTO_TCP, TCP_KEEPINTVL), 15);
                assert_int_equal(option_of(fds[i], IPPROTO_TCP, TCP_KEEPCNT), 8);
                assert_int_equal(option_of(fds[i], IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
                assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
                assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        }
        assert_int_equal(option_of(wire.listener, SOL_SOCKET, SO_REUSEADDR), 1);
        assert_true(fcntl(wire.listener, F_GETFL) & O_NONBLOCK);
        assert_ok(tcp_tune(wire.client, &options, &note));
        assert_int_equal(option_of(wire.client, IPPROTO_TCP, TCP_NODELAY), 0);
        assert_int_equal(option_of(wire.client, SOL_SOCKET, SO_KEEPALIVE), 0);
        assert_int_equal(option_of(wire.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 65536);
        close_wire(&wire);
}

/* A server that is started anew: connections of the one before are still in TIME_WAIT. */
static void a_port_that_was_just_left_is_free(void **state) {
        struct wire wire = open_wire("127.0.0.1:0", "127.0.0.1");
        struct err_note note = {0};
        char byte;
        int again;

        (void)state;
        tcp_close(wire.server); /* who closes first keeps it */
        assert_true(poll(&(struct pollfd){.fd = wire.client, .events = POLLIN}, 1, 10000) == 1);
        assert_int_equal(read(wire.client, &byte, 1), 0);
        tcp_close(wire.client);
        tcp_close(wire.listener);
        assert_ok(tcp_listen(wire.at.s, &again, &note));
        tcp_close(again);
}

static void what_cannot_be_listened_on_is_refused_with_what_to_do(void **state) {
        struct err_note note = {0};
        struct tcp_address at;
        int fd, other;

        (void)state;
        assert_ok(tcp_listen("127.0.0.1:0", &fd, &note));
        assert_ok(tcp_address_of(fd, &at, &note));
        assert_err(tcp_listen(at.s, &other, &note), ERR_BUSY, "another program has the port; end it, or");
        assert_non_null(strstr(note.text, at.s));
        tcp_close(fd);
        assert_err(tcp_listen("192.0.2.1:0", &fd, &note), ERR_NOT_FOUND, "this host has no such address");
        assert_err(tcp_listen("no.such.host.invalid:1", &fd, &note), ERR_NOT_FOUND, "look up no.such");
}

static void half_a_server_is_none(void **state) {
        struct err_note note = {0};
        struct tcp_address at;
        int v6, fd;
        char any[TCP_ADDRESS_SIZE];

        (void)state;
        if (!has_v6())
                skip_because("this host has no IPv6");
        assert_ok(tcp_listen("[::1]:0", &v6, &note));
        assert_ok(tcp_address_of(v6, &at, &note));
        snprintf(any, sizeof any, "%s", strrchr(at.s, ':'));
        assert_err(tcp_listen(any, &fd, &note), ERR_BUSY, "another program has the port");
        tcp_close(v6);
}

static void what_is_no_address_is_refused(void **state) {
        static const char *const bad[] = {
                "",      "10809",     "127.0.0.1", "host:", "host:x",  "host:65536",
                "::1:5", "[::1]5:10", "[::1",      "[:5",   "host:-1", "host:99999999999999999999",
        };
        struct err_note note = {0};
        int fd;

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                assert_err(tcp_listen(bad[i], &fd, &note), ERR_INVALID, "no address: write HOST:PORT");
                assert_err(tcp_connect(bad[i], &fd, &note), ERR_INVALID, "no address");
        }
        assert_err(tcp_connect(":1", &fd, &note), ERR_INVALID, "has no host");
}

/* ---- under a conn ---- */

struct told {
        struct conn *conn; /* borrowed from the test */
        struct err_note why;
        unsigned n_ended;
};

static void on_got(void *user) {
        (void)user;
}

static void on_ended(void *user, const struct err_note *why) {
        struct told *told = user;

        told->why = *why;
        told->n_ended++;
}

static void who_connects_where_nobody_listens_is_told_by_the_connection(void **state) {
        struct io *io = io_posix_new();
        AUTO(loop_free) struct loop *loop = NULL;
        struct err_note note = {0};
        struct tcp_address at;
        struct told told = {0};
        struct conn_options options = {
                .in_max = 100, .out_max = 100, .got = on_got, .ended = on_ended, .user = &told};
        int fd, listener;
        enum err failed;

        (void)state;
        assert_ok(tcp_listen("127.0.0.1:0", &listener, &note));
        assert_ok(tcp_address_of(listener, &at, &note));
        tcp_close(listener);
        assert_ok(loop_new(io, &loop, &note));
        failed = tcp_connect(at.s, &fd, &note);
        if (failed) { /* the kernel may know at once */
                assert_int_equal(failed, ERR_CLOSED);
        } else {
                assert_ok(conn_new(loop, fd, &options, &told.conn, &note));
                for (unsigned i = 0; i < 1000 && told.n_ended == 0; i++)
                        loop_round(loop, 10000000);
                assert_int_equal(told.n_ended, 1);
                assert_int_equal(told.why.code, ERR_CLOSED);
                conn_free(told.conn);
        }
        loop_free(TAKE(loop));
        io_free(io);
}

static void who_aborts_is_no_end(void **state) {
        (void)state;
        for (unsigned aborts = 0; aborts < 2; aborts++) {
                struct wire wire = open_wire("127.0.0.1:0", "127.0.0.1");
                struct io *io = io_posix_new();
                struct loop *loop;
                struct conn *conn;
                struct told told = {0};
                struct conn_options options = {
                        .in_max = 100, .out_max = 100, .got = on_got, .ended = on_ended, .user = &told};
                struct err_note note = {0};
                char byte;

                assert_ok(loop_new(io, &loop, &note));
                assert_ok(conn_new(loop, wire.server, &options, &conn, &note));
                (aborts ? conn_abort : conn_free)(conn);
                assert_true(poll(&(struct pollfd){.fd = wire.client, .events = POLLIN}, 1, 10000) == 1);
                assert_int_equal(read(wire.client, &byte, 1), aborts ? -1 : 0);
                tcp_close(wire.client);
                tcp_close(wire.listener);
                loop_free(loop);
                io_free(io);
        }
}

static void what_the_other_side_has_not_taken_is_seen(void **state) {
        struct wire wire = open_wire("127.0.0.1:0", "127.0.0.1");
        AUTO_FREE char *much = calloc(1, 64 << 20);

        (void)state;
        assert_int_equal(tcp_look(STDIN_FILENO).n_unacked, 0);
        assert_int_equal(tcp_look(wire.client).n_unacked, 0);
        assert_true(write(wire.client, much, 64 << 20) > 0); /* more than both kernels hold */
        assert_true(tcp_look(wire.client).n_unacked > 0);
        close_wire(&wire);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_talk_and_each_knows_the_others_address),
                cmocka_unit_test(v6_is_written_in_brackets),
                cmocka_unit_test(without_a_host_all_addresses_are_heard),
                cmocka_unit_test(what_waits_in_the_kernel_is_shared_by_those_who_are_there),
                cmocka_unit_test(connections_are_set_up_as_promised),
                cmocka_unit_test(a_port_that_was_just_left_is_free),
                cmocka_unit_test(what_cannot_be_listened_on_is_refused_with_what_to_do),
                cmocka_unit_test(half_a_server_is_none),
                cmocka_unit_test(what_is_no_address_is_refused),
                cmocka_unit_test(who_connects_where_nobody_listens_is_told_by_the_connection),
                cmocka_unit_test(who_aborts_is_no_end),
                cmocka_unit_test(what_the_other_side_has_not_taken_is_seen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
