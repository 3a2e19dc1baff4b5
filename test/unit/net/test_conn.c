// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "conn.h"
#include "local.h"

enum { IN_MAX = 1000, OUT_MAX = 300000 };

/* A connection, and what was told of it. */
struct side {
        struct conn *conn; /* owned; NULL: freed */
        struct buf got;
        bool skips, frees_when_got, frees_when_ended;
        unsigned n_got, n_drained, n_ended;
        struct err_note why;
};

struct pair {
        struct io *io;     /* owned */
        struct loop *loop; /* owned */
        struct side a, b;
        int raw; /* the other end of a alone; -1: b is it */
};

static void on_got(void *user) {
        struct side *side = user;
        size_t n;
        const uint8_t *data = conn_peek(side->conn, &n);

        side->n_got++;
        if (side->skips) {
                buf_add(&side->got, data, n);
                conn_skip(side->conn, n);
        }
        if (side->frees_when_got)
                conn_free(TAKE(side->conn));
}

static void on_drained(void *user) {
        ((struct side *)user)->n_drained++;
}

static void on_ended(void *user, const struct err_note *why) {
        struct side *side = user;

        side->n_ended++;
        side->why = *why;
        if (side->frees_when_ended)
                conn_free(TAKE(side->conn));
}

static void open_side(struct pair *pair, struct side *side, int fd) {
        struct conn_options options = {.in_max = IN_MAX,
                                       .out_max = OUT_MAX,
                                       .got = on_got,
                                       .drained = on_drained,
                                       .ended = on_ended,
                                       .user = side};
        struct err_note note = {0};

        side->skips = true;
        assert_ok(conn_new(pair->loop, fd, &options, &side->conn, &note));
}

static struct pair *new_pair(bool is_raw) {
        struct pair *pair = calloc(1, sizeof *pair);
        struct err_note note = {0};
        int fds[2];

        pair->io = io_posix_new();
        assert_ok(loop_new(pair->io, &pair->loop, &note));
        assert_ok(local_pair(fds, &note));
        open_side(pair, &pair->a, fds[0]);
        pair->raw = is_raw ? fds[1] : -1;
        if (!is_raw)
                open_side(pair, &pair->b, fds[1]);
        return pair;
}

static int set_up(void **state) {
        *state = new_pair(false);
        return 0;
}

static int set_up_raw(void **state) {
        *state = new_pair(true);
        return 0;
}

static void close_side(struct side *side) {
        if (side->conn)
                conn_free(TAKE(side->conn));
        buf_fini(&side->got);
}

static int tear_down(void **state) {
        struct pair *pair = *state;

        close_side(&pair->a);
        close_side(&pair->b);
        if (pair->raw >= 0)
                close(pair->raw);
        loop_free(pair->loop);
        io_free(pair->io);
        free(pair);
        return 0;
}

static void turn_rounds(struct pair *pair, unsigned n) {
        while (n-- > 0)
                loop_round(pair->loop, 0);
}

/* ---- bytes ---- */

static void bytes_arrive_in_order_however_many(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO(buf_fini) struct buf sent = {0};

        for (unsigned i = 0; i < 200; i++) {
                uint8_t piece[1000];

                for (unsigned k = 0; k < sizeof piece; k++)
                        piece[k] = (uint8_t)(i * 7 + k);
                buf_add(&sent, piece, sizeof piece);
                assert_ok(conn_send(pair->a.conn, piece, sizeof piece, &note));
        }
        for (unsigned i = 0; i < 1000 && pair->b.got.n < sent.n; i++)
                turn_rounds(pair, 1);
        assert_int_equal(pair->b.got.n, sent.n);
        assert_memory_equal(pair->b.got.data, sent.data, sent.n);
        assert_int_equal(conn_unsent(pair->a.conn), 0);
        assert_int_equal(conn_n_sent(pair->a.conn), sent.n);
        assert_true(pair->a.n_drained >= 1);
}

static void no_more_is_held_than_was_agreed(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = calloc(1, OUT_MAX);
        size_t n;

        pair->b.skips = false;
        assert_ok(conn_send(pair->a.conn, data, 50000, &note));
        turn_rounds(pair, 50);
        (void)conn_peek(pair->b.conn, &n);
        assert_int_equal(n, IN_MAX);
        assert_true(conn_is_full(pair->b.conn));
        /* Some room: just so much more comes. */
        conn_skip(pair->b.conn, 10);
        turn_rounds(pair, 50);
        (void)conn_peek(pair->b.conn, &n);
        assert_int_equal(n, IN_MAX);
        pair->b.skips = true;
        conn_skip(pair->b.conn, n);
        turn_rounds(pair, 200);
        assert_int_equal(pair->b.got.n, 50000 - 10 - n);
}

static void who_does_not_read_is_not_sent_more_than_was_agreed(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        uint8_t piece[1000] = {0}, room[5000];
        enum err failed = ERR_NONE;
        size_t arrived = 0;
        unsigned n = 0;

        while (!failed && n++ < 100000) {
                failed = conn_send(pair->a.conn, piece, sizeof piece, &note);
                assert_true(conn_unsent(pair->a.conn) <= OUT_MAX);
        }
        assert_err(failed, ERR_TOO_LARGE, "has not read");
        /* What was refused was not sent in part: all that was taken arrives, and no more. */
        for (unsigned i = 0; i < 10000 && conn_unsent(pair->a.conn) > 0; i++) {
                ssize_t some = read(pair->raw, room, sizeof room);

                arrived += some > 0 ? (size_t)some : 0;
                turn_rounds(pair, 1);
        }
        for (ssize_t some; (some = read(pair->raw, room, sizeof room)) > 0;)
                arrived += (size_t)some;
        assert_int_equal(arrived, (n - 1) * sizeof piece);
        assert_int_equal(pair->a.n_ended, 0);
}

/* As many as the socket takes, and not one of them is held here. */
static void what_is_offered_stays_the_senders_until_it_is_taken(void **state) {
        enum { N = 1 << 20 };
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = malloc(N);
        size_t at = 0, taken = 0;
        unsigned n_short = 0;

        for (unsigned i = 0; i < N; i++)
                data[i] = (uint8_t)(i * 31 + i / 251);
        assert_ok(conn_send(pair->a.conn, data, 100, &note));
        at = 100;
        while (at < N) {
                size_t middle = at + (N - at) / 3;
                struct iovec vec[3] = {{data + at, middle - at}, {data, 0}, {data + middle, N - middle}};
                unsigned n_drained = pair->a.n_drained;

                assert_ok(conn_offer(pair->a.conn, vec, 3, &taken, &note));
                assert_int_equal(conn_unsent(pair->a.conn), 0);
                at += taken;
                if (at == N)
                        break;
                n_short++;
                for (unsigned i = 0; i < 10000 && pair->a.n_drained == n_drained; i++)
                        turn_rounds(pair, 1);
                assert_true(pair->a.n_drained > n_drained);
        }
        for (unsigned i = 0; i < 10000 && pair->b.got.n < N; i++)
                turn_rounds(pair, 1);
        assert_true(n_short > 0);
        assert_int_equal(pair->b.got.n, N);
        assert_memory_equal(pair->b.got.data, data, N);
        assert_int_equal(conn_n_sent(pair->a.conn), N);
}

static void nothing_offered_goes_before_what_was_sent(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = calloc(1, OUT_MAX);
        struct iovec vec = {data, 1};
        size_t taken = 77;

        for (unsigned i = 0; i < 1000 && conn_unsent(pair->a.conn) == 0; i++)
                assert_ok(conn_send(pair->a.conn, data, OUT_MAX / 2, &note));
        assert_ok(conn_offer(pair->a.conn, &vec, 1, &taken, &note));
        assert_int_equal(taken, 0);
}

static void an_offer_to_one_who_is_gone_is_told_as_the_end(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        uint8_t byte = 1;
        struct iovec vec = {&byte, 1};
        size_t taken = 77;

        conn_free(TAKE(pair->b.conn));
        assert_ok(conn_offer(pair->a.conn, &vec, 1, &taken, &note));
        assert_int_equal(taken, 0);
        for (unsigned i = 0; i < 100 && pair->a.n_ended == 0; i++)
                turn_rounds(pair, 1);
        assert_int_equal(pair->a.n_ended, 1);
        assert_err(conn_offer(pair->a.conn, &vec, 1, &taken, &note), ERR_CLOSED, "at its end");
}

static void one_message_may_not_be_larger_than_all_room(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = calloc(1, OUT_MAX + 1);

        assert_err(conn_send(pair->a.conn, data, OUT_MAX + 1, &note), ERR_TOO_LARGE, "send");
        assert_int_equal(conn_unsent(pair->a.conn), 0);
}

/* ---- the end ---- */

static void what_came_is_shown_before_the_end_is_told(void **state) {
        struct pair *pair = *state;

        AUTO_FREE uint8_t *data = calloc(1, 5 * IN_MAX);

        assert_int_equal(write(pair->raw, data, 5 * IN_MAX), 5 * IN_MAX);
        close(pair->raw);
        pair->raw = -1;
        turn_rounds(pair, 10);
        assert_int_equal(pair->a.got.n, 5 * IN_MAX);
        assert_int_equal(pair->a.n_ended, 1);
        assert_int_equal(pair->a.why.code, ERR_CLOSED);
}

static void who_does_not_skip_is_told_of_the_end_all_the_same(void **state) {
        struct pair *pair = *state;
        uint8_t data[IN_MAX + 500] = {0};

        pair->a.skips = false;
        assert_int_equal(write(pair->raw, data, sizeof data), sizeof data);
        turn_rounds(pair, 5);
        assert_int_equal(pair->a.n_ended, 0);
        close(pair->raw);
        pair->raw = -1;
        turn_rounds(pair, 5);
        assert_int_equal(pair->a.n_ended, 1);
}

static void sending_to_who_is_gone_is_an_error_or_an_end(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};

        close(pair->raw);
        pair->raw = -1;
        assert_ok(conn_send(pair->a.conn, "x", 1, &note));
        turn_rounds(pair, 3);
        assert_int_equal(pair->a.n_ended, 1);
        assert_err(conn_send(pair->a.conn, "x", 1, &note), ERR_CLOSED, "gone");
        turn_rounds(pair, 3);
        assert_int_equal(pair->a.n_ended, 1);
}

static void a_callback_may_free_the_connection(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};

        pair->b.frees_when_got = true;
        pair->a.frees_when_ended = true;
        assert_ok(conn_send(pair->a.conn, "x", 1, &note));
        turn_rounds(pair, 5);
        assert_null(pair->b.conn);
        assert_null(pair->a.conn);
        assert_int_equal(pair->b.n_ended, 0);
}

static void who_finishes_is_read_to_an_end_and_goes_on_hearing(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = calloc(1, OUT_MAX);
        uint8_t room[5000];
        size_t arrived = 0;
        ssize_t some = 1;

        assert_ok(conn_send(pair->a.conn, data, OUT_MAX, &note));
        assert_true(conn_unsent(pair->a.conn) > 0);
        conn_finish(pair->a.conn);
        assert_err(conn_send(pair->a.conn, "x", 1, &note), ERR_CLOSED, "the end was said");
        for (unsigned i = 0; i < 10000 && some != 0; i++) {
                some = read(pair->raw, room, sizeof room);
                arrived += some > 0 ? (size_t)some : 0;
                turn_rounds(pair, 1);
        }
        assert_int_equal(some, 0);
        assert_int_equal(arrived, OUT_MAX);
        assert_int_equal(write(pair->raw, "answer", 6), 6);
        turn_rounds(pair, 3);
        assert_int_equal(pair->a.got.n, 6);
        assert_int_equal(pair->a.n_ended, 0);
        close(pair->raw);
        pair->raw = -1;
        turn_rounds(pair, 3);
        assert_int_equal(pair->a.n_ended, 1);
        assert_int_equal(pair->a.why.code, ERR_CLOSED);
}

/* ---- descriptors ---- */

static bool is_same_file(int a, int b) {
        struct stat one, other;

        assert_int_equal(fstat(a, &one), 0);
        assert_int_equal(fstat(b, &other), 0);
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static void descriptors_arrive_with_the_bytes_they_were_sent_with(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        int pipes[2], got;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_ok(conn_send(pair->a.conn, "before", 6, &note));
        assert_ok(conn_send_fds(pair->a.conn, "with", 4, pipes, 2, &note));
        turn_rounds(pair, 5);
        assert_int_equal(pair->b.got.n, 10);
        for (unsigned i = 0; i < 2; i++) {
                got = conn_take_fd(pair->b.conn);
                assert_true(got >= 0 && got != pipes[i]);
                assert_true(is_same_file(got, pipes[i]));
                assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
                close(got);
                close(pipes[i]);
        }
        assert_int_equal(conn_take_fd(pair->b.conn), -1);
}

static void descriptors_wait_with_bytes_that_wait(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = calloc(1, OUT_MAX);
        int pipes[2], got = -1;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pair->b.skips = false;
        assert_ok(conn_send(pair->a.conn, data, OUT_MAX - 10, &note));
        assert_true(conn_unsent(pair->a.conn) > 0);
        assert_ok(conn_send_fds(pair->a.conn, "!", 1, pipes, 1, &note));
        close(pipes[0]); /* the connection has its own */
        turn_rounds(pair, 10);
        assert_int_equal(conn_take_fd(pair->b.conn), -1);
        pair->b.skips = true;
        conn_skip(pair->b.conn, IN_MAX);
        for (unsigned i = 0; i < 2000 && pair->b.got.n < OUT_MAX - 10 + 1 - IN_MAX; i++) {
                turn_rounds(pair, 1);
                if (pair->b.got.n > 0 && pair->b.got.data[pair->b.got.n - 1] != '!')
                        assert_int_equal(conn_take_fd(pair->b.conn), -1);
        }
        assert_int_equal(pair->b.got.data[pair->b.got.n - 1], '!');
        got = conn_take_fd(pair->b.conn);
        assert_true(is_same_file(got, pipes[1]));
        close(got);
        close(pipes[1]);
}

static void descriptors_that_nobody_takes_are_closed(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        int pipes[2];
        char byte;

        assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
        assert_ok(conn_send_fds(pair->a.conn, "x", 1, &pipes[1], 1, &note));
        close(pipes[1]);
        turn_rounds(pair, 5);
        assert_int_equal(read(pipes[0], &byte, 1), -1); /* it is open over there */
        conn_free(TAKE(pair->b.conn));
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        close(pipes[0]);
}

static void more_descriptors_than_there_is_room_for_end_it(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        int fds[CONN_FDS_MAX];

        for (unsigned i = 0; i < CONN_FDS_MAX; i++)
                fds[i] = STDERR_FILENO;
        pair->b.frees_when_ended = true;
        assert_ok(conn_send_fds(pair->a.conn, "x", 1, fds, CONN_FDS_MAX, &note));
        turn_rounds(pair, 5);
        assert_int_equal(pair->b.n_ended, 0);
        assert_ok(conn_send_fds(pair->a.conn, "x", 1, fds, 1, &note));
        turn_rounds(pair, 5);
        assert_int_equal(pair->b.n_ended, 1);
        assert_int_equal(pair->b.why.code, ERR_TOO_LARGE);
}

static void a_descriptor_that_is_none_is_refused(void **state) {
        struct pair *pair = *state;
        struct err_note note = {0};
        int fds[2] = {STDERR_FILENO, -1};

        assert_err(conn_send_fds(pair->a.conn, "x", 1, fds, 2, &note), ERR_INVALID, "send descriptor -1");
        assert_ok(conn_send(pair->a.conn, "y", 1, &note));
        turn_rounds(pair, 3);
        assert_int_equal(conn_take_fd(pair->b.conn), -1);
}

/* ---- another hears ---- */

/* What lies there unread is the new one's to look at; nobody is told of it again. */
static void another_may_hear_it_from_now_on(void **state) {
        struct pair *pair = *state;
        struct side other = {.skips = true, .conn = pair->b.conn};
        struct conn_options options = {
                .in_max = 20, .out_max = 20, .got = on_got, .ended = on_ended, .user = &other};
        struct err_note note = {0};
        size_t n;

        pair->b.skips = false;
        assert_ok(conn_send(pair->a.conn, "before", 6, &note));
        turn_rounds(pair, 5);
        conn_set_options(pair->b.conn, &options);
        turn_rounds(pair, 5);
        assert_int_equal(other.n_got, 0);
        assert_memory_equal(conn_peek(pair->b.conn, &n), "before", 6);
        assert_ok(conn_send(pair->a.conn, " and after, more than fits", 26, &note));
        turn_rounds(pair, 50);
        assert_int_equal(other.got.n, 32);
        assert_memory_equal(other.got.data, "before and after, more than fits", 32);
        assert_int_equal(pair->b.n_got, 1);
        assert_err(conn_send(pair->b.conn, "more than fits in there", 23, &note), ERR_TOO_LARGE, "");
        conn_free(TAKE(pair->a.conn));
        turn_rounds(pair, 5);
        assert_int_equal(other.n_ended, 1);
        assert_int_equal(pair->b.n_ended, 0);
        buf_fini(&other.got);
}

/* Of what lies there nothing is given back. */
static void the_memory_of_a_burst_is_given_back_and_no_byte_is_lost(void **state) {
        enum { N = 100000 };
        struct pair *pair = *state;
        struct err_note note = {0};
        AUTO_FREE uint8_t *data = malloc(N);

        for (size_t i = 0; i < N; i++)
                data[i] = (uint8_t)(i * 7 + i / 251);
        assert_ok(conn_send(pair->a.conn, data, N, &note));
        for (unsigned i = 0; i < 1000 && pair->b.got.n < N; i++) {
                pair->b.skips = i % 3 != 0;
                conn_rest(pair->a.conn);
                conn_rest(pair->b.conn);
                turn_rounds(pair, 1);
                if (pair->b.skips)
                        on_got(&pair->b);
        }
        assert_int_equal(pair->b.got.n, N);
        assert_memory_equal(pair->b.got.data, data, N);
}

int main(void) {
#define CASE(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_RAW(name) cmocka_unit_test_setup_teardown(name, set_up_raw, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(bytes_arrive_in_order_however_many),
                CASE(another_may_hear_it_from_now_on),
                CASE(the_memory_of_a_burst_is_given_back_and_no_byte_is_lost),
                CASE(no_more_is_held_than_was_agreed),
                CASE_RAW(who_does_not_read_is_not_sent_more_than_was_agreed),
                CASE(what_is_offered_stays_the_senders_until_it_is_taken),
                CASE(nothing_offered_goes_before_what_was_sent),
                CASE(an_offer_to_one_who_is_gone_is_told_as_the_end),
                CASE(one_message_may_not_be_larger_than_all_room),
                CASE_RAW(what_came_is_shown_before_the_end_is_told),
                CASE_RAW(who_does_not_skip_is_told_of_the_end_all_the_same),
                CASE_RAW(sending_to_who_is_gone_is_an_error_or_an_end),
                CASE(a_callback_may_free_the_connection),
                CASE_RAW(who_finishes_is_read_to_an_end_and_goes_on_hearing),
                CASE(descriptors_arrive_with_the_bytes_they_were_sent_with),
                CASE(descriptors_wait_with_bytes_that_wait),
                CASE(descriptors_that_nobody_takes_are_closed),
                CASE(more_descriptors_than_there_is_room_for_end_it),
                CASE(a_descriptor_that_is_none_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
