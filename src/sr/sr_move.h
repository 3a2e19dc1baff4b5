// SPDX-License-Identifier: Apache-2.0
/* A VDI that goes to another SR, also while it is in use: what it held at an instant, for who copies that,
 * and the end, after which one of the two SRs has it.
 *
 *      sr_move_check               nobody has it open but who can follow
 *      sr_move_look                what it holds now, whoever writes on; closed by sr_close_chain
 *      … copied; another look, and what differs is copied …
 *      with both turns, to the end:
 *      sr_move_ask_aside           nobody writes any more
 *      … the rest is copied …
 *      sr_move_commit              see below
 *      sr_move_let_in              they go on, here or there
 *
 * A look makes the VDI's content a hidden base copy, of which no client sees anything; once it is closed a
 * coalesce takes it out again, also after a crash.
 *
 * The end, step by step, each durable before the next:
 *      the bytes of the import
 *      the mark, .catena/arriving-<vdi> in the other SR: from whom it comes
 *      the intent, in this SR: it may be there by now
 *      the import is committed           from here on it is there, and not here
 *      here it is hidden, its row and the intent dropped
 *      the mark goes; who had it open goes on
 *
 * After a crash the next owner of this SR looks into the other's folder: has it the VDI, it goes here; has
 * it not, nothing has happened.  Where that folder cannot be reached, or is none that a mark was made in,
 * the VDI is neither read nor written here until it can: it may have been written there.  While the mark is
 * there and this SR shows the VDI still, it is not deleted there, so that "it is not there" means what it
 * says.
 *
 *   [M1] a VDI that moves can be opened in one of the two SRs at most, and once its move was cut short in the
 *        one that has all that was acknowledged
 *   [M2] what fails before the commit leaves nothing in the other SR, and the VDI as it was
 *
 * Errors: those of sr.h; ERR_BUSY names who cannot follow, or which SR must be opened first.
 * Threads: the owner of the SR; the end, the owner of both.
 */
#ifndef SR_SR_MOVE_H
#define SR_SR_MOVE_H

#include "sr.h"

MUST_USE enum err sr_move_check(struct sr *, const struct uuid *vdi, const struct sr *to, struct err_note *);
MUST_USE enum err sr_move_look(struct sr *, const struct uuid *vdi, struct chain **ret, struct err_note *);

/* Where it fails those that stepped aside are still to be let in. */
MUST_USE enum err sr_move_ask_aside(struct sr *, const struct uuid *vdi, const struct sr *to,
                                    struct sr_aside *, struct err_note *);
/* into, an import of the same uuid in `to`, ends.  *ret_is_over is set also where it fails: it is there, and
 * goes here with the next change or open.  Where that cannot be told yet it is neither here nor there. */
MUST_USE enum err sr_move_commit(struct sr *, const struct uuid *vdi, struct sr *to, struct sr_import *into,
                                 const struct uuid *stream, bool *ret_is_over, struct err_note *);
/* to NULL: they have it from where it was. */
void sr_move_let_in(struct sr_aside *, const struct sr *to);

/* Where a VDI went that was here when the SR was opened, or was hidden by that.  Of one that came back the
 * last time. */
bool sr_move_went(const struct sr *, const struct uuid *vdi, struct uuid *ret_sr);

/* ---- for this floor ---- */

/* All moves that were cut short.  sr was refreshed, and is again where something changed. */
MUST_USE enum err sr_move_recover(struct sr *, struct err_note *);
/* A VDI that may be of another SR by now is looked for there; ERR_BUSY where that cannot be told. */
MUST_USE enum err sr_move_need_here(struct sr *, const struct uuid *vdi, struct err_note *);
/* ERR_BUSY where the SR that the VDI came from has it still. */
MUST_USE enum err sr_move_need_settled(struct sr *, const struct uuid *vdi, struct err_note *);

#endif
