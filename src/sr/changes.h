// SPDX-License-Identifier: Apache-2.0
/* What changed between snapshots, also when their data is gone.
 *
 * Two snapshots that have their data are compared by their layers, exactly.  One whose data is destroyed
 * becomes metadata: a name, and its place in a chain of logs (logbook.h).  The log of X says what was written
 * from its parent, the snapshot before it, to X; what changed between two is the union of the logs and layers
 * from behind the older to the newer.
 *
 *      S1 ───────── S2 ───────── S3 ───────── disk        S1 gone: the log of S2 has S1 as its parent
 *          layers       layers       layers               S1 and S2 gone: the logs of S2 and S3 say it
 *
 * Nobody watches the writes: the layer above a snapshot's is the record of what was written since, and is as
 * durable as the data.  So the data of metadata stays while a disk with change tracking comes right after it:
 * what will be written up to the next snapshot can be told by that layer only.  It stays too while only a
 * snapshot with data is between: that may be deleted again, as one of a failed backup is.  It goes when that
 * snapshot becomes metadata, when there is a later one, or when the disk has no change tracking any more.
 *
 * Promises, at every instant and after any crash:
 *   [K1] an answer holds every block that differs
 *   [K2] data goes only after all that it tells of its neighbours is durable in their logs
 *   [K3] metadata is told of until it is deleted, with its log and its row, or its data, at least one of them
 *        naming it
 *   [K4] deleting a snapshot changes no answer about two others; where it was the last before the disk, what
 *        came before it and has no data leads to no later snapshot any more
 *
 * Errors: as sr.h.  Threads: the owner of the SR.
 */
#ifndef SR_CHANGES_H
#define SR_CHANGES_H

#include "sr_state.h"

/* Before vdi is deleted: those that came after it take over what it tells.  Afterwards it has no log. */
MUST_USE enum err changes_leave_line(struct sr *, const struct uuid *vdi, struct err_note *);
/* Metadata without data and without a log is gone with its row. */
MUST_USE enum err changes_drop_row(struct sr *, const struct uuid *vdi, struct err_note *);
/* The data of metadata goes where it is not needed, and refreshes where some did.  wanted (may be NULL): its
 * data goes also while it is the last but one. */
MUST_USE enum err changes_settle(struct sr *, const struct uuid *wanted, struct err_note *);

#endif
