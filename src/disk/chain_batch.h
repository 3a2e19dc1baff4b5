// SPDX-License-Identifier: Apache-2.0
/* Many ranges of a chain read into memory at once: by queue, so that the disk has enough to do, and within
 * one hold, which ends before the call returns.
 *
 *      chain_batch_add(batch, memory, n, at);       … as often as wanted
 *      if (chain_batch_read(batch, chain, note)) …  all of it is there, and the batch is empty again
 *
 * Ranges that are neighbours on disk and in memory are read as one.  The memory that this takes is fixed but
 * for the list of ranges.
 *
 * Errors: those of chain_read, with the disk's offset and the file's name.  After one, what was to be filled
 * holds anything.  Threads: one at a time; the chain may be used by others meanwhile.
 */
#ifndef DISK_CHAIN_BATCH_H
#define DISK_CHAIN_BATCH_H

#include "chain.h"

struct chain_batch;

/* One batch serves any chains of that io, one after the other. */
MUST_USE enum err chain_batch_new(struct io *, struct chain_batch **ret, struct err_note *);
void chain_batch_free(struct chain_batch *);
DEFINE_AUTO(struct chain_batch *, chain_batch_free);

/* [at, at + n) of the disk goes to ret, which stays untouched until chain_batch_read has returned. */
void chain_batch_add(struct chain_batch *, void *ret, uint64_t n, uint64_t at);
MUST_USE enum err chain_batch_read(struct chain_batch *, struct chain *, struct err_note *);

#endif
