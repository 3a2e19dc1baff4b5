// SPDX-License-Identifier: Apache-2.0
/* What the parts of http_server.h share: http_server.c, the table and who is connected; http_conn.c, the life
 * of a connection; http_exchange.c, what handlers call.
 *
 *      SECURING ──TLS stands──> WAITING ──a byte──> HEADING ──the head is whole──> SERVING
 *      SERVING ──all is with the kernel──> WAITING, or LINGERING where the connection closes
 *      LINGERING ──the other side closed, or the time is over──> GONE
 *      any ──the other side is gone, abort, hijack──> GONE
 *
 * Handlers are called from settle alone, and from the connection's own callbacks: whatever a handler's call
 * changed is looked at when the outermost of these returns, or by a timer of no time where it was called from
 * elsewhere.
 *
 * Errors: none.  Threads: the loop's, but for the server's counters.
 */
#ifndef NET_HTTP_INSIDE_H
#define NET_HTTP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http1_chunks.h"
#include "http_server.h"

/* Beyond what handlers may have unsent: heads of answers, frames of chunks. */
enum { HTTP_OUT_SPARE = 64 * 1024 };
/* How long, when the server stops, who was answered may take to go. */
#define HTTP_LAST_LINGER_NS UINT64_C(1000000000)

enum http_state { HTTP_SECURING, HTTP_WAITING, HTTP_HEADING, HTTP_SERVING, HTTP_LINGERING, HTTP_GONE };

/* What a server has in one loop. */
struct http_hall {
        struct http_server *server;    /* borrowed, outlives us */
        struct loop *loop;             /* borrowed, outlives us */
        VEC(struct http_conn *) conns; /* owned by themselves */
        struct loop_timer *tick;       /* owned; while there are connections */
        struct loop_timer *patience;   /* owned; draining */
        bool is_draining;
};

struct http_server {
        struct http_server_options options;
        atomic_uint n_connections;
        pthread_mutex_t mutex;         /* guards what is below */
        pthread_cond_t left;           /* n_inside is 0 */
        VEC(struct http_hall *) halls; /* owned, and each; what is in one is its loop's */
        unsigned n_inside;             /* connections, and drains on their way to a loop */
        bool is_draining;
};

struct http_conn {
        struct http_hall *hall; /* borrowed, outlives us */
        struct conn *conn;      /* owned; NULL: gone, or hijacked */
        int fd;                 /* of conn */
        char peer[TCP_ADDRESS_SIZE];
        void (*closed)(void *user);
        void *user;   /* borrowed; handed to closed */
        size_t place; /* in the hall's list */
        enum http_state state;
        struct loop_timer *timer;       /* owned; how long this state may last; NULL: for ever */
        struct loop_timer *again;       /* owned; settles */
        size_t in_max;                  /* as the connection has it */
        size_t looked_at;               /* of a head that is not whole */
        bool has_news;                  /* bytes came that the handler was not called for */
        unsigned n_inside;              /* calls of ours that will settle when they return */
        struct http_exchange *exchange; /* owned; SERVING */
};

enum http_answering { HTTP_UNANSWERED, HTTP_ANSWERING, HTTP_ANSWERED };

struct http_exchange {
        struct http_conn *conn; /* borrowed, outlives us */
        struct http1_head head;
        const struct http_exchange_ops *ops; /* borrowed; NULL: nobody wants to know */
        void *user;                          /* borrowed; handed to them */

        bool is_accepted, is_whole; /* the body */
        bool told_whole;            /* the handler knows */
        bool is_wrong;              /* it is no body */
        struct err_note why;        /* likewise */
        struct http1_chunks chunks;
        uint64_t taken;

        enum http_answering answering;
        bool has_no_body, sends_chunks, has_length, closes;
        uint64_t left; /* of the answer's body, where it has a length */
};

/* ---- http_conn.c ---- */

void http_conn_new(struct http_hall *, const struct arrival *);
void http_conn_enter(struct http_conn *);
void http_conn_leave(struct http_conn *); /* settles, if it is the outermost; the connection may be no more */
void http_conn_later(struct http_conn *); /* settles soon, if nobody is inside */
void http_conn_break(struct http_conn *, const struct err_note *why); /* a reset; gone is called */
void http_conn_close_idle(struct http_conn *);                        /* if nothing is under way */
void http_conn_tick(struct http_conn *);
void http_conn_options(struct http_conn *, size_t in_max, size_t out_max);
void http_conn_forget_exchange(struct http_conn *); /* aborted, hijacked */

/* ---- http_exchange.c ---- */

struct http_exchange *http_exchange_new(struct http_conn *);
void http_exchange_free(struct http_exchange *);
void http_exchange_frame(struct http_exchange *); /* of what came, skips what is no data */
void http_exchange_show(struct http_exchange *);  /* got, as often as it must be called */

/* ---- http_server.c ---- */

const struct http_route *http_server_route(const struct http_server *, const char *path);
void http_hall_add(struct http_hall *, struct http_conn *);
void http_hall_remove(struct http_hall *, struct http_conn *);
void http_hall_log(const struct http_hall *, const char *peer, const char *text);

#endif
