// SPDX-License-Identifier: Apache-2.0
/* The data plane: the VDIs of some SRs, served by NBD on a unix socket and over TCP.
 *
 *      nbd_server_open(&options, &server, note)        it listens
 *      nbd_server_run(server, stop)                    until *stop; then it drains
 *      nbd_server_close(server)                        every disk is flushed and closed
 *
 * The thread that runs it lets guests in (acceptor.h) and hands each to one of the reactors, a thread a core,
 * which move bytes, read what they can without waiting (nbd_reactor.h), and never wait for a disk.  All else
 * is carried out by threads that may (nbd_work.h); disks are opened and closed by another (nbd_export.h).
 *
 * Who may come is said by the mode of the socket's file (0600), by TLS, and over TCP, where it is asked for,
 * by a session in the export's name.  At most n_guests_max are
 * connected; more wait in the kernel.  A peer that has vanished is noticed by TCP's keepalive; nobody who is
 * served is dropped for being slow (nbd_guest.h).
 *
 * Draining: nobody is let in any more, requests that have come whole are carried out and answered, and what
 * a client does not read within NBD_DRAIN_NS is lost.
 *
 * Errors: of opening, those of net and of the keys.  Later ones are told to `log`.
 * Threads: the one that opened it; `log` is called by any of ours.
 */
#ifndef SERVE_NBD_SERVER_H
#define SERVE_NBD_SERVER_H

#include <stdatomic.h>

#include "nbd_guest.h"
#include "tcp.h"

struct nbd_server;

enum { NBD_GUESTS_MAX = 1024 };

struct nbd_server_options {
        struct io *io;              /* borrowed */
        struct loop *loop;          /* borrowed; that listens; NULL: one of its own */
        struct reactors *reactors;  /* borrowed, outlive it; NULL: its own, one a core */
        struct nbd_shelves shelves; /* borrowed; their turns are not held meanwhile */
        const char *unix_path;      /* borrowed; NULL: none, then there is TCP */
        const char *const *tcp;     /* borrowed, and each; addresses */
        size_t n_tcp;
        const struct tls_options *tls; /* borrowed; NULL: none is offered */
        bool requires_tls;
        bool needs_session;    /* over TCP: only names with a session are answered (nbd_shelf.h) */
        unsigned n_guests_max; /* 0: NBD_GUESTS_MAX */
        void (*log)(void *user, const char *text); /* borrowed */
        void *user;                                /* borrowed; handed to it */
};

MUST_USE enum err nbd_server_open(const struct nbd_server_options *, struct nbd_server **ret,
                                  struct err_note *);
/* The files of its keys are read again: for guests from now on. */
MUST_USE enum err nbd_server_reload(struct nbd_server *, const struct tls_options *, struct err_note *);
void nbd_server_run(struct nbd_server *, const atomic_bool *stop);
void nbd_server_close(struct nbd_server *); /* nobody is connected: after run, or instead of it */
DEFINE_AUTO(struct nbd_server *, nbd_server_close);

/* Where TCP is listened on, with the port that was free where 0 was asked for; ours as long as the server. */
const char *const *nbd_server_tcp(const struct nbd_server *, size_t *ret_n);

#endif
