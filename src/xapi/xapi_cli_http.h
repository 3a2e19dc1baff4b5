// SPDX-License-Identifier: Apache-2.0
/* `xe`, at POST /cli: the request's body is the command, and instead of an answer of HTTP the two speak
 * xe_cli.h over the bare connection.
 *
 *      BODY ──> BANNER ──> LOGIN ──> COMMAND <──> TRANSFER, PROMPT, TASK ──> BYE ──all is sent──> over
 *
 * A step of the command is made by a thread of xapi, one at a time; meanwhile, while a client transfers a
 * file, and while somebody thinks about what to type, no thread is held.  A client that goes ends its command
 * after the step that it is in; its session and task are put away all the same.  One that reads or says
 * nothing for long is cut off, unless its transfer goes on.
 *
 * Errors: a body longer than XAPI_CLI_BODY_MAX is 413, one that is no command 400; 503 where there are too
 * many clients, or the daemon stops; who does not keep to the protocol is cut off.
 * Threads: the loop's.
 */
#ifndef XAPI_XAPI_CLI_HTTP_H
#define XAPI_XAPI_CLI_HTTP_H

#include "http_server.h"

enum { XAPI_CLI_BODY_MAX = 200 * 1024 };

/* Handler of the route; user is the xapi. */
void xapi_cli_http(void *user, struct http_exchange *);

#endif
