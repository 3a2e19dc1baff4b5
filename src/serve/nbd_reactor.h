// SPDX-License-Identifier: Apache-2.0
/* What NBD has in one reactor (reactor.h): the guests that were given to it, and a queue for their reads.
 * Its thread moves their bytes, does their small reads, and never waits for a disk.
 *
 *      nbd_reactor_new(reactor, &house, &ours, note)
 *      nbd_reactor_take(ours, &arrival)                by the reactor's thread
 *      nbd_reactor_drain(ours)                         no one new; those there go when all is answered
 *      nbd_reactor_free(ours)                          waits for that
 *
 * Errors: those of making a queue.  Threads: any but a reactor's, where nothing else is said.
 */
#ifndef SERVE_NBD_REACTOR_H
#define SERVE_NBD_REACTOR_H

#include "acceptor.h"
#include "nbd_guest.h"

struct nbd_reactor;

/* house: borrowed for the call; exports, keys, tls, log, and user for it. */
MUST_USE enum err nbd_reactor_new(struct reactor *, const struct nbd_house *house, struct nbd_reactor **ret,
                                  struct err_note *);
struct loop *nbd_reactor_loop(const struct nbd_reactor *);
void nbd_reactor_take(struct nbd_reactor *, const struct arrival *);
void nbd_reactor_drain(struct nbd_reactor *);
void nbd_reactor_free(struct nbd_reactor *); /* drained before */
DEFINE_AUTO(struct nbd_reactor *, nbd_reactor_free);

#endif
