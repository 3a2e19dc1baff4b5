// SPDX-License-Identifier: Apache-2.0
/* The parent P of an emptied leaf L takes its name: L's content lies in P by then, and the VDI lives on in
 * it.
 *
 *      before      P hidden, L visible, empty, P's only child, both of one size, both closed, or L written to
 *      intent      durable: vdi is L, other is P
 *      unhide P    both footers, synced
 *      rename      P over L's name: L's file is gone with it [C2]
 *      sync the names, drop the intent
 *
 * Why so: renamed first, P would be a hidden leaf under a visible name, and any collector deletes the disk.
 * While the intent stands P is no VDI, whatever its footers say.  Without it a visible P is shown beside L,
 * and nobody goes on by himself.  The VDI keeps its uuid, name and row; its file has the footer uuid of P,
 * which only L named as its parent.
 * Recovery finishes: P there under its own name, it begins anew; P gone, it has happened.  Where one of the
 * two was damaged by another hand the intent goes, and what can be seen is shown.
 *
 * Errors: with an error it has not happened, or remains to be finished (sr->must_recover).
 * Threads: the owner of the SR.
 */
#ifndef SR_LEAF_PIVOT_H
#define SR_LEAF_PIVOT_H

#include "sr_state.h"

/* intent, complete, takes the place of the claim, which has the same uuid. */
MUST_USE enum err leaf_pivot_do(struct sr *, const struct intent *, struct err_note *);
/* The same of a leaf that chain writes to, moving blocks from under it (chain_move.h): target, P, which
 * has its write side open, is the chain's leaf afterwards.  With an error it has not happened, and the
 * move goes on; or it has (chain_is_moving false), and sr->must_recover. */
MUST_USE enum err leaf_pivot_live(struct sr *, const struct intent *, struct chain *, struct image *target,
                                  struct err_note *);
/* Finishes, and drops the intent. */
MUST_USE enum err leaf_pivot_recover(struct sr *, const struct intent *, struct err_note *);

#endif
