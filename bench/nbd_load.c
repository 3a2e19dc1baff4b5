// SPDX-License-Identifier: Apache-2.0
/* bench_nbd_load SOCKET SECONDS NAME:SIZE:DEPTH:RATE …: clients that keep a server busy at little cost to the
 * machine: one thread for all of them.  Each reads SIZE bytes at random places (SIZE over 64 KiB: one after
 * another) of export NAME, DEPTH at a time and at most RATE a second (0: as many as come).  Prints how many
 * reads each was answered. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"
#include "bytes.h"
#include "mem.h"
#include "nbd_wire_client.h"

enum { CLIENTS_MAX = 64, PIECE = 1 << 20 };

struct client {
        int fd;
        uint64_t size, depth, rate; /* of one read, bytes; in flight; a second */
        uint64_t disk;              /* bytes */
        uint64_t next_at;
        uint64_t n_asked, n_bytes; /* all that came, heads too */
};

static void fail(const char *what) {
        perror(what);
        exit(1);
}

static void take(int fd, void *ret, size_t n) {
        if (recv(fd, ret, n, MSG_WAITALL) != (ssize_t)n)
                fail("receive");
}

static void put(int fd, const void *data, size_t n) {
        if (send(fd, data, n, MSG_NOSIGNAL) != (ssize_t)n)
                fail("send");
}

static uint64_t n_answered(const struct client *client) {
        return client->n_bytes / (sizeof(struct nbd_simple_wire) + client->size);
}

static void greet(struct client *client, const char *path, const char *name) {
        uint8_t greeting[sizeof(struct nbd_greeting_wire)];
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        AUTO(buf_fini) struct buf bytes = {0};
        struct nbd_export_wire answer;

        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
                fail(path);
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        nbd_ask_option(&bytes, NBD_OPT_EXPORT_NAME, (struct span){(const uint8_t *)name, strlen(name)});
        take(client->fd, greeting, sizeof greeting);
        put(client->fd, bytes.data, bytes.n);
        take(client->fd, &answer, sizeof answer);
        client->disk = be64_get(answer.size);
        if (fcntl(client->fd, F_SETFL, fcntl(client->fd, F_GETFL) | O_NONBLOCK) < 0)
                fail("fcntl");
}

/* What may be asked by now. */
static void ask(struct client *client, struct dice *dice, uint64_t ran_ns) {
        uint64_t due = client->rate ? ran_ns * client->rate / 1000000000 : UINT64_MAX;

        while (client->n_asked < due && client->n_asked - n_answered(client) < client->depth) {
                struct nbd_request request = {.type = NBD_CMD_READ, .length = (uint32_t)client->size};
                uint8_t head[sizeof(struct nbd_request_wire)];

                request.offset = client->size > 65536
                                         ? client->next_at
                                         : dice_roll(dice, client->disk / client->size) * client->size;
                client->next_at = (request.offset + client->size) % client->disk;
                nbd_ask(&request, head);
                put(client->fd, head, sizeof head);
                client->n_asked++;
        }
}

static void hear(struct client *client, void *room) {
        ssize_t n = recv(client->fd, room, PIECE, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN))
                fail("receive");
        client->n_bytes += n > 0 ? (uint64_t)n : 0;
}

static void run(struct client *clients, unsigned n, uint64_t for_ns) {
        AUTO_FREE void *room = mem_grow(NULL, PIECE, 1);
        uint64_t began = bench_now().wall_ns, now = began;
        struct dice dice = {7};

        while (now - began < for_ns) {
                struct pollfd polls[CLIENTS_MAX];
                const struct timespec a_moment = {.tv_nsec = 500000};

                for (unsigned i = 0; i < n; i++) {
                        ask(&clients[i], &dice, now - began);
                        polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
                }
                if (ppoll(polls, n, &a_moment, NULL) < 0)
                        fail("poll");
                for (unsigned i = 0; i < n; i++)
                        if (polls[i].revents)
                                hear(&clients[i], room);
                now = bench_now().wall_ns;
        }
}

int main(int argc, char **argv) {
        struct client clients[CLIENTS_MAX];
        unsigned n = 0;

        for (int i = 3; i < argc && n < CLIENTS_MAX; i++, n++) {
                char name[256];
                unsigned long size, depth, rate;

                if (sscanf(argv[i], "%255[^:]:%lu:%lu:%lu", name, &size, &depth, &rate) != 4)
                        break;
                clients[n] = (struct client){.size = size, .depth = depth, .rate = rate};
                greet(&clients[n], argv[1], name);
        }
        if (n == 0 || (int)n != argc - 3) {
                fprintf(stderr, "usage: %s SOCKET SECONDS NAME:SIZE:DEPTH:RATE ...\n", argv[0]);
                return 2;
        }
        run(clients, n, number_of(argv[2]) * 1000000000);
        for (unsigned i = 0; i < n; i++)
                printf("%llu\n", (unsigned long long)n_answered(&clients[i]));
        return 0;
}
