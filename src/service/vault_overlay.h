// SPDX-License-Identifier: Apache-2.0
/* Disks of a point, open as chains: each by itself, or below a VHD that takes what is written.
 *
 *      vault_overlay_open(vault, io, &manifest, &overlay, note)
 *      chain_open(&overlay.images, point_image_name(&disk).s, CHAIN_READ, …)    or the path of a VHD over one
 *      vault_overlay_fini(&overlay)                                             chains are closed by then
 *
 * Errors: those of point_image.h.  Threads: the call's.  Ownership: vault, io and manifest outlive it.
 */
#ifndef SERVICE_VAULT_OVERLAY_H
#define SERVICE_VAULT_OVERLAY_H

#include "chain.h"
#include "point_image.h"

struct vault_overlay {
        struct io *io;              /* owned; in which the disks lie; NULL: not open */
        struct images images;       /* of it */
        VEC(struct image *) points; /* owned counts; in the order of the manifest's disks */
};

MUST_USE enum err vault_overlay_open(struct vault *, struct io *, const struct vault_manifest *,
                                     struct vault_overlay *ret, struct err_note *);
void vault_overlay_fini(struct vault_overlay *);
DEFINE_AUTO_IN_PLACE(struct vault_overlay, vault_overlay_fini);

/* The VHD of that path, made where it is not there, over that disk.  ERR_MISMATCH: it is of another. */
MUST_USE enum err vault_overlay_chain(struct vault_overlay *, const char *path, const struct vault_disk *,
                                      struct chain **ret, struct err_note *);

#endif
