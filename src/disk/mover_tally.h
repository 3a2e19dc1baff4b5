// SPDX-License-Identifier: Apache-2.0
/* What a run has to move into one image of it, block by block, without moving it: from BATs and bitmaps, of
 * images with or without a write side.  run[0] is the lowest, run[n - 1] the top, run[into] one of these two:
 * the target of a push, or of a pull.
 *
 * Bitmaps are read from the files, many at once.  Bits of a leaf that wait for a flush are not counted yet:
 * who moves a block looks at it again.
 *
 * Memory: 16 bytes for each block that a layer holds, and the bitmaps of 4096 blocks at a time.
 *
 * Errors: those of reading; ERR_UNSUPPORTED where a layer but the target is one that blocks cannot leave.
 * Threads: any; the run's images are not changed meanwhile but by guests' writes.
 */
#ifndef DISK_MOVER_TALLY_H
#define DISK_MOVER_TALLY_H

#include "image.h"

/* A block that some layer but the target holds. */
struct mover_found {
        uint64_t block;
        uint32_t n_sectors; /* to move; 0 where all that is seen of it is the target's */
        unsigned layer;     /* the topmost of these that holds it, and where in its file */
        uint32_t where;
        bool is_new; /* the target lacks it */
};
/* Called for each, ascending. */
typedef void mover_found_fn(void *user, const struct mover_found *);

MUST_USE enum err mover_tally(struct image *const *run, size_t n, size_t into, mover_found_fn *, void *user,
                              struct err_note *);

/* Bytes of run[i] that are seen from the top: the least size of it and all above it. */
uint64_t mover_seen(struct image *const *run, size_t n, size_t i);
/* Sectors of one block that lie below seen. */
uint32_t mover_sectors_below(uint64_t seen, uint64_t block);

#endif
