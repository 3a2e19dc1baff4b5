// SPDX-License-Identifier: Apache-2.0
/* The claim on a run of nodes that a coalesce is about to change: looked for and kept in one go, durable
 * before a byte changes [C4].
 *
 * A run is nodes of one chain, each the parent of the next: the first is the target, the last the top.  A
 * node can be claimed when its file is whole and has one name, nothing leases it, no unfinished change and no
 * other coalesce names it, and
 *   - it is hidden in both footers, and nobody has it open by itself
 *   - the next node of the run is all that names it as its parent; of the top whole children do, and nothing
 *     else
 *   - or it is the top and a leaf: a VDI that nothing names as its parent, and that nobody has open, or one
 *     chain of ours for writing, no sync of which has failed: such a one may say that it holds what was lost
 * Nodes right above and below must not be of another coalesce: it would change their headers.  No node is
 * larger than the top; where one is smaller, nothing below it is larger than itself, so that it can be grown,
 * or left out, without a byte showing that did not show before.  A pull's top may be a VDI that has children.
 *
 * Errors: ERR_BUSY for what passes (leased, open, claimed), ERR_INVALID for a run that is none,
 * ERR_UNSUPPORTED for what cannot be coalesced at all; ERR_NOT_FOUND; the node's own error.  Each names the
 * node.
 * Threads: the owner of the SR.
 */
#ifndef SR_CLAIM_H
#define SR_CLAIM_H

#include "sr_state.h"

struct coalesce_run {
        struct uuid target, top;
        unsigned n;   /* nodes, both counted */
        bool is_leaf; /* the top is a VDI: the target takes its name in the end, of a push */
        bool is_pull; /* what is below moves up into the top; else what is above down into the target */
};

/* sr was refreshed.  ret: of INTENT_COALESCE or INTENT_PULL, complete, not yet put. */
MUST_USE enum err claim_check(struct sr *, const struct coalesce_run *, struct intent *ret,
                              struct err_note *);
/* Whoever of us reads a node that claim_grow will make larger steps aside, where all of them can; else none.
 */
MUST_USE enum err claim_ask_aside(struct sr *, const struct intent *, struct sr_aside *, struct err_note *);
/* Nodes that are smaller than the top are made as large.  ERR_BUSY where somebody has one open. */
MUST_USE enum err claim_grow(struct sr *, const struct intent *, bool *ret_did_grow, struct err_note *);

/* Gives a claim back, and drops the intent: after a crash, or when a coalesce has ended.  The BATs say how
 * far it came, whatever they say is a legal chain; a node that was cut off while it grew gets its footer. */
MUST_USE enum err claim_recover(struct sr *, const struct intent *, struct err_note *);
MUST_USE enum err claim_mend(struct sr *, const struct intent *, struct err_note *); /* only the last of it */

/* The intent by which a coalesce has claimed the node; or NULL. */
const struct intent *claim_of(const struct sr *, const struct uuid *node);

#endif
