// SPDX-License-Identifier: Apache-2.0
/* Lets connections in: listens on TCP addresses and unix sockets, and hands each to the least busy reactor.
 *
 *      acceptor_new(&options, &acceptor)
 *      acceptor_listen_tcp(acceptor, ":10809", &address, note); acceptor_listen_unix(acceptor, path, note)
 *      options.come(user, loop, &arrival)              by the reactor's thread, for each
 *        arrival.closed(arrival.user)                  by whoever has it, when it is gone
 *      acceptor_stop(acceptor)                         nobody is let in any more
 *      acceptor_free(acceptor)                         all have gone
 *
 * At most n_max are let in and not gone; more wait in the kernel.  Who has no descriptor left for one tries
 * again a little later.  After acceptor_stop come is not called any more.
 *
 * Errors: those of tcp.h and local.h, of listening; later ones are told to log.
 * Threads: the loop's; closed: any.  Not a reactor's.
 */
#ifndef NET_ACCEPTOR_H
#define NET_ACCEPTOR_H

#include "reactor.h"
#include "tcp.h"

struct acceptor;

/* One that was let in. */
struct arrival {
        int fd;                     /* ours from now on */
        const char *peer;           /* borrowed for the call; for logs */
        bool is_tcp;                /* else by a unix socket */
        void (*closed)(void *user); /* borrowed; or NULL; to be called once */
        void *user;                 /* borrowed; handed to closed */
};

struct acceptor_options {
        struct loop *loop;         /* borrowed; that listens */
        struct reactors *reactors; /* borrowed, outlive us */
        unsigned n_max;
        struct tcp_unsent unsent;                                        /* of TCP connections */
        void (*come)(void *user, struct loop *, const struct arrival *); /* borrowed */
        void *user;                                                      /* borrowed; handed to come */
        void (*log)(void *user, const char *text);                       /* borrowed */
        void *log_user;                                                  /* borrowed; handed to log */
};

struct acceptor *acceptor_new(const struct acceptor_options *);
/* *ret: with the port that was free, where 0 was asked for. */
MUST_USE enum err acceptor_listen_tcp(struct acceptor *, const char *address, struct tcp_address *ret,
                                      struct err_note *);
MUST_USE enum err acceptor_listen_unix(struct acceptor *, const char *path, struct err_note *);
void acceptor_stop(struct acceptor *); /* the socket's file is gone too */
void acceptor_free(struct acceptor *);
DEFINE_AUTO(struct acceptor *, acceptor_free);

#endif
