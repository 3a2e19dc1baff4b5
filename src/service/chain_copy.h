// SPDX-License-Identifier: Apache-2.0
/* What one chain holds, or what differs between it and another, goes into a third.
 *
 * Errors: of reading and writing; ERR_CANCELLED.  Threads: any; nothing of an SR is touched but the chains.
 */
#ifndef SERVICE_CHAIN_COPY_H
#define SERVICE_CHAIN_COPY_H

#include "chain.h"
#include "progress.h"

struct chain_copy {
        struct chain *from; /* borrowed */
        struct chain *base; /* borrowed; `to` holds what it holds: only what differs goes over; NULL: none */
        struct chain *to;   /* borrowed; not smaller than from */
        bool is_fresh;      /* `to` is zeros all over: zeros need not be written */
        struct progress *progress; /* borrowed; begun, and ended by the caller */
};

/* Bytes that would be read. */
MUST_USE enum err chain_copy_count(const struct chain_copy *, uint64_t *ret, struct err_note *);
/* Progress goes on from where it is, by the bytes of the disk that are done; with a base, by those that are
 * read. */
MUST_USE enum err chain_copy_run(const struct chain_copy *, struct err_note *);

#endif
