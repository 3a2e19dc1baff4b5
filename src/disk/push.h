// SPDX-License-Identifier: Apache-2.0
/* A push: what the upper layers of a run hold moves down into the run's target, batch by batch, until nothing
 * of the run but the target holds anything.
 *
 * run[0] is the target, run[n - 1] the top, each the parent of the next.  One pass over all of them: the
 * newest owner of each sector among the layers above the target is copied once; sectors that only the target
 * has stay where they are; what an upper layer covers is never read.  Sectors that no reader of the top can
 * see, because a layer above them ends earlier, are dropped.
 *
 * A batch goes through these steps, one call of push_step each, in this order [C1] [C3] [C6]:
 *
 *   COPY     present sectors are copied into the target: in place, or into new blocks
 *   SYNC     the target's flush: data and bitmaps and BAT entries are durable.  Until here the upper layers
 *            cover whatever landed below
 *   CLEAR    the blocks' BAT entries go, layer by layer, the deepest first, each layer's clears durable
 *            before the next layer's are written: a crash that kept the top's clear and dropped the middle's
 *            would show old data, and a resumed copy would make it permanent.  One layer a step
 *   PUBLISH  every open chain finds the blocks in the target now, and no reader is left that could find them
 *            elsewhere
 *   PUNCH    the bytes are given back
 *
 * Between any two steps anything may happen: reads, a crash, push_free.  What is committed is never moved
 * again: who starts anew asks the BATs, which say how far the last one came.  No journal.
 *
 * Space: a batch takes batch_bytes (counted in pages of 4 KiB, with the new blocks' bitmaps; the block that
 * fills it is the last) before its punch gives them back.  Where there is less, the batch is as large as
 * fits: ERR_NO_SPACE only where not one block of it does.  What the file system lets the files share takes no
 * space, and a batch of it may be 32 times as large; not while a leaf is written to, whose writes end the
 * sharing.
 *
 * Errors: of the files, in words.  The push stays as it was and may be stepped again, or freed and begun
 * anew; not after a sync that failed: then all images of the run are opened anew.
 * Threads: one at a time; COPY, SYNC, CLEAR and PUNCH touch nothing but the run's images, PUBLISH is for who
 * owns the chains.
 * Ownership: counts of the images are taken; images outlive their write side, which lasts longer than the
 * push.
 */
#ifndef DISK_PUSH_H
#define DISK_PUSH_H

#include "chain_move.h"
#include "mover.h"

struct push;

enum push_phase { PUSH_COPY, PUSH_SYNC, PUSH_CLEAR, PUSH_PUBLISH, PUSH_PUNCH, PUSH_EMPTY };

/* Every image has its write side open, and none below the top is smaller than the top: ERR_INVALID names the
 * one that must be grown first, since what lies past its end cannot be seen through it.  options may be
 * NULL. */
MUST_USE enum err push_new(struct image *const *run, size_t n, const struct mover_options *,
                           struct push **ret, struct err_note *);
/* In any state.  Between CLEAR and the end of PUBLISH (push_settle) chains go on reading the layers' old
 * slots; so long no other push of these images may begin before their write sides have ended, and none at all
 * that leaves out one of them: the target has what all of them had. */
void push_free(struct push *);
DEFINE_AUTO(struct push *, push_free);

/* What the next step does; PUSH_EMPTY: nothing is left. */
enum push_phase push_phase(const struct push *);
/* For the batches that come: batch_bytes as in the options, depth: requests in flight at most (0: as many as
 * there may be).  Between two steps. */
void push_pace(struct push *, uint64_t batch_bytes, unsigned depth);
/* Chains that do not pass through the target are left alone. */
MUST_USE enum err push_step(struct push *, struct chain *const *chains, size_t n_chains, struct err_note *);

/* Until no block is half-way, by as many steps as that takes: before a live move ends, or the push is given
 * up.  An error: the leaf of a live move must not be written to any more before it is opened anew. */
MUST_USE enum err push_settle(struct push *, struct chain *const *chains, size_t n_chains, struct err_note *);

/* Payload to move, and how much of it was moved durably.  What guests write meanwhile may add to the total.
 */
uint64_t push_bytes_total(const struct push *);
uint64_t push_bytes_done(const struct push *);

#endif
