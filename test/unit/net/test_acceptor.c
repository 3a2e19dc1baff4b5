// SPDX-License-Identifier: Apache-2.0
/* Real sockets, and reactors with threads; an HTTP server behind it, since that is what it is for. */
#include "check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "acceptor.h"
#include "http_server.h"
#include "io/temp_dir.h"
#include "local.h"
#include "mem.h"

enum { REACTORS = 2, N_MAX = 5, CLIENTS = 6, REQUESTS = 40 };

struct scene {
        char *folder, *path;        /* owned */
        struct io *io;              /* owned */
        struct loop *loop;          /* owned */
        struct reactors *reactors;  /* owned */
        struct http_server *server; /* owned */
        struct acceptor *acceptor;  /* owned */
        struct http_route routes[3];
        struct tcp_address at;
        atomic_bool stop;
        atomic_int unsent_max;
        atomic_uint n_logged;
};

/* ---- the server ---- */

static void begin(void *user, struct http_exchange *exchange) {
        (void)user;
        http_answer_text(exchange, 200, "text/plain", http_head(exchange)->path);
}

/* In the middle of an upload. */
static void begin_refusal(void *user, struct http_exchange *exchange) {
        (void)user;
        http_answer_text(exchange, 507, "text/plain", "the SR is full\n");
}

static void begin_abort(void *user, struct http_exchange *exchange) {
        struct err_note note;

        (void)user;
        http_answer(exchange, &(struct http_answer){.status = 200, .length = HTTP_UNTIL_CLOSE});
        if (!http_send(exchange, "half of a disk", 14, &note))
                http_abort(exchange);
}

static void on_come(void *user, struct loop *loop, const struct arrival *arrival) {
        struct scene *s = user;
        int value = 0;
        socklen_t n = sizeof value;

        if (getsockopt(arrival->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &n) == 0)
                atomic_store(&s->unsent_max, value);
        http_server_come(s->server, loop, arrival);
}

static void on_log(void *user, const char *text) {
        struct scene *s = user;

        (void)text;
        atomic_fetch_add(&s->n_logged, 1);
}

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct acceptor_options options = {.n_max = N_MAX,
                                           .unsent = {.together = 1 << 20, .least = 4096, .most = 65536},
                                           .come = on_come,
                                           .user = s,
                                           .log = on_log,
                                           .log_user = s};
        struct http_server_options of_server = {.routes = s->routes, .n_routes = 3, .log = on_log, .user = s};
        struct err_note note = {0};

        s->folder = temp_dir_new();
        s->path = mem_format("%s/sock", s->folder);
        s->io = io_posix_new();
        s->routes[0] = (struct http_route){"/", HTTP_GET, begin, s};
        s->routes[1] = (struct http_route){"/refusal", HTTP_PUT, begin_refusal, s};
        s->routes[2] = (struct http_route){"/abort", HTTP_GET, begin_abort, s};
        assert_ok(loop_new(s->io, &s->loop, &note));
        assert_ok(reactors_new(s->io, REACTORS, &s->reactors, &note));
        assert_ok(http_server_new(&of_server, &s->server, &note));
        options.loop = s->loop;
        options.reactors = s->reactors;
        s->acceptor = acceptor_new(&options);
        assert_ok(acceptor_listen_tcp(s->acceptor, "127.0.0.1:0", &s->at, &note));
        assert_ok(acceptor_listen_unix(s->acceptor, s->path, &note));
        *state = s;
        return 0;
}

static void stop(struct scene *s) {
        acceptor_stop(s->acceptor);
        if (s->server)
                http_server_free(TAKE(s->server));
}

static int tear_down(void **state) {
        struct scene *s = *state;

        stop(s);
        acceptor_free(s->acceptor);
        reactors_free(s->reactors);
        loop_free(s->loop);
        io_free(s->io);
        temp_dir_free(s->folder);
        free(s->path);
        free(s);
        return 0;
}

static void turn(struct scene *s) {
        for (unsigned i = 0; i < 20; i++)
                (void)loop_round(s->loop, 2000000);
}

/* ---- clients, which wait ---- */

static int dial_unix(const struct scene *s) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(at.sun_path, sizeof at.sun_path, "%s", s->path);
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        return fd;
}

static int dial_tcp(const struct scene *s) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        at.sin_port = htons((uint16_t)strtoul(strrchr(s->at.s, ':') + 1, NULL, 10));
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        return fd;
}

/* False: the other side is gone. */
static bool ask(int fd) {
        static const char text[] = "GET /abc HTTP/1.1\r\n\r\n";
        char heard[1000] = "";
        size_t n = 0;

        if (send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0)
                return false;
        while (!strstr(heard, "\r\n\r\n/abc")) {
                ssize_t some = recv(fd, heard + n, sizeof heard - 1 - n, 0);

                if (some <= 0)
                        return false;
                n += (size_t)some;
        }
        return true;
}

static void who_comes_by_either_way_is_answered(void **state) {
        struct scene *s = *state;
        int fds[2] = {dial_unix(s), dial_tcp(s)};

        turn(s);
        for (unsigned i = 0; i < 2; i++) {
                assert_true(ask(fds[i]));
                assert_true(ask(fds[i]));
        }
        /* One each. */
        for (unsigned i = 0; i < REACTORS; i++)
                assert_int_equal(reactor_n(reactors_at(s->reactors, i)), 1);
        assert_int_equal(atomic_load(&s->unsent_max), 65536);
        for (unsigned i = 0; i < 2; i++)
                local_close(fds[i]);
}

static void more_than_so_many_wait_until_one_goes(void **state) {
        struct scene *s = *state;
        int fds[2 * N_MAX];

        for (unsigned i = 0; i < 2 * N_MAX; i++)
                fds[i] = dial_unix(s);
        turn(s);
        for (unsigned i = 0; i < N_MAX; i++)
                assert_true(ask(fds[i]));
        assert_int_equal(http_server_n_connections(s->server), N_MAX);
        for (unsigned i = 0; i < N_MAX; i++) {
                local_close(fds[i]);
                turn(s);
                assert_true(ask(fds[i + N_MAX]));
        }
        for (unsigned i = N_MAX; i < 2 * N_MAX; i++)
                local_close(fds[i]);
}

static void nobody_is_let_in_after_the_stop(void **state) {
        struct scene *s = *state;
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd = dial_unix(s), late = dial_unix(s);

        turn(s);
        assert_true(ask(fd));
        stop(s);
        assert_false(ask(fd));
        assert_false(ask(late));
        local_close(fd);
        local_close(late);
        assert_int_equal(access(s->path, F_OK), -1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(at.sun_path, sizeof at.sun_path, "%s", s->path);
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), -1);
        local_close(fd);
}

static void a_port_that_is_taken_is_an_error(void **state) {
        struct scene *s = *state;
        struct tcp_address at;
        struct err_note note = {0};

        assert_err(acceptor_listen_tcp(s->acceptor, s->at.s, &at, &note), ERR_BUSY, "another program");
        assert_err(acceptor_listen_unix(s->acceptor, s->path, &note), ERR_BUSY, "");
}

/* ---- what only TCP does ---- */

/* As recv's last: 0 at an end. */
static ssize_t hear_all(int fd, char *ret, size_t room) {
        size_t n = 0;

        for (;;) {
                ssize_t some = recv(fd, ret + n, room - 1 - n, 0);

                if (some <= 0) {
                        ret[n] = 0;
                        return some;
                }
                n += (size_t)some;
        }
}

/* What comes for a socket that was closed is answered with a reset, and a reset takes with it what was not
 * read. */
static void who_reads_only_when_all_is_sent_gets_an_early_answer(void **state) {
        static const char head[] = "PUT /refusal HTTP/1.1\r\nContent-Length: 1125899906842624\r\n\r\n";
        static uint8_t piece[1 << 20];
        struct scene *s = *state;
        char heard[1000];
        int fd = dial_tcp(s);

        turn(s);
        assert_int_equal(send(fd, head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
        for (unsigned i = 0; i < 50; i++)
                assert_int_equal(send(fd, piece, sizeof piece, MSG_NOSIGNAL), sizeof piece);
        assert_int_equal(hear_all(fd, heard, sizeof heard), 0);
        assert_non_null(strstr(heard, "HTTP/1.1 507 "));
        assert_non_null(strstr(heard, "the SR is full\n"));
        local_close(fd);
}

static void an_aborted_answer_ends_in_a_reset(void **state) {
        static const char text[] = "GET /abort HTTP/1.1\r\n\r\n";
        struct scene *s = *state;
        char heard[1000];
        int fd = dial_tcp(s);

        turn(s);
        assert_int_equal(send(fd, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
        assert_int_equal(hear_all(fd, heard, sizeof heard), -1);
        assert_int_equal(errno, ECONNRESET);
        local_close(fd);
}

/* ---- many at once ---- */

struct client {
        struct scene *scene; /* borrowed */
        unsigned number, n_answered;
};

static void *work(void *user) {
        struct client *client = user;

        for (unsigned i = 0; i < REQUESTS / 4; i++) {
                int fd = client->number % 2 ? dial_unix(client->scene) : dial_tcp(client->scene);

                for (unsigned k = 0; k < 4; k++)
                        client->n_answered += ask(fd);
                local_close(fd);
        }
        return NULL;
}

static void *listen_on(void *user) {
        struct scene *s = user;

        while (!atomic_load(&s->stop))
                (void)loop_round(s->loop, 1000000);
        return NULL;
}

/* Connections come and go in all threads: each request is answered, and all are gone in the end. */
static void many_come_and_go(void **state) {
        struct scene *s = *state;
        struct client clients[CLIENTS];
        pthread_t threads[CLIENTS], listens;

        assert_int_equal(pthread_create(&listens, NULL, listen_on, s), 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
                clients[i] = (struct client){s, i, 0};
                assert_int_equal(pthread_create(&threads[i], NULL, work, &clients[i]), 0);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(clients[i].n_answered, REQUESTS);
        }
        atomic_store(&s->stop, true);
        pthread_join(listens, NULL);
        stop(s);
        for (unsigned i = 0; i < REACTORS; i++)
                assert_int_equal(reactor_n(reactors_at(s->reactors, i)), 0);
}

static void be_busy(void *user) {
        struct scene *s = user;

        io_sleep_ns(s->io, 20000000);
}

/* Some are still on the way to reactors that have something else to do: what they are given to is there. */
static void it_stops_while_many_come(void **state) {
        struct scene *s = *state;
        int fds[N_MAX];

        for (unsigned i = 0; i < N_MAX; i++)
                fds[i] = i % 2 ? dial_unix(s) : dial_tcp(s);
        for (unsigned i = 0; i < REACTORS; i++)
                loop_post(reactor_loop(reactors_at(s->reactors, i)), be_busy, s);
        for (unsigned i = 0; i < N_MAX; i++)
                (void)loop_round(s->loop, 2000000);
        stop(s);
        for (unsigned i = 0; i < N_MAX; i++) {
                assert_false(ask(fds[i]));
                local_close(fds[i]);
        }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(who_comes_by_either_way_is_answered),
                CASE(more_than_so_many_wait_until_one_goes),
                CASE(nobody_is_let_in_after_the_stop),
                CASE(a_port_that_is_taken_is_an_error),
                CASE(who_reads_only_when_all_is_sent_gets_an_early_answer),
                CASE(an_aborted_answer_ends_in_a_reset),
                CASE(many_come_and_go),
                CASE(it_stops_while_many_come),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
