// SPDX-License-Identifier: Apache-2.0
/* One batch of a mover (mover.h): which blocks, and which runs of sectors go from which file to where.
 *
 * mover_batch_add looks at one block as it is now and says what is to be copied of it; mover_copier_copy does
 * it.  After that a block is either done, or short: there was no space for it.
 *
 * Memory: 40 bytes a run, and a run takes its share of a page in the batch's space, so there are never many.
 *
 * Errors: those of the files.  Threads: one at a time.
 */
#ifndef DISK_MOVER_BATCH_H
#define DISK_MOVER_BATCH_H

#include "image.h"

struct mover_batch_block {
        uint64_t block;
        uint32_t n_sectors; /* to copy */
        bool is_short;      /* no space: it is left for another batch */
};

/* Neighbouring sectors of one block that one layer owns. */
struct mover_run {
        uint64_t from_at, to_at; /* in the layer's file, in the target's */
        unsigned layer;          /* of the run of images */
        uint32_t of;             /* which of the batch's blocks */
        uint32_t first, n;       /* sectors within the block */
};

struct mover_batch {
        VEC(struct mover_batch_block) blocks; /* owned */
        VEC(struct mover_run) runs;           /* owned */
        uint64_t space;                       /* bytes of file space that it may take */
        uint64_t sharable;                    /* of these; they take none where files can share blocks */
        struct err_note shortage;             /* of the first block that found no space */
};

void mover_batch_reset(struct mover_batch *); /* empty again */
void mover_batch_fini(struct mover_batch *);

/* Adds a block that some layer but run[into] holds, and gives it its place in that; see mover.h. */
MUST_USE enum err mover_batch_add(struct mover_batch *, struct image *const *run, size_t n, size_t into,
                                  uint64_t block, struct err_note *);

/* The whole pages of a run, if that is enough to be shared instead of copied: first and count of its sectors
 * within the block.  False: it is copied. */
bool mover_run_sharable(const struct mover_run *, uint32_t *ret_first, uint32_t *ret_n);

/* What was copied of short blocks gives its space back: it is nobody's yet, since the layers above cover it.
 * For a push alone: of a pull it is the image's own, and stays. */
void mover_batch_give_back(const struct mover_batch *, struct image *target);

/* Does the copying: see mover_copier.c.  n: images of the run, into: which of them is written. */
struct mover_copier;
MUST_USE enum err mover_copier_new(struct io *, size_t n, size_t into, bool may_clone,
                                   struct mover_copier **ret, struct err_note *);
void mover_copier_free(struct mover_copier *);
bool mover_copier_shares(const struct mover_copier *); /* it has shared blocks, and goes on with it */
DEFINE_AUTO(struct mover_copier *, mover_copier_free);
void mover_copier_pace(struct mover_copier *, unsigned depth); /* requests in flight; 0: as many as go */
/* Copies all runs and tells the target of each; sorts them.  Blocks for which there was no space are short
 * afterwards.  A target that is above what it is given is told by mover_copier_tell, once its data is
 * durable: readers would find it there at once, and a sync that fails may take it away. */
MUST_USE enum err mover_copier_copy(struct mover_copier *, struct mover_batch *, struct image *const *run,
                                    struct err_note *);
MUST_USE enum err mover_copier_tell(struct mover_copier *, struct image *target, struct err_note *);
void mover_copier_forget(struct mover_copier *);

#endif
