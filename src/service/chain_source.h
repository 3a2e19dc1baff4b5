// SPDX-License-Identifier: Apache-2.0
/* A chain as what a put reads: holes are passed over.
 *
 * Errors: those of chain.h.  Threads: as put.h has them for sources.  Ownership: the chain outlives it.
 */
#ifndef SERVICE_CHAIN_SOURCE_H
#define SERVICE_CHAIN_SOURCE_H

#include "chain.h"
#include "put.h"

struct put_source chain_source(struct chain *);

#endif
