// SPDX-License-Identifier: Apache-2.0
/* The mark of a VDI that arrives: a small file in .catena, by the VDI's uuid, that says from which folder it
 * comes.  It can be read by who does not own the SR, and tells the SR that a move went to from another, or an
 * empty folder, that is reached by the same path now.
 *
 * Errors: those of io.h.  Threads: the owner of the SR for put; look, arrival: any; drop: either owner.
 */
#ifndef SR_SR_MOVE_MARK_H
#define SR_SR_MOVE_MARK_H

#include "place.h"

/* Durable when it returns. */
MUST_USE enum err move_mark_put(struct place *, const struct uuid *vdi, const char *from, struct err_note *);
/* Where it is left it does no harm. */
void move_mark_drop(struct io *, const char *folder, const struct uuid *vdi);

/* Whether the SR at folder, that a VDI was moved to, has it. */
enum move_found { MOVE_UNKNOWN, MOVE_THERE, MOVE_NOT_THERE };
enum move_found move_mark_look(struct io *, const char *folder, const struct uuid *vdi);

/* Of a VDI that the SR at `place` has: whether the SR that it came from shows it still.  MOVE_NOT_THERE also
 * where it came from nowhere, or that folder holds no SR any more; *ret_from (may be NULL) is the caller's to
 * free, NULL where it came from nowhere. */
enum move_found move_mark_arrival(struct place *, const struct uuid *vdi, char **ret_from);

#endif
