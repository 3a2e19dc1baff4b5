// SPDX-License-Identifier: Apache-2.0
/* The XenAPI of one daemon: what it is asked by JSON-RPC and XML-RPC over HTTP, and the objects of its SRs
 * and of itself, which it keeps in step with what they are.
 *
 *      xapi_new(&host, &xapi, note)           the objects of the host and its SRs are there when it returns
 *      routes = xapi_routes(xapi, &n)         for http_server_new
 *      xapi_drain(xapi)                       when the daemon stops
 *      xapi_free(xapi)                        after the server: no connection of these routes is left
 *
 * docs/xapi.md says what is served and what differs from other hosts.
 *
 * Errors: those of objects.h.  Threads: any; routes are called by the loops' threads, calls run in threads
 * of our own.
 */
#ifndef XAPI_XAPI_H
#define XAPI_XAPI_H

#include "host.h"
#include "http_server.h"

struct xapi;

MUST_USE enum err xapi_new(struct host *, struct xapi **ret, struct err_note *);
/* Before the server drains: calls that wait for events are answered, those that come do not wait. */
void xapi_drain(struct xapi *);
/* Waits for the calls under way, those too whose clients are gone: their loops run meanwhile.  Tasks were
 * cancelled by then. */
void xapi_free(struct xapi *);
DEFINE_AUTO(struct xapi *, xapi_free);

/* Ours as long as xapi. */
const struct http_route *xapi_routes(const struct xapi *, size_t *ret_n);

#endif
