// SPDX-License-Identifier: Apache-2.0
/* Before it uploads, a client of the XenAPI looks whether it would be sent elsewhere: a PUT without task_id
 * and without a byte of a body.  It is answered, and touches nothing.
 *
 * Whose length is 0 is known at once.  Who does not know his length declares 1 PiB, in the look as well; so
 * one without a task is given a second for his first byte.
 *
 * Errors: none.  Threads: the exchange's loop.
 */
#ifndef SERVE_HTTP_PROBE_H
#define SERVE_HTTP_PROBE_H

#include "http_server.h"

#define HTTP_LENGTH_UNKNOWN (UINT64_C(1) << 50) /* what clients declare who do not know */

/* Where it is no look, begin is called, now or later. user: borrowed, outlives the exchange. */
void http_probe_or(struct http_exchange *, void (*begin)(void *user, struct http_exchange *), void *user);

#endif
