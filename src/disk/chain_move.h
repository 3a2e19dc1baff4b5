// SPDX-License-Identifier: Apache-2.0
/* Blocks that move down from under a live leaf: the top layers of a chain that is open for writing are a run,
 * and a push empties them into the lowest while the guest writes on.
 *
 * Each block is in one of these states, and a change of it goes
 *
 *   idle       to the topmost layer of the run that holds the block; where none does, to the target
 *   copying    nowhere: it waits, for as long as the copy of this one block takes (chain_hold_block)
 *   mirrored   to that topmost layer and to the target, and is done when both have it; reads use the layer.
 *              From the end of the copy until the clear of the block's BAT entry is durable and published:
 *              a write that only the layer had would be lost when the clear lands
 *   moved      to the target: no layer above holds the block any more, so this is idle once more
 *
 * So no layer but the target ever gains a block [C5], and what there was to move at the start bounds what is
 * left, at any rate of writing.  A flush brings down all files of the run, the target first.
 *
 * Errors: those of chain.h.  Threads: the owner of the disk begins and ends; hold, release, pause, resume:
 * the one thread that moves blocks.  Changes of the guest: any, as ever.
 */
#ifndef DISK_CHAIN_MOVE_H
#define DISK_CHAIN_MOVE_H

#include "chain.h"
#include "ranges.h"

/* run[n - 1] is the chain's leaf, run[0] the target, each the layer right above the one before; all have a
 * write side that lasts until the end.  ERR_INVALID where it is not so. */
MUST_USE enum err chain_begin_move(struct chain *, struct image *const *run, size_t n, struct err_note *);
/* Changes go to the leaf again.  No block may be half-way: cleared in the leaf, or about to be, and not yet
 * published (push_settle).  A snapshot ends it by itself. */
void chain_end_move(struct chain *);
bool chain_is_moving(const struct chain *);

/* The layers between target and leaf, which hold nothing any more, are no part of the move from now on: their
 * write sides may end, and the chain may lose them. */
void chain_narrow_move(struct chain *);

/* When no block is left above the target it can be the leaf.  prepare looks at the layers below it, which
 * must not change from then on; nobody waits meanwhile.  pivot, between freeze and thaw: the target, which
 * is named leaf_path now, is the leaf; the old one and those between are no part of the chain any more.
 * This ends the move, and cannot fail. */
MUST_USE enum err chain_prepare_pivot(struct chain *, struct err_note *);
void chain_pivot(struct chain *, const char *leaf_path);

/* One block that nobody changes: those in flight have ended, others wait. */
struct chain_block {
        uint64_t block;
        struct range range;
};
void chain_hold_block(struct chain *, uint64_t block, struct chain_block *);
/* is_copied: it is mirrored from now on. */
void chain_release_block(struct chain *, struct chain_block *, bool is_copied);

/* Nothing of the guest is in flight between these two; in between blocks are published and forgotten. */
void chain_pause_changes(struct chain *);
void chain_resume_changes(struct chain *, const uint64_t *moved, size_t n); /* which are mirrored no more */

#endif
