// SPDX-License-Identifier: Apache-2.0
/* Async.X.y: the call runs as a task, in a thread of its own, and the client gets the task's reference at
 * once.
 *
 * The task's result is the call's as an XML-RPC value, its error that of the call.
 *
 * Errors: TOO_MANY_PENDING_TASKS, and nothing was done.  Threads: any.
 */
#ifndef XAPI_XAPI_ASYNC_H
#define XAPI_XAPI_ASYNC_H

#include "xapi_call.h"

/* A call that was prepared. */
bool xapi_async_begin(struct xapi_call *);

#endif
