// SPDX-License-Identifier: Apache-2.0
/* A VM, or a snapshot of one, with its disks, laid out as an XVA: how long it is, and any part of it, in any
 * order, read into the caller's own memory by the caller's own batch.
 *
 *      xva_outlet_open(host, &vm, &outlet, note)
 *      xva_outlet_read(outlet, batch, at, memory, n, &data, &got, note)      … up to xva_outlet_length
 *      xva_outlet_close(outlet, note)
 *
 * Which blocks go is settled when it is opened; that the disks do not change meanwhile is why those that
 * somebody writes to are refused.  What is read once is read the same again.
 *
 * Errors: ERR_NOT_FOUND: the VM, or a disk of it; ERR_BUSY, somebody writes to a disk; those of vdi_outlet.h,
 * and of chains.
 * Threads: one at a time; open and close take SRs' turns and give them back.
 * Ownership: the host outlives it.  Memory: ova.xml, and a bit for each MiB.
 */
#ifndef SERVICE_XVA_OUTLET_H
#define SERVICE_XVA_OUTLET_H

#include "chain_batch.h"
#include "host.h"
#include "xva.h"

struct xva_outlet;

enum { XVA_OUTLET_ROOM = XVA_BLOCK + 8192 }; /* memory for a read; it begins at a page */

MUST_USE enum err xva_outlet_open(struct host *, const struct uuid *vm, struct xva_outlet **ret,
                                  struct err_note *);
/* It is gone also where that failed. */
MUST_USE enum err xva_outlet_close(struct xva_outlet *, struct err_note *);

uint64_t xva_outlet_length(const struct xva_outlet *);
/* The bytes from `at` on, to the end of the record or block there: at least one but at the end.  *ret says
 * where in memory they begin. */
MUST_USE enum err xva_outlet_read(struct xva_outlet *, struct chain_batch *, uint64_t at, uint8_t *memory,
                                  const uint8_t **ret, size_t *ret_n, struct err_note *);

#endif
