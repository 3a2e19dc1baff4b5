// SPDX-License-Identifier: Apache-2.0
/* Parents change.  After a push the children of an emptied node get another parent, the one into which it was
 * emptied:
 *
 *      intent     INTENT_RELINK, durable: vdi is the emptied node, other its heir, nodes the whole run
 *      child      its locators' payloads, sync; its header's first sector, sync (vhd_edit.h); where it is
 *                 open, in memory too; then the next child
 *      then       the emptied nodes have no children and go, from the top down
 *
 * Without the intent a child that was cut short leads, by its header's uuid and name, to the parent that it
 * had; with it recovery finishes all children, and leaves the emptied nodes to be collected as garbage.
 *
 * After a pull its top gets the parent of the lowest node of the run, or none:
 *
 *      intent     INTENT_RELINK_TOP, durable: vdi is the top, other the lowest, nodes the whole run; the top
 *                 holds, durably, all that is seen of the others
 *      top        as a child above; where there is no parent any more: both footers say dynamic, sync, then
 *                 the header's first sector, sync (vhd_edit_drop_parent)
 *      then       nothing names the others, and they go, from the top down
 *
 * Cut short, the top leads to the one or the other, and reads the same.
 *
 * Errors: those of vhd_edit_set_parent.  Threads: the owner of the SR; open chains go on reading and writing.
 */
#ifndef SR_RELINK_H
#define SR_RELINK_H

#include "sr_state.h"

/* One child, as the SR's tree has them; imports under way count too.  *ret_did false: there is none left. */
MUST_USE enum err relink_child(struct sr *, const struct intent *, bool *ret_did, struct err_note *);
/* The top of a pull, as the SR's tree has it. */
MUST_USE enum err relink_top(struct sr *, const struct intent *, struct err_note *);
/* All of them, or the top, by a scan of its own, and drops the intent.  Doing it twice changes nothing. */
MUST_USE enum err relink_recover(struct sr *, const struct intent *, struct err_note *);

#endif
