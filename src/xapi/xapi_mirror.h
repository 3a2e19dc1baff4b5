// SPDX-License-Identifier: Apache-2.0
/* Keeps the objects of a host's SRs and of itself in step with what they are: classes host, pool, SM,
 * network, PIF, SR, PBD and VDI.
 *
 *      xapi_mirror_new(host, &mirror, note)     all of them are there when it returns
 *      xapi_mirror_now(mirror, sr)              … and are up to date with that SR when this returns
 *
 * Each time an SR's turn was given back its disks and hidden nodes are compared with their objects, by a
 * thread of its own, within some MIRROR_PACE_NS, and what differs is changed in one go.
 *
 * What follows from the SR (names, sizes, parents, snapshots) is not kept in the objects' store: it is read
 * anew at each start.  What clients own (other_config, xenstore_data, type, …) is theirs, and stays,
 * also where a disk moves from one of the SRs to another.  A hidden node is a VDI that is not managed, named
 * "base copy"; sm_config["vhd-parent"] is the uuid of the node that the disk's file stands on.
 *
 * Errors: of new, those of objects.h; later ones are logged, and tried again with the next change.
 * Threads: any; now takes and gives the SR's turn, which the caller has not.
 */
#ifndef XAPI_XAPI_MIRROR_H
#define XAPI_XAPI_MIRROR_H

#include "host.h"

struct xapi_mirror;

/* At least this long between two looks at an SR, and four times what the last one took. */
#define MIRROR_PACE_NS (UINT64_C(2) * 1000000)

MUST_USE enum err xapi_mirror_new(struct host *, struct xapi_mirror **ret, struct err_note *);
void xapi_mirror_free(struct xapi_mirror *);
DEFINE_AUTO(struct xapi_mirror *, xapi_mirror_free);
void xapi_mirror_now(struct xapi_mirror *, const struct host_sr *);
void xapi_mirror_all(struct xapi_mirror *); /* of all SRs */

#endif
