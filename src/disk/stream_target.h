// SPDX-License-Identifier: Apache-2.0
/* Where a stream that comes in goes: blocks onto a chain, as few and large writes as their zeros allow.
 *
 * Zeros are not written where no layer holds the block.  Elsewhere long runs of them are given to the chain
 * as zeros, which takes no space for them where it can.
 *
 * Errors: those of the chain.  Threads: one at a time.
 */
#ifndef DISK_STREAM_TARGET_H
#define DISK_STREAM_TARGET_H

#include "chain.h"

struct stream_target {
        struct chain *chain; /* borrowed; NULL: there is none yet */
        bool is_delta;       /* sectors that the stream lacks stay as they are; else they become zeros */
};

/* The first n bytes of a block.  bits: the sectors that the stream holds, as in a VHD; NULL: all. */
MUST_USE enum err stream_target_put(struct stream_target *, uint64_t block, const uint8_t *bits,
                                    const void *data, uint64_t n, struct err_note *);
/* n bytes anywhere, within one block. */
MUST_USE enum err stream_target_put_at(struct stream_target *, uint64_t at, const void *data, uint64_t n,
                                       struct err_note *);
/* The stream has nothing there. */
MUST_USE enum err stream_target_pass(struct stream_target *, uint64_t n, uint64_t at, struct err_note *);

#endif
