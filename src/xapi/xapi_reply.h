// SPDX-License-Identifier: Apache-2.0
/* What a call came to, in the words of its protocol.
 *
 * JSON-RPC 1.0, 2.0 and XML-RPC differ in how they frame a result and an error; XML-RPC also writes down
 * types that JSON does not have (xmlrpc.h), which follow from the call's shape.
 *
 * Errors: none.  Threads: any.
 */
#ifndef XAPI_XAPI_REPLY_H
#define XAPI_XAPI_REPLY_H

#include "buf.h"
#include "xapi_call.h"

enum xapi_wire { XAPI_JSON_1, XAPI_JSON_2, XAPI_XML };

/* One request, as it came. */
struct xapi_request {
        enum xapi_wire wire;
        char name[XAPI_NAME_MAX];
        json_t *params; /* owned; an array */
        json_t *id;     /* owned; of JSON-RPC; a text or an integer */
};
void xapi_request_fini(struct xapi_request *);
DEFINE_AUTO_IN_PLACE(struct xapi_request, xapi_request_fini);

/* ERR_CORRUPT: it is no request, the text says why; wire is set also then, to what can be told of it. */
MUST_USE enum err xapi_request_decode(bool is_xml, const struct buf *, struct xapi_request *ret,
                                      struct err_note *);
/* Adds the body of the answer. */
void xapi_reply_add(const struct xapi_request *, const struct xapi_call *, struct buf *);
/* The result alone, as XML-RPC: "" where there is none. */
void xapi_reply_value(const struct xapi_call *, struct buf *);

#endif
