// SPDX-License-Identifier: Apache-2.0
/* A verb that is run by the process that owns its SR, or by a daemon (verb_call.socket): what the caller
 * sees is as if it had run here, with its progress, its result, its errors, and Ctrl-C.
 *
 * Paths go as absolute ones, standard input and output as descriptors.  An interrupt (progress.is_cancelled)
 * is passed on, and the owner's answer to it waited for.
 *
 * Errors: the verb's own; ERR_CLOSED where the owner ended in the middle, which says who that was.
 * Threads: the one that waits.
 */
#ifndef SERVE_RPC_CLIENT_H
#define SERVE_RPC_CLIENT_H

#include "verbs.h"

struct rpc_client {
        int input, output; /* what goes along as "-"; -1: none */
};

/* Keeps a pointer to the client. */
struct verb_elsewhere rpc_client_elsewhere(struct rpc_client *);

#endif
