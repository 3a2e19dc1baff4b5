// SPDX-License-Identifier: Apache-2.0
/* One caller at the owner's socket, from his connection to his answer.  Only rpc_server.c makes them.
 *
 *      CALLING ──call──> BEGINNING ──"begun" is sent──> RUNNING ──done──> ANSWERING ──taken──> gone
 *         │                  │                             │                  │
 *         └──── closed, too slow: gone                     │                  └─ closed, too slow: gone
 *                                                          └─ closed: cancelled, then gone
 *
 * Errors: told to the caller.  Threads: the server's loop; a call's own thread sees only what the mutex
 * guards, and the verb_call.
 */
#ifndef SERVE_RPC_GUEST_H
#define SERVE_RPC_GUEST_H

#include "conn.h"
#include "keeper.h"
#include "local.h"
#include "rpc_wire.h"

struct rpc_guest;

/* The house that a guest comes to: what the server hands down. */
struct rpc_house {
        struct io *io;              /* borrowed */
        struct loop *loop;          /* borrowed */
        struct keeper *keeper;      /* borrowed; whose SR's socket it is; NULL: verbs of any kind are taken */
        struct keepers *keepers;    /* borrowed, or NULL */
        struct host *host;          /* borrowed, or NULL */
        const char *state_dir;      /* borrowed; NULL: the caller's */
        const struct sr_self *self; /* borrowed */
        /* Whether one more call may begin; if so it counts until `ended`. */
        bool (*may_begin)(void *user, struct rpc_guest *); /* borrowed */
        void (*gone)(void *user, struct rpc_guest *,
                     bool did_begin); /* borrowed; the guest is freed after it */
        void *user;                   /* borrowed; handed to both */
};

/* fd is the guest's from now on, also where it fails. */
MUST_USE enum err rpc_guest_new(const struct rpc_house *, int fd, const struct local_peer *,
                                struct rpc_guest **ret, struct err_note *);
void rpc_guest_cancel(struct rpc_guest *); /* as if he had asked */
bool rpc_guest_has_begun(const struct rpc_guest *);
void rpc_guest_dismiss(struct rpc_guest *);             /* one that has not begun: told to try again */
const char *rpc_guest_method(const struct rpc_guest *); /* "vdi.import"; empty: not known yet */
uint64_t rpc_guest_pid(const struct rpc_guest *);

#endif
