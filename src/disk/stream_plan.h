// SPDX-License-Identifier: Apache-2.0
/* A disk as a stream, laid out: how long it is, and any part of it, in any order, read into the caller's
 * own memory by the caller's own batch.  So whoever waits for a slow reader holds this and no buffer, and
 * a part that was not taken is read again.  stream.h makes a source of it that is pulled.
 *
 *      stream_plan_new(chain, &options, &plan, note)
 *      stream_plan_read(plan, batch, at, memory, n, &data, &got, note)
 *
 * What the bytes are: docs/format/stream.md.  Parts are quickest to read in their order.
 *
 * Errors: as stream.h has them for a source.  A read that failed may be made again.
 * Threads: one at a time; the chain may be used by others meanwhile.
 * Ownership: the chain and the base outlive the plan.  Memory: the bits of the blocks; the BAT only while
 * it is read.
 */
#ifndef DISK_STREAM_PLAN_H
#define DISK_STREAM_PLAN_H

#include "chain_batch.h"
#include "stream.h"

struct stream_plan;

enum { STREAM_PLAN_PAGE = 4096 }; /* memory for a read begins at a multiple of it */

MUST_USE enum err stream_plan_new(struct chain *, const struct stream_source_options *,
                                  struct stream_plan **ret, struct err_note *);
void stream_plan_free(struct stream_plan *);
DEFINE_AUTO(struct stream_plan *, stream_plan_free);

uint64_t stream_plan_length(const struct stream_plan *);
uint64_t stream_plan_data(const struct stream_plan *); /* of these, bytes of blocks with guest data */

/* The bytes from `at` on, at most so many as memory of n bytes (more than a page) has room for, at least
 * one but at the end.  *ret says where in memory they begin. */
MUST_USE enum err stream_plan_read(struct stream_plan *, struct chain_batch *, uint64_t at, uint8_t *memory,
                                   size_t n, const uint8_t **ret, size_t *ret_n, struct err_note *);
/* How many bytes of zeros begin at `at`, as far as a look at bitmaps tells; 0: data, or less than
 * STREAM_HOLE_MIN.  A read ends where such a run begins, unless it begins there. */
enum { STREAM_HOLE_MIN = 64 * 1024 };
MUST_USE enum err stream_plan_hole(struct stream_plan *, uint64_t at, uint64_t *ret, struct err_note *);

#endif
