// SPDX-License-Identifier: Apache-2.0
/* The XVA of a full backup of Xen Orchestra as disks that a put reads, at any place: its members are gone
 * through once, then a block is read where it lies, with its checksum.
 *
 *      xo_xva_open(io, path, &xva, note)      its disks are known, and that the archive is whole
 *      xo_xva_source(xva, i)                  one of xo_xva_disks
 *      xo_xva_free(xva)
 *
 * Compressed ones are unpacked on the way (xo_xva_bytes.h), twice: to see what is there, and to read it.
 * Nothing is written.  One that is encrypted is refused by whoever opens it.
 *
 * Errors: those of tar.h, xva.h and xva_ova.h; ERR_CORRUPT, a block is not what
 * its checksum says: never other data.
 * Threads: as put.h has them for sources; open and free: one.
 * Memory: that of xo_xva_bytes.h, 40 bytes a MiB that the archive has, and 16 blocks a disk.
 */
#ifndef SERVICE_XO_XVA_H
#define SERVICE_XO_XVA_H

#include "io.h"
#include "put.h"
#include "uuid.h"

struct xo_xva;
struct xo_xva_disk {
        struct uuid uuid;  /* of the snapshot that was exported */
        const char *label; /* borrowed from the archive; may be empty */
};
MUST_USE enum err xo_xva_open(struct io *, const char *path, struct xo_xva **ret, struct err_note *);
void xo_xva_free(struct xo_xva *);
DEFINE_AUTO(struct xo_xva *, xo_xva_free);

size_t xo_xva_n_disks(const struct xo_xva *);
struct xo_xva_disk xo_xva_disk(const struct xo_xva *, size_t i);
struct put_source xo_xva_source(struct xo_xva *, size_t i); /* its user is the archive's */

#endif
