// SPDX-License-Identifier: Apache-2.0
/* A disk's content as a disk of its own, in another SR or the same: there whole or not at all.
 *
 * What nobody writes any more (a snapshot) is copied whoever reads it; any other VDI must be closed, and
 * writers are refused while it lasts.  Neither SR's turn is held while bytes move, and the two are never
 * held at once.
 *
 * A move is a copy of the same uuid, and then, once that is durable, the source's deletion.  A crash
 * between the two leaves both, each whole; until one is written they read the same.
 *
 * Errors: those of sr.h; ERR_BUSY names who has the disk open; ERR_CANCELLED.  Where a move fails after its
 * copy was made the text says which are left.  Threads: the owner of both SRs.
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
        const char *name;          /* borrowed; NULL: as it is */
        const char *description;   /* borrowed; NULL: as it is */
        const struct uuid *uuid;   /* borrowed; what it will be; NULL: a fresh one */
        struct progress *progress; /* borrowed */
};

/* The copy is a disk, also that of a snapshot. */
MUST_USE enum err vdi_copy_run(const struct vdi_copy *, struct uuid *ret, struct err_note *);
/* Name, description, tags, uuid, and whether it is a snapshot, stay; name, description and uuid of the
 * order are of no matter. */
MUST_USE enum err vdi_move_run(const struct vdi_copy *, struct err_note *);

#endif
