// SPDX-License-Identifier: Apache-2.0
/* The dance by which a prepared file takes the name of a VDI, and what had that name lives on, hidden, under
 * another: what snapshot, clone, revert and an import onto a VDI are made of.
 *
 *      before           L: content               .L.new prepared and synced, perhaps .S.new too
 *      intent           durable
 *      link             L and B: content         one inode
 *      sync the names   from here the content has a name that nothing replaces
 *      rename           L: the prepared file, B: content     (.S.new has become S before)
 *      sync the names   from here it has happened
 *      hide B           both footers, synced     before, L was the content's name and must not be hidden
 *      drop the intent
 *
 * Why so: with link and rename under one sync the rename may be kept and the link lost, and with it the disk.
 * Recovery: while L and B are one inode (or L has no new file yet) it is undone, else finished; neither
 * depends on how often it is done.  Where links are not supported L is renamed to B and has no name for a
 * moment; a raw L keeps its name until the new one, L.vhd, is durable.
 *
 * Promises [S1] [S2] [S3] of sr.h.
 * Errors: with ERR_NONE it is done and durable.  With an error it has not happened, or *ret_did_pivot is set
 * and it remains to be finished (sr->must_recover).
 * Threads: the owner of the SR; an open chain's readers and writers go on meanwhile.
 */
#ifndef SR_PIVOT_H
#define SR_PIVOT_H

#include "sr_state.h"

/* A chain through L that is open for writing goes along: it is frozen while names change, and FLUSH is
 * answered only once they are durable. */
struct pivot_live {
        struct chain *chain; /* borrowed */
        /* counted, shared; taken by the chain where the pivot happens, else still the caller's */
        struct image *new_leaf;
};

/* intent is complete but not yet put; live may be NULL. */
MUST_USE enum err pivot_do(struct sr *, const struct intent *, struct pivot_live *live, struct err_note *);

/* Undoes or finishes, and drops the intent. */
MUST_USE enum err pivot_recover(struct sr *, const struct intent *, struct err_note *);

/* ---- its steps, for who takes several VDIs through them at once (cut.h); none puts or drops the intent
 * ---- */

MUST_USE enum err pivot_look(struct sr *, const struct intent *, bool *ret_did_pivot, struct err_note *);
/* Neither is durable before sr_sync_names, and that must lie between the two. */
MUST_USE enum err pivot_link(struct sr *, const struct intent *, struct err_note *);
MUST_USE enum err pivot_take_name(struct sr *, const struct intent *, struct err_note *);
/* The frozen chain goes on with the new leaf; its FLUSH is held from here on. */
void pivot_publish(struct sr *, const struct intent *, struct pivot_live *);
/* Where a crash kept the VDI's new name and lost the new node's; not durable before sr_sync_names. */
MUST_USE enum err pivot_finish_node(struct sr *, const struct intent *, struct err_note *);
/* All names are durable; but for the commit of change. */
MUST_USE enum err pivot_finish_in(struct sr *, const struct intent *, struct store_change *,
                                  struct err_note *);
/* Puts all names back, durably, also where it had happened: only while FLUSH is held since. */
MUST_USE enum err pivot_undo_names(struct sr *, const struct intent *, struct err_note *);

#endif
