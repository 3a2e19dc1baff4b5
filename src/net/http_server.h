// SPDX-License-Identifier: Apache-2.0
/* HTTP/1.1 over connections of a reactor: requests are matched with a table of routes, whose handlers read
 * bodies and write answers piece by piece, at the other side's pace, in bounded memory, and never wait.
 *
 *      http_server_new(&options, &server, note)
 *      http_server_give(server, loop, &arrival)        in the loop's thread: one more connection
 *      http_server_drain(server)                       no one new; those there go when they are answered
 *      http_server_free(server)                        waits for that
 *
 *      begin(user, exchange)                           the head has come, of the body perhaps nothing
 *        http_exchange_serve(exchange, &ops, state)    who is called from now on
 *        http_body_accept(exchange)                    reads the body ("100 Continue" goes out, if asked for)
 *        ops.got ... http_body_peek, http_body_skip ... until http_body_is_whole
 *        http_answer(exchange, &answer)                the head goes out, at any time, also in mid-upload
 *        http_send, http_offer ... ops.drained ...
 *        http_answer_end(exchange)                     all was given: the connection is kept, or closes
 *      ops.gone                                        once, whatever happened: the exchange is no more
 *
 * What a handler may count on.  None of its functions is called from within a call of its own to the
 * functions here, except from begin's on.  got is called when bytes of the body have come that it has not
 * been called for, and once more when the body is whole, but never after http_body_is_whole said so.  drained
 * is called when the kernel has all that waited, or takes more of what was offered.  gone comes after an
 * answer's last byte is with the kernel, or with what went wrong.
 *
 * An answer that is given before the body was read to its end closes the connection after it, with a linger
 * in which what still comes is thrown away, so that the other side can read the answer.  (Where the rest of
 * the body lies here already it is just skipped.)  A linger does not end while bytes of ours wait for a peer
 * that lives.
 *
 * Limits: HTTP_HEAD_MAX bytes of head (431), HTTP_HEAD_NS from its first byte to its last (408; not answered
 * where nothing of it came), HTTP_IDLE_NS between requests.  Bodies have no limit of time: a stalled one
 * costs its buffer, a stalled answer what was sent (http_send) and not taken, which is nothing of what is
 * offered (http_offer).  A peer is dead when bytes wait for it and its kernel has not confirmed any for
 * HTTP_DEAD_NS; one that just does not read is not.  Who half-closes has gone.
 *
 * Errors: http_send is ERR_TOO_LARGE beyond HTTP_OUT_MAX unsent bytes; ERR_CLOSED when the other side is gone
 * (gone is called then too).  What is wrong with a request is answered here, by 4xx.
 * Threads: the loop's, for all but new, drain, free and n_connections: any.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <sys/uio.h>

#include "acceptor.h"
#include "conn.h"
#include "http1.h"
#include "tls.h"

struct http_server;
struct http_exchange;

enum {
        HTTP_HEAD_MAX = 16384,
        HTTP_IN_MAX = 256 * 1024,
        HTTP_OUT_MAX = 1 << 20,
        HTTP_CONNECTIONS_MAX = 16384, /* for an acceptor */
        /* likewise: what lies in the kernel beyond what is on its way */
        HTTP_UNSENT_TOGETHER = 32 << 20,
        HTTP_UNSENT_LEAST = 128 * 1024,
        HTTP_UNSENT_MOST = 1 << 20,
};
#define HTTP_HEAD_NS   (UINT64_C(10) * 1000000000)
#define HTTP_IDLE_NS   (UINT64_C(300) * 1000000000)
#define HTTP_DEAD_NS   (UINT64_C(300) * 1000000000)
#define HTTP_LINGER_NS (UINT64_C(30) * 1000000000)
#define HTTP_DRAIN_NS  (UINT64_C(10) * 1000000000)
#define HTTP_TICK_NS   (UINT64_C(30) * 1000000000)

struct http_route {
        const char *path; /* borrowed, static; that path and all below it; the longest wins; "/" is any */
        unsigned methods; /* of enum http_method; others are answered 405 */
        void (*begin)(void *user, struct http_exchange *); /* borrowed */
        void *user;                                        /* borrowed; handed to begin */
};

struct http_server_options {
        const struct http_route *routes; /* borrowed */
        size_t n_routes;
        const struct tls_keys *keys;     /* borrowed; NULL: without TLS */
        uint64_t drain_ns;               /* how long, draining, answers may take; 0: HTTP_DRAIN_NS */
        struct tcp_look (*look)(int fd); /* borrowed; NULL: tcp_look */
        void (*log)(void *user, const char *text); /* borrowed; of connections, never of queries or headers */
        void *user;                                /* borrowed; handed to log */
};

MUST_USE enum err http_server_new(const struct http_server_options *, struct http_server **ret,
                                  struct err_note *);
/* Drains, if nobody did, and waits until all have gone: their loops run, so it is another thread's; or nobody
 * is connected. */
void http_server_free(struct http_server *);
DEFINE_AUTO(struct http_server *, http_server_free);
void http_server_give(struct http_server *, struct loop *, const struct arrival *);
void http_server_come(void *server, struct loop *, const struct arrival *); /* the same, for an acceptor */
/* Idle connections close, the others after their answer, or break when drain_ns are over. */
void http_server_drain(struct http_server *);
unsigned http_server_n_connections(const struct http_server *);

/* ---- an exchange ---- */

struct http_exchange_ops {
        void (*got)(void *user);     /* borrowed; or NULL where no body is accepted */
        void (*drained)(void *user); /* borrowed; or NULL */
        /* borrowed; or NULL; code ERR_NONE: it ended as it should */
        void (*gone)(void *user, const struct err_note *why);
};

struct loop *http_loop(const struct http_exchange *);
const struct http1_head *http_head(const struct http_exchange *); /* method, path, query, headers */
const char *http_peer(const struct http_exchange *);              /* its address, for logs */
bool http_is_secure(const struct http_exchange *);
void http_exchange_serve(struct http_exchange *, const struct http_exchange_ops *, void *user);

void http_body_accept(struct http_exchange *);
uint64_t http_body_length(const struct http_exchange *); /* UINT64_MAX: chunked */
const uint8_t *http_body_peek(const struct http_exchange *, size_t *ret_n);
void http_body_skip(struct http_exchange *, size_t n);
bool http_body_is_whole(const struct http_exchange *);  /* all has come, and was skipped */
uint64_t http_body_taken(const struct http_exchange *); /* bytes skipped so far */

#define HTTP_CHUNKED     UINT64_MAX
#define HTTP_UNTIL_CLOSE (UINT64_MAX - 1)
struct http_answer {
        unsigned status;
        const char *type;    /* borrowed; Content-Type; NULL: none */
        uint64_t length;     /* of the body; or one of the above */
        const char *headers; /* borrowed; further lines, each ended by CR LF; or NULL */
        bool closes;         /* Connection: close */
};
void http_answer(struct http_exchange *, const struct http_answer *);
/* All of it, of any size; headers may be NULL. */
void http_answer_bytes(struct http_exchange *, unsigned status, const char *type, const char *headers,
                       struct span body);
void http_answer_text(struct http_exchange *, unsigned status, const char *type, const char *text);
bool http_is_answered(const struct http_exchange *); /* its head went out */
size_t http_unsent(const struct http_exchange *);    /* bytes that wait here */
MUST_USE enum err http_send(struct http_exchange *, const void *data, size_t n, struct err_note *);
/* As conn_offer, of a body that is not chunked: what was not taken is offered again, the same bytes first,
 * when drained is called. */
MUST_USE enum err http_offer(struct http_exchange *, const struct iovec *vec, unsigned n_vec, size_t *ret_n,
                             struct err_note *);
void http_answer_end(struct http_exchange *); /* as many bytes were given as its length says */
/* Nobody can take it for an end: a reset, without close_notify.  The exchange is no more; gone is not
 * called. */
void http_abort(struct http_exchange *);
/* Instead of an answer: the bare connection from now on, the caller's, who looks at what lies in it.  The
 * exchange is no more; gone is not called.  (So a body is had whose old client says no length, and just goes
 * at its end.) */
struct conn *http_hijack(struct http_exchange *, const struct conn_options *);

#endif
