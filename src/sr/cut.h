// SPDX-License-Identifier: Apache-2.0
/* Several VDIs of one SR, snapshotted (or cloned) at one instant, all or none.
 *
 *      prepare     each VDI's new leaf and snapshot, synced, under temporary names; then all intents, one a
 *                  VDI, in one change
 *      settle      every writer's chain, unstopped
 *      freeze      every one, and what is left is flushed         from here to the thaw it is one instant
 *      link        every content gets its second name; sync the names
 *      rename      every snapshot, every new leaf                 a crash keeps any subset of these
 *      publish     every chain goes on with its new leaf, FLUSH held; thaw
 *      sync        the names: from here it has happened; FLUSH is released
 *      hide        every base; then all rows are put and all intents dropped in one change
 *
 * A VDI that has a base already (sr_fork.h) needs no pivot: its part is the new node alone, INTENT_NODE.
 * Its writer is frozen all the same, and whether its leaf is still empty is looked at again then; where it
 * is not, all is undone and prepared anew, once for each such VDI.
 *
 * Recovery, and whoever fails before the sync, asks: have all parts happened?  Then all are finished, else
 * all are undone, also those that had happened: the content gets its name back over the new leaf.  That is
 * allowed because FLUSH was held until the names of all were durable: what the new leaf held was never
 * acknowledged as durable.  A part that has not happened never seems to have while the others are undone,
 * and one that has stays so while they are finished; so a crash in the middle of either goes on the same
 * way.  All intents are dropped in one change: of fewer, "all" would mean something else.
 *
 * Promises [S1] [S2] [S3] [S4] of sr.h.
 * Errors: as those of pivot.h.  Threads: the owner of the SR; writers wait between freeze and thaw.
 */
#ifndef SR_CUT_H
#define SR_CUT_H

#include "sr_state.h"

/* Of all that are together with that one, once: where it is the first of them in the list. */
MUST_USE enum err cut_recover(struct sr *, const struct intents *, const struct intent *, struct err_note *);

#endif
