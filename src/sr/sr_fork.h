// SPDX-License-Identifier: Apache-2.0
/* New children of what a VDI holds: the one algorithm behind snapshot, clone, revert and import onto a VDI.
 *
 * Something can have children when nobody will ever write it: a hidden base, a visible node that has children
 * already, and, of a VDI that holds no block of its own, its parent.  Else the VDI's content is made a base
 * by a pivot (pivot.h), and the VDI goes on as its empty child.  So a second snapshot of an unchanged VDI
 * adds no layer.
 *
 * Errors: see pivot.h.  Threads: the owner of the SR.
 */
#ifndef SR_SR_FORK_H
#define SR_SR_FORK_H

#include "sr_state.h"

/* A new VDI, row, that reads as vdi does now.  ERR_TOO_LARGE for the SR's max-depth. */
MUST_USE enum err sr_fork(struct sr *, const struct vdi *, const struct vdi_row *row, struct err_note *);
/* Makes vdi's content a base if it is none yet, with no new VDI; *ret_base is that base's uuid.  Refreshes.
 */
MUST_USE enum err sr_fork_base(struct sr *, const struct uuid *vdi, struct uuid *ret_base, struct err_note *);

/* ---- what it is made of, for who forks several VDIs at once (cut.h) ---- */

MUST_USE enum err sr_fork_row(struct sr *, const struct vdi *, const struct vdi_options *, bool is_snapshot,
                              struct vdi_row *ret, struct err_note *);
/* *ret: the node that reads as vdi does and is never written; NULL where there is none. */
MUST_USE enum err sr_fork_find_base(struct sr *, const struct vdi *, const struct node **ret,
                                    struct err_note *);
MUST_USE enum err sr_fork_check_depth(struct sr *, const struct vdi *, unsigned depth, struct err_note *);
MUST_USE enum err sr_fork_refuse_alias(const struct node *, struct err_note *);
/* The prepared new leaf of a VDI; counted. */
MUST_USE enum err sr_fork_open_leaf(struct sr *, const struct uuid *vdi, struct image **ret,
                                    struct err_note *);
/* A closed VDI's content is durable, and no outside tool writes to it while *ret is open. */
MUST_USE enum err sr_fork_lock_out(struct sr *, const struct node *, struct io_file **ret, struct err_note *);

#endif
