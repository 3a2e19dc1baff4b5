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
        bool is_offering; /* not all that was offered was taken: `drained` is called when there is room */
        bool has_failed;  /* to take it: the loop tells of the end */
        /* Ours to send, copies: they go with the byte at fds_at of out. */
        int out_fds[CONN_FDS_MAX];
        unsigned n_out_fds;
        size_t fds_at;
        int in_fds[CONN_FDS_MAX]; /* received, not taken */
        unsigned n_in_fds;
        struct cover *cover;         /* owned; NULL: none */
        bool is_beginning;           /* it does not stand yet */
        unsigned cover_wants;        /* loop_events: while it begins, and of a step that waits */
        struct loop_timer *deadline; /* owned; until it stands */
        struct loop_timer *again;    /* owned; it has bytes that the descriptor does not tell of */
        bool is_finishing, has_finished;
        /* A callback may free the connection under us. */
        bool is_inside, is_freed;
};

static void close_fds(int *fds, unsigned *n) {
        for (unsigned i = 0; i < *n; i++)
                close(fds[i]);
        *n = 0;
}

static void stop_timers(struct conn *conn) {
        if (conn->deadline)
                loop_cancel(TAKE(conn->deadline));
        if (conn->again)
                loop_cancel(TAKE(conn->again));
}

static void release(struct conn *conn) {
        stop_timers(conn);
        if (conn->watch)
                loop_unwatch(conn->watch);
        if (conn->cover)
                conn->cover->ops->free(conn->cover);
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

static void on_again(void *user);

static unsigned wanted(const struct conn *conn) {
        bool sends =
                conn_unsent(conn) > 0 || conn->is_offering || (conn->is_finishing && !conn->has_finished);

        if (conn->is_beginning)
                return conn_unsent(conn) > 0 ? LOOP_WRITE : conn->cover_wants;
        return (conn_is_full(conn) ? 0u : LOOP_READ) | (sends ? LOOP_WRITE : 0u) | conn->cover_wants;
}

/* Bytes that the cover holds decrypted are not told of by the descriptor: a timer does. */
static void want(struct conn *conn) {
        if (!conn->watch)
                return;
        loop_want(conn->watch, wanted(conn));
        if (conn->cover && !conn->is_beginning && !conn->again && !conn_is_full(conn) &&
            conn->cover->ops->has_more(conn->cover))
                conn->again = loop_after(conn->loop, 0, on_again, conn);
}

static void end(struct conn *conn, const struct err_note *why) {
        if (!conn->watch || conn->is_freed)
                return;
        stop_timers(conn);
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

/* As sendmsg: -1 and errno. */
static ssize_t send_covered(struct conn *conn, const uint8_t *data, size_t n_data) {
        struct err_note unused;
        size_t n = 0;
        enum cover_step step = conn->cover->ops->send(conn->cover, data, n_data, &n, &unused);

        if (step == COVER_DONE)
                return (ssize_t)n;
        errno = step == COVER_FAILED ? EPIPE : EAGAIN;
        return -1;
}

/* The socket takes no more at this moment; the connection is no worse. */
static bool is_for_now(int errnum) {
        return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == ENOBUFS;
}

/* False: the connection failed, errno says how. */
static bool flush(struct conn *conn) {
        while (conn_unsent(conn) > 0) {
                bool had_fds = conn->n_out_fds > 0 && conn->out_at == conn->fds_at;
                ssize_t n = conn->cover && !conn->is_beginning
                                    ? send_covered(conn, conn->out.data + conn->out_at, conn_unsent(conn))
                                    : send_some(conn);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return is_for_now(errno);
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
        if (conn->is_finishing)
                return err_set(note, ERR_CLOSED, "send %zu bytes: the end was said", n);
        assert(!conn->is_beginning && !(conn->cover && conn->is_offering));
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
        assert(n > 0 && n_fds <= CONN_FDS_MAX && conn->n_out_fds == 0 && !conn->cover);
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

/* As sendmsg: -1 and errno where nothing was taken. */
static ssize_t offer_covered(struct conn *conn, const struct iovec *vec, unsigned n_vec) {
        ssize_t all = 0;

        for (unsigned i = 0; i < n_vec; i++) {
                size_t at = 0;

                while (at < vec[i].iov_len) {
                        ssize_t n = send_covered(conn, (uint8_t *)vec[i].iov_base + at, vec[i].iov_len - at);

                        if (n < 0)
                                return all > 0 ? all : n;
                        at += (size_t)n;
                        all += n;
                }
        }
        return all;
}

static ssize_t offer(struct conn *conn, const struct iovec *vec, unsigned n_vec) {
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vec, .msg_iovlen = n_vec};
        ssize_t n;

        do
                n = conn->cover ? offer_covered(conn, vec, n_vec)
                                : sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        return n;
}

enum err conn_offer(struct conn *conn, const struct iovec *vec, unsigned n_vec, size_t *ret_n,
                    struct err_note *note) {
        size_t all = 0;
        ssize_t n = 0;

        if (!conn->watch || conn->is_finishing)
                return err_set(note, ERR_CLOSED, "send: the connection is at its end");
        assert(!conn->is_beginning);
        for (unsigned i = 0; i < n_vec; i++)
                all += vec[i].iov_len;
        if (conn_unsent(conn) == 0)
                n = offer(conn, vec, n_vec);
        conn->has_failed |= n < 0 && !is_for_now(errno);
        *ret_n = n > 0 ? (size_t)n : 0;
        conn->n_sent += *ret_n;
        conn->is_offering = *ret_n < all;
        want(conn);
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

/* Under TLS an end that was not said is none. */
static void say_broken(const struct conn *conn, struct err_note *note) {
        (void)err_set(note, conn->cover ? ERR_CUT_SHORT : ERR_CLOSED, "the connection broke");
}

static int ended_by_other(struct err_note *note) {
        (void)err_set(note, ERR_CLOSED, "the other side closed the connection");
        return -1;
}

/* As receive. */
static int receive_covered(struct conn *conn, struct err_note *note) {
        size_t n = (size_t)min_u64(READ_PIECE, conn->options.in_max - in_n(conn)), got = 0, some = 1;
        enum cover_step step = COVER_DONE;
        uint8_t *room;

        compact(&conn->in, &conn->in_at, NULL);
        room = buf_extend(&conn->in, n);
        conn->cover_wants = 0;
        while (step == COVER_DONE && got < n && some > 0) {
                some = 0;
                step = conn->cover->ops->receive(conn->cover, room + got, n - got, &some, note);
                got += some;
        }
        conn->in.n -= n - got;
        if (step == COVER_WANTS_WRITE)
                conn->cover_wants = LOOP_WRITE;
        if (got > 0)
                return 1; /* the end, or what failed, is told the next time too */
        if (step == COVER_FAILED)
                return -1;
        return step == COVER_DONE ? ended_by_other(note) : 0;
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
        if (got == 0)
                return ended_by_other(note);
        if (got < 0) {
                (void)err_set(note, ERR_CLOSED, "%s", strerror(errno));
                return -1;
        }
        return keep_fds(conn, &message, note) ? 1 : -1;
}

/* One piece a round, so that others of the loop have theirs; that the other side is gone is told again each
 * round, so all that came is shown before the end is. */
static void read_piece(struct conn *conn, bool is_gone) {
        struct err_note note = {0};
        int came = conn_is_full(conn) ? 0 : conn->cover ? receive_covered(conn, &note) : receive(conn, &note);

        if (came > 0)
                conn->options.got(conn->options.user);
        if (came == 0 && is_gone) {
                say_broken(conn, &note);
                came = -1;
        }
        if (came < 0)
                end(conn, &note);
}

/* Our end, once all before it is gone. */
static bool finish(struct conn *conn) {
        struct err_note unused;
        enum cover_step step = COVER_DONE;

        if (!conn->is_finishing || conn->has_finished || conn_unsent(conn) > 0)
                return true;
        if (conn->cover)
                step = conn->cover->ops->finish(conn->cover, &unused);
        if (step != COVER_DONE)
                return step != COVER_FAILED;
        conn->has_finished = true;
        (void)shutdown(conn->fd, SHUT_WR);
        return true;
}

/* What was sent before the cover goes first, in clear text. */
static void begin(struct conn *conn, unsigned events) {
        struct err_note note = {0};
        enum cover_step step = COVER_WANTS_WRITE;

        if (!flush(conn)) {
                say_broken(conn, &note);
                step = COVER_FAILED;
        } else if (conn_unsent(conn) == 0) {
                step = conn->cover->ops->begin(conn->cover, conn->fd, &note);
        }
        if ((step == COVER_WANTS_READ || step == COVER_WANTS_WRITE) && events & LOOP_GONE) {
                say_broken(conn, &note);
                step = COVER_FAILED;
        }
        conn->cover_wants = step == COVER_WANTS_READ    ? LOOP_READ
                            : step == COVER_WANTS_WRITE ? LOOP_WRITE
                                                        : 0u;
        if (step == COVER_FAILED)
                end(conn, &note);
        if (step != COVER_DONE)
                return;
        conn->is_beginning = false;
        stop_timers(conn);
        if (conn->options.secured)
                conn->options.secured(conn->options.user);
}

static void send_on(struct conn *conn, unsigned *events) {
        bool tells = conn_unsent(conn) > 0 || conn->is_offering;

        if (conn->has_failed || !flush(conn) || !finish(conn)) {
                *events |= LOOP_GONE;
        } else if (tells && conn_unsent(conn) == 0) {
                conn->is_offering = false;
                if (conn->options.drained)
                        conn->options.drained(conn->options.user);
        }
}

static void on_ready(void *user, unsigned events) {
        struct conn *conn = user;

        conn->is_inside = true;
        if (conn->is_beginning) {
                begin(conn, events);
        } else {
                bool reads = events & (LOOP_READ | LOOP_GONE) || (events & LOOP_WRITE && conn->cover_wants);

                if (events & LOOP_WRITE || conn->cover_wants)
                        send_on(conn, &events);
                if (!conn->is_freed && !conn->is_beginning && (reads || events & LOOP_GONE))
                        read_piece(conn, (events & LOOP_GONE) != 0);
        }
        conn->is_inside = false;
        if (conn->is_freed)
                release(conn);
        else
                want(conn);
}

static void on_again(void *user) {
        struct conn *conn = user;

        conn->again = NULL;
        on_ready(conn, LOOP_READ);
}

/* ---- the cover, the end ---------------------------------------------------------------------- */

static void on_deadline(void *user) {
        struct conn *conn = user;
        struct err_note note = {0};

        conn->deadline = NULL;
        (void)err_set(&note, ERR_CUT_SHORT, "the other side did not agree on TLS in time");
        conn->is_inside = true;
        end(conn, &note);
        conn->is_inside = false;
        if (conn->is_freed)
                release(conn);
}

void conn_secure(struct conn *conn, struct cover *cover, uint64_t deadline_ns) {
        assert(!conn->cover && in_n(conn) == 0 && !conn->is_finishing);
        conn->cover = cover;
        if (!conn->watch)
                return;
        (void)fcntl(conn->fd, F_SETFL, fcntl(conn->fd, F_GETFL) | O_NONBLOCK);
        conn->is_beginning = true;
        conn->cover_wants = LOOP_READ | LOOP_WRITE; /* it says itself what it waits for, once it is asked */
        conn->deadline = loop_after(conn->loop, deadline_ns, on_deadline, conn);
        want(conn);
}

void conn_finish(struct conn *conn) {
        conn->is_finishing = true;
        /* Where it fails the loop will say so. */
        if (conn->watch && !conn->is_beginning)
                (void)finish(conn);
        want(conn);
}

void conn_abort(struct conn *conn) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        conn_free(conn);
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

void conn_set_options(struct conn *conn, const struct conn_options *options) {
        conn->options = *options;
        if (!conn->is_inside)
                want(conn);
}

void conn_rest(struct conn *conn) {
        if (in_n(conn) == 0) {
                buf_fini(&conn->in);
                conn->in_at = 0;
        }
        if (conn_unsent(conn) == 0) {
                buf_fini(&conn->out);
                conn->out_at = 0;
        }
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
