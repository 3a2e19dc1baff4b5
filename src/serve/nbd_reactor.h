// SPDX-License-Identifier: Apache-2.0
/* A thread with a loop and a queue for reads, and the guests that were given to it: it moves their bytes,
 * does their small reads, and never waits for a disk.  A server has one a core.  While requests come closer
 * together than it would take to wake it, it stays awake for them.
 *
 *      nbd_reactor_new(&options, &reactor, note)       its thread runs
 *      nbd_reactor_give(reactor, fd, peer)             as often as wanted
 *      nbd_reactor_drain(reactor)                      no one new; those there go when all is answered
 *      nbd_reactor_free(reactor)                       waits for that
 *
 * Errors: those of making a loop and a queue.  Threads: any, but new and free: one.
 */
#ifndef SERVE_NBD_REACTOR_H
#define SERVE_NBD_REACTOR_H

#include "nbd_guest.h"

struct nbd_reactor;

struct nbd_reactor_options {
        struct io *io;                 /* borrowed */
        const struct nbd_house *house; /* borrowed for the call; exports, keys, tls, log, and user for it */
        void (*gone)(void *user);      /* borrowed; one guest fewer; called by its thread */
        void *user;                    /* borrowed; handed to gone */
};

MUST_USE enum err nbd_reactor_new(const struct nbd_reactor_options *, struct nbd_reactor **ret,
                                  struct err_note *);
void nbd_reactor_give(struct nbd_reactor *, int fd, const char *peer); /* fd is the reactor's from now on */
unsigned nbd_reactor_n_guests(const struct nbd_reactor *);             /* given, and not gone yet */
void nbd_reactor_drain(struct nbd_reactor *);
void nbd_reactor_free(struct nbd_reactor *); /* drained before */
DEFINE_AUTO(struct nbd_reactor *, nbd_reactor_free);

#endif
