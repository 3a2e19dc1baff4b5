// SPDX-License-Identifier: Apache-2.0
/* What an owner's open does first: every intent is undone or finished, whatever a crash left.
 *
 *      intent    on disk                                        then
 *      pivot     L and B one inode, or B missing                undone: S, .S.new, .L.new, then B go
 *                L missing, B there (no links)                  undone: B becomes L again
 *                L and B two inodes, or L.vhd beside L.raw      finished: S gets its name, B is hidden
 *      pivots,   all have happened                              finished, all of them (cut.h)
 *      nodes,    else                                           undone, all of them: what had happened too
 *      together
 *      resize    as vhd_resize_recover finds it                 finished or undone, the plan dropped
 *      coalesce  the BATs say how far it came              dropped: every state is a legal chain
 *      relink    some children have the new parent            finished: all have; what was emptied is garbage
 *      leaf      P there under its own name                   finished: unhidden, renamed over L
 *      pivot     P gone                                       it has happened
 *                L holds blocks, by another hand              undone: P is hidden again
 *      move      see sr_move.h                                left alone here
 *      (none)    hidden in the footer that counts only          hidden in both
 *                .<uuid>.*.new                                  removed
 *
 * Doing it twice changes nothing more [S3]; a crash in the middle is recovered the same way.
 *
 * Errors: the first that was met; what could not be recovered is tried again before the next change and at
 * the next open, and until then nothing is changed. Threads: the owner of the SR.
 */
#ifndef SR_RECOVER_H
#define SR_RECOVER_H

#include "sr_state.h"

MUST_USE enum err recover_all(struct sr *, struct err_note *);
/* After recover_all, when no verb is under way: temporary files that no intent names. */
MUST_USE enum err recover_leftovers(struct sr *, struct err_note *);
/* Nodes that one of two footers calls hidden: the one that counts, written first.  sr was refreshed. */
MUST_USE enum err recover_halves(struct sr *, bool *ret_did_change, struct err_note *);

#endif
