// SPDX-License-Identifier: Apache-2.0
#include "net_sim.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "bytes.h"
#include "io_sim.h"
#include "mem.h"
#include "vec.h"

enum { SOCKET_BUFFER = 4096, ROUNDS_MAX = 1000000 /* within one instant */ };

const struct net_weather net_weather_fine = {.piece_max = 65536, .under_way_max = 65536};
const struct net_weather net_weather_bad = {
        .piece_max = 700, .delay_max_ns = 80 * NET_SIM_SECOND / 1000, .under_way_max = 4096};

struct piece {
        uint64_t due_ns;
        size_t n; /* 0: the end */
};

/* One direction: what was taken from an end and is on its way to the other. */
struct way {
        struct net_sim *net;      /* borrowed, outlives us */
        struct leg *from, *to;    /* borrowed, likewise */
        VEC(struct piece) pieces; /* owned; from first on */
        size_t first;
        struct buf bytes; /* from at on */
        size_t at;
        uint64_t last_due_ns, arrived, reset_at;
        bool is_held, has_ended;  /* ended: its sender closes, or half-closes */
        bool is_blocked;          /* the other end's socket is full */
        struct loop_timer *timer; /* owned; NULL: none */
};

/* Our end of a socket whose other end is the caller's. */
struct leg {
        struct way *out, *in; /* borrowed: of what is taken from here, and what is given here */
        int fd;
        struct loop_watch *watch; /* owned; NULL: the caller closed his end */
};

struct net_sim {
        struct loop *loop; /* borrowed, outlives us */
        struct net_weather weather;
        uint64_t dice;
        struct leg legs[2];
        struct way ways[2];
        bool is_broken;
};

static uint64_t roll(struct net_sim *net, uint64_t n) { /* splitmix64: 0 to n */
        uint64_t z = net->dice += 0x9E3779B97F4A7C15;

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return n == UINT64_MAX ? z : z % (n + 1);
}

static void pump(struct way *way);

/* ---- the end --------------------------------------------------------------------------------- */

static void close_leg(struct leg *leg) {
        if (leg->watch)
                loop_unwatch(TAKE(leg->watch));
        if (leg->fd >= 0)
                close(leg->fd);
        leg->fd = -1;
}

static void stop_timer(struct way *way) {
        if (way->timer)
                loop_cancel(TAKE(way->timer));
}

void net_sim_reset(struct net_sim *net) {
        net->is_broken = true;
        for (unsigned i = 0; i < 2; i++) {
                stop_timer(&net->ways[i]);
                close_leg(&net->legs[i]);
        }
}

void net_sim_free(struct net_sim *net) {
        net_sim_reset(net);
        for (unsigned i = 0; i < 2; i++) {
                vec_fini(&net->ways[i].pieces);
                buf_fini(&net->ways[i].bytes);
        }
        free(net);
}

/* ---- giving ---------------------------------------------------------------------------------- */

static size_t under_way(const struct way *way) {
        return way->bytes.n - way->at;
}

static void want(struct leg *leg) {
        const struct way *out = leg->out;
        bool takes = !out->is_held && !out->has_ended && under_way(out) < out->net->weather.under_way_max;

        if (leg->watch)
                loop_want(leg->watch, (takes ? LOOP_READ : 0u) | (leg->in->is_blocked ? LOOP_WRITE : 0u));
}

/* What an end gets after it was closed breaks the connection, as a kernel would say. */
static bool give_bytes(struct way *way, struct piece *piece) {
        uint64_t n = min_u64(piece->n, way->reset_at - way->arrived);
        ssize_t given = send(way->to->fd, way->bytes.data + way->at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (given < 0) {
                way->is_blocked = errno == EAGAIN;
                if (!way->is_blocked)
                        net_sim_reset(way->net);
                return false;
        }
        way->at += (size_t)given;
        way->arrived += (uint64_t)given;
        piece->n -= (size_t)given;
        if (way->arrived >= way->reset_at)
                net_sim_reset(way->net);
        return piece->n == 0 && !way->net->is_broken;
}

static void give_end(struct way *way) {
        (void)shutdown(way->to->fd, SHUT_WR);
}

static void on_due(void *user);

static void give(struct way *way) {
        uint64_t now = io_now_ns(loop_io(way->net->loop));

        stop_timer(way);
        way->is_blocked = false;
        while (way->first < way->pieces.n && !way->is_held) {
                struct piece *piece = &way->pieces.data[way->first];

                if (piece->due_ns > now) {
                        way->timer = loop_after(way->net->loop, piece->due_ns - now, on_due, way);
                        break;
                }
                if (piece->n == 0)
                        give_end(way);
                else if (!give_bytes(way, piece))
                        break;
                way->first++;
        }
        if (under_way(way) == 0)
                way->bytes.n = way->at = 0;
        if (way->first == way->pieces.n)
                way->pieces.n = way->first = 0;
}

/* Takes and gives until neither goes on by itself: of who closed nobody will tell again. */
static void move(struct way *way) {
        uint64_t before;

        do {
                before = way->arrived;
                pump(way);
                give(way);
        } while (!way->net->is_broken && way->arrived > before);
        if (!way->net->is_broken) {
                want(way->from);
                want(way->to);
        }
}

static void on_due(void *user) {
        struct way *way = user;

        way->timer = NULL;
        move(way);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void add_piece(struct way *way, size_t n) {
        struct net_sim *net = way->net;
        uint64_t due = io_now_ns(loop_io(net->loop)) + roll(net, net->weather.delay_max_ns);

        way->last_due_ns = max_u64(due, way->last_due_ns);
        *vec_add(&way->pieces) = (struct piece){.due_ns = way->last_due_ns, .n = n};
}

static void pump(struct way *way) {
        struct net_sim *net = way->net;

        while (!way->is_held && !way->has_ended && under_way(way) < net->weather.under_way_max) {
                size_t room = net->weather.under_way_max - under_way(way),
                       n = 1 + roll(net, min_u64(net->weather.piece_max, room) - 1);
                ssize_t got = recv(way->from->fd, buf_extend(&way->bytes, n), n, MSG_DONTWAIT);

                way->bytes.n -= n - (got > 0 ? (size_t)got : 0);
                if (got < 0 && errno == EAGAIN)
                        return;
                way->has_ended = got <= 0;
                add_piece(way, got > 0 ? (size_t)got : 0);
        }
}

/* A hang-up is told again and again: it is heard once, and what is left is taken without being told. */
static void on_ready(void *user, unsigned events) {
        struct leg *leg = user;
        struct net_sim *net = leg->out->net;

        if (events & LOOP_GONE)
                loop_unwatch(TAKE(leg->watch));
        move(leg->out);
        if (!net->is_broken && (events & (LOOP_WRITE | LOOP_GONE)))
                move(leg->in);
}

/* ---- for tests ------------------------------------------------------------------------------- */

void net_sim_hold(struct net_sim *net, unsigned from, bool holds) {
        net->ways[from].is_held = holds;
        if (!net->is_broken)
                move(&net->ways[from]);
}

uint64_t net_sim_arrived(const struct net_sim *net, unsigned from) {
        return net->ways[from].arrived;
}

void net_sim_reset_at(struct net_sim *net, unsigned from, uint64_t n) {
        net->ways[from].reset_at = n;
        if (net->ways[from].arrived >= n)
                net_sim_reset(net);
}

void net_sim_run(struct loop *loop, uint64_t ns) {
        struct io *io = loop_io(loop);
        uint64_t until = io_now_ns(io) + ns;

        for (;;) {
                uint64_t due;

                for (unsigned n = 0; loop_round(loop, 0); n++)
                        if (n > ROUNDS_MAX)
                                assert(!"nobody takes what is ready");
                due = loop_due_ns(loop);
                if (due > until)
                        break;
                io_sim_advance(io, due - io_now_ns(io));
        }
        io_sim_advance(io, until - io_now_ns(io));
}

/* ---- making ---------------------------------------------------------------------------------- */

static enum err open_leg(struct net_sim *net, unsigned i, int *ret_fd, struct err_note *note) {
        struct leg *leg = &net->legs[i];
        int fds[2], size = SOCKET_BUFFER;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return err_set(note, ERR_IO, "make a pair of sockets: %s", strerror(errno));
        leg->fd = fds[0];
        *ret_fd = fds[1];
        for (unsigned k = 0; k < 2; k++)
                (void)setsockopt(fds[k], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        return loop_watch(net->loop, leg->fd, LOOP_READ, on_ready, leg, &leg->watch, note);
}

enum err net_sim_new(struct loop *loop, uint64_t seed, const struct net_weather *weather, int ret_fds[2],
                     struct net_sim **ret, struct err_note *note) {
        AUTO(net_sim_free) struct net_sim *net = mem_new(struct net_sim);
        int fds[2] = {-1, -1};

        net->loop = loop;
        net->weather = *weather;
        net->dice = seed;
        for (unsigned i = 0; i < 2; i++) {
                net->legs[i] = (struct leg){.out = &net->ways[i], .in = &net->ways[1 - i], .fd = -1};
                net->ways[i] = (struct way){
                        .net = net, .from = &net->legs[i], .to = &net->legs[1 - i], .reset_at = UINT64_MAX};
        }
        if (open_leg(net, 0, &fds[0], note) || open_leg(net, 1, &fds[1], note)) {
                for (unsigned i = 0; i < 2; i++)
                        if (fds[i] >= 0)
                                close(fds[i]);
                return note->code;
        }
        memcpy(ret_fds, fds, sizeof fds);
        *ret = TAKE(net);
        return ERR_NONE;
}
