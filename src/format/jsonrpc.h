// SPDX-License-Identifier: Apache-2.0
/* JSON-RPC 2.0, one message a line: what goes over the owner's socket.
 *
 *      {"jsonrpc":"2.0","id":1,"method":"vdi.snapshot","params":{…}}                       a call
 *      {"jsonrpc":"2.0","method":"progress","params":{…}}                                  a notification
 *      {"jsonrpc":"2.0","id":1,"result":{…}}
 *      {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"…","data":{…}}}
 *
 * A line is the compact form, so no newline is within.  Ids are integers; params and results objects; there
 * are no batches.  Members that are not known are skipped; what has two meanings (a method and a result, say,
 * or one member twice) is refused.
 *
 * Errors: ERR_CORRUPT, the text says what is wrong; ERR_UNSUPPORTED for a message of ours that is not UTF-8.
 * Threads: any.  Ownership: a message's JSON is its own, released by jsonrpc_fini.
 */
#ifndef FORMAT_JSONRPC_H
#define FORMAT_JSONRPC_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"

enum jsonrpc_kind { JSONRPC_CALL, JSONRPC_NOTIFICATION, JSONRPC_RESULT, JSONRPC_ERROR };

enum {
        JSONRPC_INVALID_REQUEST = -32600,
        JSONRPC_NO_SUCH_METHOD = -32601,
        JSONRPC_VERB_FAILED = -32000, /* data says how, by our own codes */
        JSONRPC_METHOD_MAX = 64,
};

struct jsonrpc {
        enum jsonrpc_kind kind;
        int64_t id;                          /* not of notifications */
        char method[JSONRPC_METHOD_MAX + 1]; /* calls, notifications */
        json_t *params;                      /* owned; an object; calls, notifications */
        json_t *result;                      /* owned; an object; results */
        int64_t code;                        /* errors */
        char message[ERR_TEXT_SIZE];         /* likewise */
        json_t *data;                        /* owned; an object or NULL; likewise */
};
void jsonrpc_fini(struct jsonrpc *);
DEFINE_AUTO_IN_PLACE(struct jsonrpc, jsonrpc_fini);

/* line: without its newline. */
MUST_USE enum err jsonrpc_decode(struct span line, struct jsonrpc *ret, struct err_note *);
/* Adds a line with its newline; on failure nothing. */
MUST_USE enum err jsonrpc_encode(const struct jsonrpc *, struct buf *, struct err_note *);

#endif
