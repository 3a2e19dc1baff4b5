// SPDX-License-Identifier: Apache-2.0
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "bytes.h"
#include "mem.h"

enum { READ_PIECE = 64 * 1024 };

struct conn {
        struct loop *loop;        /* borrowed, outlives us */
        struct loop_watch *watch; /* owned; NULL once it has ended */
        struct conn_options options;
        int fd;
        struct buf in; /* from in_at on: not skipped yet */
        size_t in_at;
        struct buf out; /* from out_at on: not sent yet */
        size_t out_at;
        uint64_t n_sent;
        /* Ours to send, copies: they go with the byte at fds_at of out. */
        int out_fds[CONN_FDS_MAX];
        unsigned n_out_fds;
        size_t fds_at;
        int in_fds[CONN_FDS_MAX]; /* received, not taken */
        unsigned n_in_fds;
        /* A callback may free the connection under us. */
        bool is_inside, is_freed;
};

static void close_fds(int *fds, unsigned *n) {
        for (unsigned i = 0; i < *n; i++)
                close(fds[i]);
        *n = 0;
}

static void release(struct conn *conn) {
        if (conn->watch)
                loop_unwatch(conn->watch);
        close_fds(conn->out_fds, &conn->n_out_fds);
        close_fds(conn->in_fds, &conn->n_in_fds);
        close(conn->fd);
        buf_fini(&conn->in);
        buf_fini(&conn->out);
        free(conn);
}

void conn_free(struct conn *conn) {
        if (conn->is_inside)
                conn->is_freed = true;
        else
                release(conn);
}

/* ---- what is wanted -------------------------------------------------------------------------- */

static size_t in_n(const struct conn *conn) {
        return conn->in.n - conn->in_at;
}

size_t conn_unsent(const struct conn *conn) {
        return conn->out.n - conn->out_at;
}

bool conn_is_full(const struct conn *conn) {
        return in_n(conn) >= conn->options.in_max;
}

static void want(struct conn *conn) {
        if (conn->watch)
                loop_want(conn->watch,
                          (conn_is_full(conn) ? 0u : LOOP_READ) | (conn_unsent(conn) > 0 ? LOOP_WRITE : 0u));
}

static void end(struct conn *conn, const struct err_note *why) {
        if (!conn->watch || conn->is_freed)
                return;
        loop_unwatch(TAKE(conn->watch));
        conn->options.ended(conn->options.user, why);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* One sendmsg: up to the byte that descriptors go with, or from it on with them. */
static ssize_t send_some(struct conn *conn) {
        bool with_fds = conn->n_out_fds > 0 && conn->out_at == conn->fds_at;
        size_t until = conn->n_out_fds > 0 && !with_fds ? conn->fds_at : conn->out.n;
        struct iovec vec = {.iov_base = conn->out.data + conn->out_at, .iov_len = until - conn->out_at};
        struct msghdr message = {.msg_iov = &vec, .msg_iovlen = 1};
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int) * CONN_FDS_MAX)];
        } control = {0};

        if (with_fds) {
                size_t bytes = sizeof(int) * conn->n_out_fds;

                control.header = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.header), conn->out_fds, bytes);
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(bytes);
        }
        return sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False: the connection failed, errno says how. */
static bool flush(struct conn *conn) {
        while (conn_unsent(conn) > 0) {
                bool had_fds = conn->n_out_fds > 0 && conn->out_at == conn->fds_at;
                ssize_t n = send_some(conn);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
                if (had_fds)
                        close_fds(conn->out_fds, &conn->n_out_fds);
                conn->out_at += (size_t)n;
                conn->n_sent += (uint64_t)n;
        }
        conn->out.n = conn->out_at = 0;
        return true;
}

/* What has gone makes room once it is the larger part. */
static void compact(struct buf *buf, size_t *at, size_t *other) {
        if (*at == 0 || *at < buf->n - *at)
                return;
        memmove(buf->data, buf->data + *at, buf->n - *at);
        buf->n -= *at;
        if (other)
                *other -= min_u64(*other, *at);
        *at = 0;
}

enum err conn_send(struct conn *conn, const void *data, size_t n, struct err_note *note) {
        if (!conn->watch)
                return err_set(note, ERR_CLOSED, "send %zu bytes: the other side is gone", n);
        if (n > conn->options.out_max || conn_unsent(conn) > conn->options.out_max - n)
                return err_set(note, ERR_TOO_LARGE,
                               "send %zu bytes: the other side has not read %zu that came before", n,
                               conn_unsent(conn));
        compact(&conn->out, &conn->out_at, conn->n_out_fds ? &conn->fds_at : NULL);
        buf_add(&conn->out, data, n);
        /* Where it failed the loop will say so: never from within the sender's own call. */
        (void)flush(conn);
        want(conn);
        return ERR_NONE;
}

enum err conn_send_fds(struct conn *conn, const void *data, size_t n, const int *fds, unsigned n_fds,
                       struct err_note *note) {
        assert(n > 0 && n_fds <= CONN_FDS_MAX && conn->n_out_fds == 0);
        for (unsigned i = 0; i < n_fds; i++) {
                int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

                if (copy < 0) {
                        (void)err_set(note, ERR_INVALID, "send descriptor %d: %s", fds[i], strerror(errno));
                        close_fds(conn->out_fds, &conn->n_out_fds);
                        return note->code;
                }
                conn->out_fds[conn->n_out_fds++] = copy;
        }
        conn->fds_at = conn->out.n;
        if (conn_send(conn, data, n, note)) {
                close_fds(conn->out_fds, &conn->n_out_fds);
                return note->code;
        }
        return ERR_NONE;
}

uint64_t conn_n_sent(const struct conn *conn) {
        return conn->n_sent;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool keep_fds(struct conn *conn, struct msghdr *message, struct err_note *note) {
        bool fits = !(message->msg_flags & MSG_CTRUNC);

        for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
                size_t n = each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS
                                   ? (each->cmsg_len - CMSG_LEN(0)) / sizeof(int)
                                   : 0;

                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
                        if (conn->n_in_fds < CONN_FDS_MAX) {
                                conn->in_fds[conn->n_in_fds++] = fd;
                        } else {
                                close(fd);
                                fits = false;
                        }
                }
        }
        if (!fits)
                (void)err_set(note, ERR_TOO_LARGE, "more than %d descriptors came at once", CONN_FDS_MAX);
        return fits;
}

/* 1: something came; 0: nothing now; -1: the end, and note says why. */
static int receive(struct conn *conn, struct err_note *note) {
        size_t n = (size_t)min_u64(READ_PIECE, conn->options.in_max - in_n(conn));
        struct iovec vec = {.iov_len = n};
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int) * CONN_FDS_MAX)];
        } control;
        struct msghdr message = {
                .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t got;

        compact(&conn->in, &conn->in_at, NULL);
        vec.iov_base = buf_extend(&conn->in, n);
        do
                got = recvmsg(conn->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (got < 0 && errno == EINTR);
        conn->in.n -= n - (got > 0 ? (size_t)got : 0);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                return 0;
        if (got <= 0) {
                (void)err_set(note, ERR_CLOSED, got == 0 ? "the other side closed the connection%s" : "%s",
                              got == 0 ? "" : strerror(errno));
                return -1;
        }
        return keep_fds(conn, &message, note) ? 1 : -1;
}

/* One piece a round, so that others of the loop have theirs; that the other side is gone is told again each
 * round, so all that came is shown before the end is. */
static void read_piece(struct conn *conn, bool is_gone) {
        struct err_note note = {0};
        int came = conn_is_full(conn) ? 0 : receive(conn, &note);

        if (came > 0)
                conn->options.got(conn->options.user);
        if (came == 0 && is_gone) {
                (void)err_set(&note, ERR_CLOSED, "the connection broke");
                came = -1;
        }
        if (came < 0)
                end(conn, &note);
}

static void on_ready(void *user, unsigned events) {
        struct conn *conn = user;

        conn->is_inside = true;
        if (events & LOOP_WRITE) {
                size_t before = conn_unsent(conn);

                if (!flush(conn))
                        events |= LOOP_GONE;
                else if (before > 0 && conn_unsent(conn) == 0 && conn->options.drained)
                        conn->options.drained(conn->options.user);
        }
        if (!conn->is_freed && events & (LOOP_READ | LOOP_GONE))
                read_piece(conn, (events & LOOP_GONE) != 0);
        conn->is_inside = false;
        if (conn->is_freed)
                release(conn);
        else
                want(conn);
}

const uint8_t *conn_peek(const struct conn *conn, size_t *ret_n) {
        *ret_n = in_n(conn);
        return *ret_n ? conn->in.data + conn->in_at : (const uint8_t *)"";
}

void conn_skip(struct conn *conn, size_t n) {
        assert(n <= in_n(conn));
        conn->in_at += n;
        if (conn->in_at == conn->in.n)
                conn->in.n = conn->in_at = 0;
        if (!conn->is_inside)
                want(conn);
}

int conn_take_fd(struct conn *conn) {
        int fd;

        if (conn->n_in_fds == 0)
                return -1;
        fd = conn->in_fds[0];
        memmove(conn->in_fds, conn->in_fds + 1, sizeof fd * --conn->n_in_fds);
        return fd;
}

enum err conn_new(struct loop *loop, int fd, const struct conn_options *options, struct conn **ret,
                  struct err_note *note) {
        struct conn *conn = mem_new(struct conn);

        conn->loop = loop;
        conn->fd = fd;
        conn->options = *options;
        if (loop_watch(loop, fd, LOOP_READ, on_ready, conn, &conn->watch, note)) {
                release(conn);
                return note->code;
        }
        *ret = conn;
        return ERR_NONE;
}
