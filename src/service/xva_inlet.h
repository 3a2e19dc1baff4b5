// SPDX-License-Identifier: Apache-2.0
/* An XVA on its way in, byte by byte as it comes, compressed or not: its VM is there with all its disks, or
 * nothing of it is.
 *
 *      xva_inlet_new(&ask, &inlet, note)
 *      xva_inlet_push(inlet, data, n, note)     … until all has come, or xva_inlet_is_whole
 *      xva_inlet_commit(inlet, &refs, note)     durable, and seen
 *      xva_inlet_free(inlet)                    without a commit nothing has happened
 *
 *   [A1] every block is checked against its checksum; one that is wrong, missing or out of order ends it all,
 *        but for wrong ones where that is forced: those are counted and logged
 *   [A2] disks are seen by nobody before the commit, and where one cannot be, none is;
 *        after a crash vms_recover removes those that have no VM
 *
 * The VM is seen from the moment ova.xml has come (xva_vm.h).  The end of the archive may be missing; a
 * disk's may not.
 *
 * Errors: those of xva.h, xva_ova.h, pack.h, sr.h; ERR_CORRUPT: it is no XVA, or damaged; ERR_CUT_SHORT;
 * ERR_TOO_LARGE: ova.xml beyond XVA_INLET_OVA_MAX.
 * Threads: one at a time; takes the SR's turn and gives it back.
 * Ownership: host and SR outlive it.  Memory: ova.xml, and what the decompression has.
 */
#ifndef SERVICE_XVA_INLET_H
#define SERVICE_XVA_INLET_H

#include "host.h"

enum {
        XVA_INLET_OVA_MAX = 4 << 20,
        XVA_INLET_DISKS_MAX = 255,
};

struct xva_inlet_ask {
        struct host *host;        /* borrowed */
        const struct host_sr *sr; /* borrowed; where the disks go */
        bool restores;            /* as xva_vm.h has it */
        bool is_forced;           /* likewise; and blocks that are wrong by their checksum are taken */
        struct uuid task;         /* null: none */
};

struct xva_inlet;

MUST_USE enum err xva_inlet_new(const struct xva_inlet_ask *, struct xva_inlet **ret, struct err_note *);
void xva_inlet_free(struct xva_inlet *);
DEFINE_AUTO(struct xva_inlet *, xva_inlet_free);

MUST_USE enum err xva_inlet_push(struct xva_inlet *, const void *data, size_t n, struct err_note *);
uint64_t xva_inlet_taken(const struct xva_inlet *); /* bytes, as they came */
bool xva_inlet_is_whole(const struct xva_inlet *);  /* no further byte is needed */
MUST_USE enum err xva_inlet_commit(struct xva_inlet *, struct uuid *ret_vm, struct err_note *);

#endif
