// SPDX-License-Identifier: Apache-2.0
/* The owner's side of an SR's socket, or of a daemon's: runs the verbs that other processes of this host send
 * (rpc_wire.h).
 *
 * A thread of its own moves messages and never waits; each call runs in a thread of its own, under the SR's
 * turn.  Of a call's parameters and answers only so much is held as rpc_wire.h says; a caller who does not
 * read his progress gets less of it, one who does not take his answer for RPC_PATIENCE_NS is dropped.  At
 * most RPC_GUESTS_MAX are connected; more wait in the kernel.  A caller must be of our uid or root.
 *
 *      rpc_server_new(io, &options)
 *      keeper_new(io, self, &(struct keeper_door) from rpc_server_door)
 *      … keeper_free …
 *      rpc_server_free(server)
 *
 * A daemon has one more, which is no SR's, and takes every verb: rpc_server_open, rpc_server_close.
 *
 * Errors: none: where there can be no socket, nobody reaches us, and others are told that the SR is in use.
 * Threads: the one that the process was started with.  Signals go to that one: ours block them.
 */
#ifndef SERVE_RPC_SERVER_H
#define SERVE_RPC_SERVER_H

#include <stdatomic.h>

#include "keeper.h"

struct rpc_server;

enum { RPC_GUESTS_MAX = 32 };
/* How long someone may take to send his call, or to take the next part of his answer. */
static const uint64_t RPC_PATIENCE_NS = UINT64_C(30000000000);

struct rpc_server_options {
        const struct sr_self *self; /* borrowed */
        struct keepers *keepers;    /* borrowed; of a process with several SRs; NULL: there is none */
        struct host *host;          /* borrowed; NULL: calls are in no daemon */
        const char *state_dir;      /* borrowed; instead of the callers'; NULL: theirs */
        /* Once set, calls of others are cancelled when we want to leave, instead of waited for. */
        const atomic_bool *hurry; /* borrowed; NULL: never */
        /* Told once when we wait for others to end: what the first of them does. */
        void (*waits)(void *user, const char *method, uint64_t pid); /* borrowed, or NULL */
        void *user;                                                  /* borrowed; handed to waits */
};

struct rpc_server *rpc_server_new(struct io *, const struct rpc_server_options *);
void rpc_server_free(struct rpc_server *); /* closed, or never opened */
DEFINE_AUTO(struct rpc_server *, rpc_server_free);

struct keeper_door rpc_server_door(struct rpc_server *);

/* Listens in that folder, for verbs of any kind.  Closing waits until those that have begun have ended. */
MUST_USE enum err rpc_server_open(struct rpc_server *, const char *folder, const char *name,
                                  struct err_note *);
void rpc_server_close(struct rpc_server *);

#endif
