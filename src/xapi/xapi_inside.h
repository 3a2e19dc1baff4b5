// SPDX-License-Identifier: Apache-2.0
/* What the files of this room share.
 *
 * Errors: as xapi_error.h.  Threads: any; what is changed guards itself.
 */
#ifndef XAPI_XAPI_INSIDE_H
#define XAPI_XAPI_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http_server.h"
#include "xapi.h"
#include "xapi_call.h"
#include "xapi_events.h"
#include "xapi_gc.h"
#include "xapi_mirror.h"
#include "xapi_talks.h"
#include "xapi_waiters.h"
#include "pool.h"

enum { XAPI_N_ROUTES = 4 };

struct xapi {
        struct host *host;                  /* borrowed, outlives us */
        struct xapi_mirror *mirror;         /* owned */
        struct xapi_registered *registered; /* owned; sessions of event.register */
        struct xapi_waiters *waiters;       /* owned; calls that wait for events */
        struct xapi_talks *talks;           /* owned; clients of xe */
        struct pool *quick;                 /* owned; calls that only look, and all parsing */
        struct pool *slow;                  /* owned; calls that may wait for an SR */
        struct pool *logins;                /* owned; those who have no session yet */
        struct pool *background;            /* owned; tasks */
        struct xapi_gc *gc;                 /* owned */
        atomic_bool is_draining;            /* nobody waits for events any more */
        struct http_route routes[XAPI_N_ROUTES];

        pthread_mutex_t mutex; /* guards what is below */
        pthread_cond_t left;
        unsigned n_calls; /* of exchanges: what loops may yet touch us for */
};

/* A call that came by an exchange lasts until its loop has seen the last of it, which may be after its
 * connection is gone and its worker is done. */
void xapi_enter(struct xapi *);
void xapi_leave(struct xapi *); /* nothing of xapi is touched after it */

/* ---- SRs and VDIs by verbs; params are taken, and get "sr" and "vdi" ---- */

/* The SR that a VDI's record names; NULL: the call's error is set. */
const struct host_sr *xapi_sr_of_vdi(struct xapi_call *, const struct uuid *vdi);
const struct host_sr *xapi_sr_find(struct xapi_call *, const struct uuid *sr);
/* Runs the verb of noun vdi, then the SR's objects follow.  *ret (may be NULL): its result, a new
 * reference.  operation: as clients call it. */
bool xapi_vdi_verb(struct xapi_call *, const struct uuid *vdi, const char *verb, json_t *params,
                   const char *operation, json_t **ret);
bool xapi_vdi_set(struct xapi_call *, const struct uuid *vdi, json_t *params);
bool xapi_sr_verb(struct xapi_call *, const struct host_sr *, const char *noun, const char *verb,
                  json_t *params, json_t **ret);
/* "uuid" of a verb's result. */
struct uuid xapi_uuid_of(const json_t *result);

#endif
