// SPDX-License-Identifier: Apache-2.0
/* The blocks of a run that are still to be moved into one image of it, and the copying of them, batch by
 * batch: what a push and a pull have in common.
 *
 * run[0] is the lowest, run[n - 1] the top, each the parent of the next; run[into] gets what the others hold:
 * of each sector what the newest of them has, where no layer above has it, `into` itself counted.  What it
 * holds already of what lies below it stays as it is.
 *
 *      mover_init(&mover, run, n, into, &options, note)
 *      while (!mover_is_done(&mover)) {
 *              mover_copy(&mover, is_live, note)    sectors of some blocks, mover.moving, are in the image
 *              …                                    durable, and whatever else that asks for
 *              mover_commit(&mover)                 these are never moved again
 *      }
 *      mover_fini(&mover)
 *
 * Space: a batch takes batch_bytes (counted in pages of 4 KiB, with the new blocks' bitmaps; the block that
 * fills it is the last).  Where there is less, the batch is as large as fits: ERR_NO_SPACE only where not one
 * block of it does.
 *
 * Memory: 16 bytes a block that is to be moved.
 * Errors: of the files, in words; what was not committed is copied again.
 * Threads: one at a time.
 * Ownership: counts of the images are taken; each has its write side open as long as the mover lasts.
 */
#ifndef DISK_MOVER_H
#define DISK_MOVER_H

#include "chain.h"
#include "image.h"
#include "mover_batch.h"

struct mover_options {
        uint64_t batch_bytes; /* of file space; 0: 32 MiB */
        bool never_clones;    /* copies bytes also where the file system could share them */
        /* borrowed, outlives the mover; whose leaf is the top, and which is written to.  NULL: the top is
         * frozen.  For a push a move of it has begun (chain_move.h), and may end before the push does */
        struct chain *live;
};

/* A block that the other layers hold yet.  Picks are moved in the order of the file that holds the newest of
 * them. */
struct mover_pick {
        uint64_t key; /* layer from the top << 32 | sector in its file */
        uint32_t block;
        uint32_t n_sectors; /* to move, when it was looked at */
};

struct mover {
        struct image **run; /* owned array, counted images */
        size_t n, into;
        uint64_t bytes_total, bytes_done; /* payload; what guests write meanwhile may add to the total */

        /* the batch that was copied and is not committed */
        VEC(uint64_t) moving; /* owned; its blocks */
        uint64_t bytes_moving;

        /* the mover's own */
        uint64_t batch_bytes, blocks_max; /* of a batch */
        unsigned depth;                   /* 0: as the copier likes */
        bool may_clone;
        struct chain *live;           /* borrowed, outlives us; or NULL */
        VEC(struct mover_pick) picks; /* owned */
        size_t next;                  /* all before are moved */
        struct mover_batch batch;     /* owned */
        struct mover_copier *copier;  /* owned; NULL until it is needed */
};

/* options may be NULL. */
MUST_USE enum err mover_init(struct mover *, struct image *const *run, size_t n, size_t into,
                             const struct mover_options *, struct err_note *);
void mover_fini(struct mover *); /* also of one that mover_init failed to make */
bool mover_is_done(const struct mover *);
/* For the batches that come: batch_bytes as in the options, depth: requests in flight at most (0: as many as
 * there may be). */
void mover_pace(struct mover *, uint64_t batch_bytes, unsigned depth);
/* is_live: guests write to the blocks, through options.live, all the time: each is held for its own copy.
 * Of a push it is mirrored from then on (chain_move.h). */
MUST_USE enum err mover_copy(struct mover *, bool is_live, struct err_note *);
/* Of a pull: run[into] is told what it holds now; its data was made durable since mover_copy. */
MUST_USE enum err mover_tell(struct mover *, struct err_note *);
void mover_commit(struct mover *);

/* What there would be to move; a write side is not needed, and nothing is changed. */
struct mover_price {
        uint64_t bytes;      /* present sectors that are copied */
        uint64_t blocks;     /* that hold any of them */
        uint64_t new_blocks; /* of these, that run[into] lacks */
};
MUST_USE enum err mover_price(struct image *const *run, size_t n, size_t into, struct mover_price *ret,
                              struct err_note *);

#endif
