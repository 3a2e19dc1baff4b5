// SPDX-License-Identifier: Apache-2.0
/* A disk's content as a disk of its own, in another SR or the same: there whole or not at all.  Or into a
 * disk that is there, which reads as before until it reads as the source does.
 *
 * What nobody writes any more (a snapshot) is copied whoever reads it; any other VDI must be closed, and
 * writers are refused while it lasts.  Neither SR's turn is held while bytes move, and the two are never
 * held at once.
 *
 * Errors: those of sr.h; ERR_BUSY names who has a disk open; ERR_INVALID where the disk that it goes into is
 * too small; ERR_CANCELLED.  Threads: the owner of both SRs.
 */
#ifndef SERVICE_VDI_COPY_H
#define SERVICE_VDI_COPY_H

#include "progress.h"
#include "sr.h"
#include "turn.h"

struct vdi_copy {
        struct sr *sr;        /* borrowed; where it is */
        struct turn *turn;    /* borrowed; of sr, held; NULL: nobody waits */
        struct sr *to;        /* borrowed; may be the same */
        struct turn *to_turn; /* borrowed; of to, not held, but where to is sr; NULL: nobody waits */
        struct uuid vdi;
        const char *name;        /* borrowed; NULL: as it is */
        const char *description; /* borrowed; NULL: as it is */
        const struct uuid *uuid; /* borrowed; what it will be; NULL: a fresh one */
        /* borrowed; a closed disk of `to` that gets it, and keeps its name, uuid and size; NULL: a new one */
        const struct uuid *into;
        /* borrowed; of sr: only what differs from it goes over; NULL: all */
        const struct uuid *base;
        struct progress *progress; /* borrowed */
};

/* The copy is a disk, also that of a snapshot. */
MUST_USE enum err vdi_copy_run(const struct vdi_copy *, struct uuid *ret, struct err_note *);

#endif
