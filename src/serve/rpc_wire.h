// SPDX-License-Identifier: Apache-2.0
/* What goes over an owner's socket, in JSON-RPC (jsonrpc.h), one call a connection:
 *
 *      caller                                   owner
 *      call "vdi.snapshot", id 1, descriptors
 *                                               "begun"              from now on something may be done
 *                                               "progress" …         as often as it is taken
 *                                               "said" …             a line for people
 *      "cancel"                                                      it stops as by Ctrl-C
 *                                               result or error, id 1
 *      closes
 *
 * A connection that ends before "begun" changed nothing and can be tried again.  A caller that goes away
 * cancels.  Standard input and output of the caller go with the call as descriptors, in that order, where the
 * members "input" and "output" say so.
 *
 * Errors: ERR_CORRUPT for what is no such message.  Threads: any.
 */
#ifndef SERVE_RPC_WIRE_H
#define SERVE_RPC_WIRE_H

#include "jsonrpc.h"
#include "verbs.h"

#define RPC_BEGUN    "begun"
#define RPC_PROGRESS "progress"
#define RPC_SAID     "said"
#define RPC_CANCEL   "cancel"

enum {
        RPC_CALL_MAX = 1 << 20,    /* bytes of a caller's message */
        RPC_ANSWER_MAX = 64 << 20, /* of an owner's */
        RPC_ID = 1,
        RPC_NOT_HERE = -32001, /* an error's code: the owner is leaving, nothing was done; try again */
};

/* The first whole line among n bytes; false: there is none yet.  *ret_n: what to skip. */
bool rpc_find_line(const uint8_t *data, size_t n, struct span *ret, size_t *ret_n);

/* ---- calls ---- */

struct rpc_call {
        const struct verb *verb; /* borrowed, static */
        json_t *params;          /* owned */
        const char *state_dir;   /* borrowed from the message; NULL: there is none */
        bool has_input, has_output;
};

/* params: those of call with paths that mean the same elsewhere. */
MUST_USE enum err rpc_put_call(const struct verb_call *, json_t *params, bool has_input, bool has_output,
                               struct buf *, struct err_note *);
/* takes_any: also verbs that do not work on an SR. */
MUST_USE enum err rpc_take_call(const struct jsonrpc *, bool takes_any, struct rpc_call *ret,
                                struct err_note *);

/* ---- answers ---- */

/* Result or error of a call that has run. */
void rpc_put_answer(const struct verb_call *, enum err failed, const struct err_note *, struct buf *);
void rpc_put_error(int64_t code, enum verb_outcome, const struct err_note *, struct buf *);
/* Of JSONRPC_RESULT, JSONRPC_ERROR: fills result and outcome, or the note, and returns its code.
 * *ret_is_not_here: RPC_NOT_HERE. */
enum err rpc_take_answer(const struct jsonrpc *, struct verb_call *, bool *ret_is_not_here,
                         struct err_note *);

/* ---- notifications ---- */

void rpc_put_notice(const char *method, struct buf *);

enum { RPC_DOING_SIZE = 32 };
struct rpc_progress {
        char doing[RPC_DOING_SIZE];
        uint64_t done, total;
        bool has_ended;
};
void rpc_put_progress(const struct rpc_progress *, struct buf *);
void rpc_put_said(const char *line, struct buf *);
MUST_USE enum err rpc_take_progress(const struct jsonrpc *, struct rpc_progress *ret, struct err_note *);

#endif
