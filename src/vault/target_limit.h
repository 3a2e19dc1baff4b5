// SPDX-License-Identifier: Apache-2.0
/* A target that is not used faster than it may be: bytes a second that are put, and that are read.
 *
 * Each way has one line for all threads: who comes waits until what came before him has had its time.  Small
 * objects pass as fast as others let them; over any longer time the rate is kept.
 *
 * Errors: ERR_CANCELLED where it was asked to stop while it waited; those of the other target.
 * Threads: any.
 */
#ifndef VAULT_TARGET_LIMIT_H
#define VAULT_TARGET_LIMIT_H

#include <stdatomic.h>

#include "io.h"
#include "target.h"

struct target_limit_options {
        uint64_t up, down;       /* bytes a second; 0: as fast as it goes */
        const atomic_bool *stop; /* borrowed; NULL: never */
};

/* below is its own from then on. */
struct target *target_limit_new(struct io *, struct target *below, const struct target_limit_options *);

#endif
