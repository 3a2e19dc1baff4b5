// SPDX-License-Identifier: Apache-2.0
/* Coalescing, as clients of the XenAPI see it: a task "Garbage collection for SR …" that moves in bytes,
 * begun where there is something to do, one for each SR at a time.
 *
 * The SR's other_config says no by "gc" or "coalesce" = "false".
 *
 * Errors: they are the task's.  Threads: any.
 */
#ifndef XAPI_XAPI_GC_H
#define XAPI_XAPI_GC_H

#include "host.h"

struct xapi_gc;
struct pool;

struct xapi_gc *xapi_gc_new(struct host *, struct pool *);
void xapi_gc_free(struct xapi_gc *); /* after its workers */
DEFINE_AUTO(struct xapi_gc *, xapi_gc_free);

/* Returns at once. */
void xapi_gc_kick(struct xapi_gc *, const struct host_sr *);

/* ---- for the test ---- */

/* The first coalesce that failed in what `gc run` tells; ERR_NONE: none did. */
MUST_USE enum err xapi_gc_failure(const json_t *result, struct err_note *);

#endif
