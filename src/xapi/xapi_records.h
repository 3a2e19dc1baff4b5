// SPDX-License-Identifier: Apache-2.0
/* What objects of a host and its SRs say, of what follows from them: objects of JSON, field by field,
 * without what clients own.
 *
 * Errors: none.  Threads: the owner of the SR where one is given; else any.
 * Ownership: all are new references.
 */
#ifndef XAPI_XAPI_RECORDS_H
#define XAPI_XAPI_RECORDS_H

#include <jansson.h>

#include "host.h"

/* The uuid of what a host has only one of, the same at each start. */
struct uuid xapi_derived_uuid(const struct uuid *of, const char *what);
struct uuid xapi_pbd_uuid(const struct host *, const struct uuid *sr);
struct uuid xapi_metrics_uuid(const struct host *);
struct uuid xapi_sm_uuid(const struct host *);
struct uuid xapi_network_uuid(const struct host *);
struct uuid xapi_pif_uuid(const struct host *);

json_t *xapi_record_of_host(const struct host *);
json_t *xapi_record_of_metrics(const struct host *);
json_t *xapi_record_of_pool(const struct host *);
json_t *xapi_record_of_sm(void);
json_t *xapi_record_of_network(const struct host *);
json_t *xapi_record_of_pif(const struct host *);
json_t *xapi_record_of_pbd(const struct host *, const struct host_sr *);
/* vdis: references of all its nodes. */
json_t *xapi_record_of_sr(const struct host *, const struct host_sr *, json_t *vdis);
/* What a node is beside its file. */
struct xapi_kin {
        const struct vdi *vdi; /* borrowed; NULL: a base copy */
        bool has_origin;       /* what it is a snapshot of is there */
        json_t *snapshots;     /* borrowed; references of those of it; NULL: none */
};
/* Fields of class VDI. */
json_t *xapi_record_of_node(const struct host_sr *, const struct node *, const struct xapi_kin *);

/* Fields of class VDI that only clients care for, and that a snapshot or clone takes over; ended by NULL. */
extern const char *const xapi_vdi_of_clients[];

/* Of sm_config, what follows from the file. */
bool xapi_is_derived_sm_config(const char *key);

#endif
