// SPDX-License-Identifier: Apache-2.0
/* Two reactors with the same disk, and clients in threads of their own: real sockets, time and files. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/temp_dir.h"
#include "local.h"
#include "nbd_reactor.h"
#include "nbd_wire_client.h"
#include "sr.h"

enum { REACTORS = 2, CLIENTS = 6, ROUNDS = 60, PAGE = 4096, SIZE_MIB = 8 };

struct scene {
        char *folder;  /* owned */
        struct io *io; /* owned */
        struct sr *sr; /* owned */
        struct turn turn;
        struct nbd_shelf shelf;
        struct nbd_work *work;                 /* owned */
        struct nbd_exports *exports;           /* owned */
        struct reactors *reactors;             /* owned */
        struct nbd_reactor *reactor[REACTORS]; /* owned */
        atomic_uint n_gone;
};

static void on_gone(void *user) {
        atomic_fetch_add(&((struct scene *)user)->n_gone, 1);
}

static void on_log(void *user, const char *text) {
        (void)user;
        print_message("%s\n", text);
}

static void make_disk(struct scene *s) {
        const struct vdi_options options = {.name = "a", .size = (uint64_t)SIZE_MIB << 20};
        const struct sr_options how = {.mode = SR_OWN};
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_create(s->io, s->folder, "main", NULL, &uuid, &note));
        assert_ok(sr_open(s->io, s->folder, &how, &s->sr, &note));
        assert_ok(sr_vdi_create(s->sr, &options, &uuid, &note));
}

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct nbd_house house = {.tls = NBD_TLS_NONE, .log = on_log};
        struct err_note note = {0};

        s->folder = temp_dir_new();
        s->io = io_uring_new();
        make_disk(s);
        turn_init(&s->turn, s->io);
        s->shelf = (struct nbd_shelf){.sr = s->sr, .turn = &s->turn};
        s->work = nbd_work_new(4);
        s->exports = house.exports = nbd_exports_new(&(struct nbd_exports_options){
                .shelves = {.each = &s->shelf, .n = 1}, .work = s->work, .failed = on_log});
        assert_ok(reactors_new(s->io, REACTORS, &s->reactors, &note));
        for (unsigned i = 0; i < REACTORS; i++)
                assert_ok(nbd_reactor_new(reactors_at(s->reactors, i), &house, &s->reactor[i], &note));
        *state = s;
        return 0;
}

static void drain(struct scene *s) {
        for (unsigned i = 0; i < REACTORS; i++) {
                if (!s->reactor[i])
                        continue;
                nbd_reactor_drain(s->reactor[i]);
                nbd_reactor_free(TAKE(s->reactor[i]));
        }
}

static int tear_down(void **state) {
        struct scene *s = *state;

        drain(s);
        reactors_free(s->reactors);
        nbd_exports_free(s->exports);
        nbd_work_free(s->work);
        turn_fini(&s->turn);
        sr_close(s->sr);
        io_free(s->io);
        temp_dir_free(s->folder);
        free(s);
        return 0;
}

/* ---- a client, which waits for each answer; false: the other side is gone --------------------- */

static bool receive(int fd, void *ret, size_t n) {
        return recv(fd, ret, n, MSG_WAITALL) == (ssize_t)n;
}

static bool request(int fd, uint16_t type, uint64_t at, uint8_t *data, uint32_t n) {
        struct nbd_request asked = {.type = type, .offset = at, .length = n};
        uint8_t head[sizeof(struct nbd_request_wire)], answer[sizeof(struct nbd_simple_wire)];

        nbd_ask(&asked, head);
        if (send(fd, head, sizeof head, MSG_NOSIGNAL) < 0 ||
            (type == NBD_CMD_WRITE && send(fd, data, n, MSG_NOSIGNAL) < 0) ||
            !receive(fd, answer, sizeof answer))
                return false;
        assert_int_equal(answer[4] | answer[5] | answer[6] | answer[7], 0);
        return type != NBD_CMD_READ || receive(fd, data, n);
}

/* EXPORT_NAME: the answer is the size, the flags, and no zeroes. */
static bool greet(int fd) {
        uint8_t greeting[sizeof(struct nbd_greeting_wire)], answer[sizeof(struct nbd_export_wire)];
        AUTO(buf_fini) struct buf bytes = {0};

        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        nbd_ask_option(&bytes, NBD_OPT_EXPORT_NAME, (struct span){(const uint8_t *)"a", 1});
        return receive(fd, greeting, sizeof greeting) && send(fd, bytes.data, bytes.n, MSG_NOSIGNAL) > 0 &&
               receive(fd, answer, sizeof answer);
}

struct client {
        int fd; /* owned */
        unsigned number;
        unsigned n_done;
        bool is_wrong;
};

/* Pages of its own and of its predecessor: what was written here is read there. */
static void *work(void *user) {
        struct client *client = user;
        uint8_t page[PAGE];

        if (!greet(client->fd))
                return NULL;
        for (unsigned i = 0; i < ROUNDS; i++) {
                uint64_t at = ((uint64_t)i * CLIENTS + client->number) * PAGE;

                memset(page, (int)(1 + i), sizeof page);
                if (!request(client->fd, NBD_CMD_WRITE, at, page, PAGE))
                        return NULL;
                for (unsigned k = 0; k < 5; k++) {
                        memset(page, 0, sizeof page);
                        if (!request(client->fd, NBD_CMD_READ, at, page, PAGE))
                                return NULL;
                        client->is_wrong |= page[0] != 1 + i || page[PAGE - 1] != 1 + i;
                }
                if (i % 16 == 0 && !request(client->fd, NBD_CMD_FLUSH, 0, NULL, 0))
                        return NULL;
                client->n_done++;
        }
        return NULL;
}

/* The client's end waits, the reactor's does not. */
static void make_pair(int fds[2]) {
        struct err_note note = {0};

        assert_ok(local_pair(fds, &note));
        assert_int_equal(fcntl(fds[1], F_SETFL, fcntl(fds[1], F_GETFL) & ~O_NONBLOCK), 0);
}

struct gift {
        struct nbd_reactor *reactor; /* borrowed */
        struct arrival arrival;
};

static void on_gift(void *user) {
        struct gift *gift = user;

        nbd_reactor_take(gift->reactor, &gift->arrival);
}

static void give(struct scene *s, unsigned i, int fd) {
        struct gift gift = {s->reactor[i], {.fd = fd, .peer = "a test", .closed = on_gone, .user = s}};

        reactor_call(reactors_at(s->reactors, i), on_gift, &gift);
}

static void start(struct scene *s, struct client clients[CLIENTS], pthread_t threads[CLIENTS]) {
        for (unsigned i = 0; i < CLIENTS; i++) {
                int fds[2];

                make_pair(fds);
                clients[i] = (struct client){.fd = fds[1], .number = i};
                give(s, i % REACTORS, fds[0]);
                assert_int_equal(pthread_create(&threads[i], NULL, work, &clients[i]), 0);
        }
}

static void finish(struct client clients[CLIENTS], pthread_t threads[CLIENTS]) {
        for (unsigned i = 0; i < CLIENTS; i++) {
                pthread_join(threads[i], NULL);
                local_close(clients[i].fd);
                assert_false(clients[i].is_wrong);
        }
}

static void clients_of_all_reactors_see_one_disk(void **state) {
        struct client clients[CLIENTS];
        pthread_t threads[CLIENTS];
        struct scene *s = *state;
        uint8_t page[PAGE];
        int fds[2];

        start(s, clients, threads);
        finish(clients, threads);
        for (unsigned i = 0; i < CLIENTS; i++)
                assert_int_equal(clients[i].n_done, ROUNDS);
        make_pair(fds);
        give(s, 1, fds[0]);
        assert_true(greet(fds[1]));
        for (unsigned i = 0; i < ROUNDS * CLIENTS; i++) {
                assert_true(request(fds[1], NBD_CMD_READ, (uint64_t)i * PAGE, page, PAGE));
                assert_int_equal(page[0], 1 + i / CLIENTS);
        }
        local_close(fds[1]);
        drain(s);
        assert_int_equal(atomic_load(&s->n_gone), CLIENTS + 1);
}

/* In the middle of it: each client is answered what was begun, and then sees an end. */
static void draining_ends_all_of_them(void **state) {
        struct client clients[CLIENTS];
        pthread_t threads[CLIENTS];
        struct scene *s = *state;

        start(s, clients, threads);
        drain(s);
        finish(clients, threads);
        assert_int_equal(atomic_load(&s->n_gone), CLIENTS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(clients_of_all_reactors_see_one_disk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(draining_ends_all_of_them, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
