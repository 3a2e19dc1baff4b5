// SPDX-License-Identifier: Apache-2.0
/* A VHD over a disk of a point (vault_overlay.h) as what a put reads: what it holds may differ from that
 * disk, and nothing else is read.
 *
 * Errors: those of chain.h and point_image.h.  Threads: as put.h has them for sources.
 * Ownership: vault, io and the parent's manifest outlive it.
 */
#ifndef SERVICE_OVERLAY_SOURCE_H
#define SERVICE_OVERLAY_SOURCE_H

#include "put.h"
#include "vault_overlay.h"

struct overlay_source {
        struct vault_overlay overlay;
        struct chain *chain, *base;     /* owned; with the overlay, and the disk alone */
        const struct vault_disk *below; /* borrowed; the disk that it is over; NULL: none of this point's */
        VEC(struct put_extent) changed; /* owned; ascending, apart */
        struct put_source source;
};

/* below NULL where that file is no such VHD: nothing is open then. */
MUST_USE enum err overlay_source_open(struct vault *, struct io *, const struct vault_manifest *parent,
                                      const char *path, struct overlay_source *ret, struct err_note *);
void overlay_source_fini(struct overlay_source *);
DEFINE_AUTO_IN_PLACE(struct overlay_source, overlay_source_fini);

#endif
