// SPDX-License-Identifier: Apache-2.0
/* A disk goes to another SR, also while guests have it open and write.
 *
 *      closed, or never written    copied, while nobody may begin to write to it
 *      open, and written           a look at what it holds (sr_move.h) is copied whole, while they write on;
 *                                  then what was written since, as often as it pays (move_rounds.h)
 *      the end                     they step aside, what is left is copied, it is committed there and deleted
 *                                  here, and they go on there (sr_move.h)
 *
 * The source is the whole truth until the end.  No turn is held while bytes move, but for the end, which has
 * both: whoever has the disk open waits for what was written during the last round.
 *
 * Errors: those of sr.h; ERR_BUSY names who has the disk open and cannot follow; ERR_CANCELLED, until the
 * end is committed; ERR_INVALID where it is there already, or was resized meanwhile.
 * Threads: the owner of the SR; of the other one it takes the turn.
 */
#ifndef SERVICE_VDI_MOVE_H
#define SERVICE_VDI_MOVE_H

#include "vdi_copy.h"

/* Name, description, tags, uuid, and whether it is a snapshot, stay; name, description and uuid of the order
 * are of no matter. */
MUST_USE enum err vdi_move_run(const struct vdi_copy *, struct err_note *);

#endif
