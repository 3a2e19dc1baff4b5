// SPDX-License-Identifier: Apache-2.0
/* Calls that come over HTTP: the request's body is taken in, the call is made by a thread of xapi, and its
 * answer goes back the way it came.
 *
 *      POST /jsonrpc, /json            JSON-RPC 1.0 and 2.0
 *      POST anything else              XML-RPC
 *      GET, HEAD                       404: no other route has it
 *      OPTIONS                         what scripts of other pages may do
 *
 * A body is at most XAPI_BODY_MAX bytes (413).  A call that waits for events holds no thread; one whose
 * client went away meanwhile is carried out all the same, and its answer thrown away.
 *
 * Errors: what is no request is answered, 400 or as a fault, with the reason.
 * Threads: the loop's; calls in those of xapi.
 */
#ifndef XAPI_XAPI_HTTP_H
#define XAPI_XAPI_HTTP_H

#include "http_server.h"

enum { XAPI_BODY_MAX = 300 * 1024 };

/* Handlers of routes; user is the xapi. */
void xapi_http_json(void *user, struct http_exchange *);
void xapi_http_any(void *user, struct http_exchange *);

#endif
