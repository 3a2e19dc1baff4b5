// SPDX-License-Identifier: Apache-2.0
/* One connection in a loop: bytes in order both ways, in bounded memory; over unix sockets descriptors too;
 * with TLS or without.
 *
 *      conn_new(loop, fd, &options, &conn, note);
 *      … options.got: conn_peek, conn_skip; conn_send …
 *      conn_secure(conn, cover, deadline); … options.secured …
 *      conn_free(conn);
 *
 * Backpressure: of what the other side sends no more than in_max bytes are held; it is read on when some have
 * been skipped.  What we send waits in up to out_max bytes until the other side takes it; more is refused,
 * and the sender waits for `drained` or gives the connection up.  What lies in memory of the sender's own may
 * be offered instead (conn_offer): nothing of it is held here.  Nothing here ever waits.
 *
 * The end: `ended` is called once, after all bytes that came, and had room, were shown to `got`; why is
 * ERR_CLOSED where the other side just closed, ERR_CUT_SHORT where it did so without a word under TLS.  What
 * it had not read of ours is lost then.  Ours is one of three: conn_finish says that all was said, conn_free
 * just goes, conn_abort goes so that nobody can take it for an end.
 *
 * Errors: conn_send is ERR_TOO_LARGE where out_max is not enough, ERR_CLOSED after the end.  Threads: the
 * loop's.  Ownership: fd, cover and received descriptors are the connection's; those that are sent stay the
 * caller's.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <sys/uio.h>

#include "cover.h"
#include "loop.h"

struct conn;

enum { CONN_FDS_MAX = 8 };

struct conn_options {
        size_t in_max, out_max;      /* bytes */
        void (*got)(void *user);     /* borrowed; bytes came */
        void (*drained)(void *user); /* borrowed, or NULL; the kernel has all, and takes more */
        void (*secured)(void *user); /* borrowed, or NULL; the cover stands */
        void (*ended)(void *user, const struct err_note *why); /* borrowed; may call conn_free */
        void *user;                                            /* borrowed; handed to them */
};

/* fd: a connected stream socket, ours from now on also where it fails. */
MUST_USE enum err conn_new(struct loop *, int fd, const struct conn_options *, struct conn **ret,
                           struct err_note *);
void conn_free(struct conn *); /* closes, sent or not; under TLS without saying so; in any callback too */
DEFINE_AUTO(struct conn *, conn_free);
/* From here on these instead: another hears it now, or more or less may be held.  Of what lies there unread
 * nobody is told again. */
void conn_set_options(struct conn *, const struct conn_options *);
/* Gives back the memory of a burst: of what nothing lies in. */
void conn_rest(struct conn *);
/* After what was sent is gone, TLS ends and the other side reads to an end.  Nothing may be sent any more;
 * what it still says is shown, until it closes: who waits for that sets a timer. */
void conn_finish(struct conn *);
/* conn_free, without an end of TLS and, over TCP, with a reset: what is on its way may be lost. */
void conn_abort(struct conn *);

/* From here on the cover lies between us and the socket: what was sent before goes without it, what comes
 * goes through it.  Nothing that came lies there unread, and nothing is sent before `secured`.  ended,
 * ERR_CUT_SHORT, where it does not stand in time. */
void conn_secure(struct conn *, struct cover *, uint64_t deadline_ns);

/* Bytes that have come and were not skipped; they lie there until the callback returns or conn_skip. */
const uint8_t *conn_peek(const struct conn *, size_t *ret_n);
void conn_skip(struct conn *, size_t n);
bool conn_is_full(const struct conn *); /* in_max bytes lie there: more comes only after conn_skip */
int conn_take_fd(struct conn *);        /* the oldest received descriptor, the caller's; -1: there is none */

MUST_USE enum err conn_send(struct conn *, const void *data, size_t n, struct err_note *);
/* fds arrive no later than the first byte of data; n > 0, n_fds <= CONN_FDS_MAX, none are waiting. */
MUST_USE enum err conn_send_fds(struct conn *, const void *data, size_t n, const int *fds, unsigned n_fds,
                                struct err_note *);
/* Of these bytes as many as the kernel takes now, without a copy; *ret_n says how many.  The rest stays the
 * caller's, who offers it again, the same bytes first, when `drained` is called.  None is taken while bytes
 * of conn_send wait. */
MUST_USE enum err conn_offer(struct conn *, const struct iovec *vec, unsigned n_vec, size_t *ret_n,
                             struct err_note *);
size_t conn_unsent(const struct conn *);   /* bytes not yet with the kernel */
uint64_t conn_n_sent(const struct conn *); /* bytes ever with the kernel: whether the other side reads */

#endif
