// SPDX-License-Identifier: Apache-2.0
/* A target that does not give up at once: what another one failed at is tried again, the same bytes under the
 * same name, later and later, until it succeeds or patience is over.
 *
 * Tried again: what a device, a network or a server may get over (ERR_IO, ERR_BUSY, ERR_CLOSED), and a full
 * target (ERR_NO_SPACE), where a prune may make room.  All else says what it says at once.
 *
 * A put that failed may have happened.  It is put again with replace, so that what lies there is durable by
 * this put and does not depend on a sync that failed.
 *
 * Once patience was over for something that was to be read, reads have a sixtieth of it: a disk with many bad
 * places is gone through by whoever verifies it, and a place that does not read does not read later.
 *
 * Errors: the last one, with how long it was tried.  Threads: any; `waits` is called by any.
 */
#ifndef VAULT_TARGET_RETRY_H
#define VAULT_TARGET_RETRY_H

#include <stdatomic.h>

#include "io.h"
#include "target.h"

struct target_retry_options {
        uint64_t patience_ns; /* from the first failure on; 0: none */
        /* Before each wait, with what failed.  NULL: nobody wants to know. */
        void (*waits)(void *user, const char *why, uint64_t wait_ns); /* borrowed */
        void *user;                                                   /* borrowed; handed to it */
        const atomic_bool *stop; /* borrowed; once it is true nothing is tried again; NULL: never */
};

/* below is its own from then on. */
struct target *target_retry_new(struct io *, struct target *below, const struct target_retry_options *);

#endif
