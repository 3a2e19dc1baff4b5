// SPDX-License-Identifier: Apache-2.0
/* A disk of a restore point of Xen Orchestra as what a put reads: the chain of its VHD, and what the topmost
 * holds by itself.
 *
 * Errors: those of xo_folder.h and chain.h.  Threads: as put.h has them for sources; open and close: one.
 * Ownership: images and the io behind them outlive it.
 */
#ifndef SERVICE_XO_DISK_H
#define SERVICE_XO_DISK_H

#include "chain.h"
#include "put.h"

struct xo_disk {
        struct chain *chain;            /* owned */
        VEC(struct put_extent) changed; /* owned; what the top holds itself; ascending, apart */
        struct uuid uuid, parent;       /* of the VHD, and of its parent; null: none */
        struct put_source source;
};
MUST_USE enum err xo_disk_open(struct images *, const char *path, struct xo_disk *ret, struct err_note *);
void xo_disk_fini(struct xo_disk *);
DEFINE_AUTO_IN_PLACE(struct xo_disk, xo_disk_fini);

#endif
