// SPDX-License-Identifier: Apache-2.0
/* A filter in front of a table of ids: of about 99 in 100 that are not in the table it says so, of those that
 * are never.  A look costs one line of the cache.
 *
 * Ids are sums, so their own bits serve as hashes; where somebody chose them, the filter is only worse.
 *
 * Errors: none.  Threads: any; adding, one.  Memory: 10 bits an id.
 */
#ifndef VAULT_BLOOM_H
#define VAULT_BLOOM_H

#include <stddef.h>

#include "vault_name.h"

enum { BLOOM_BLOCK = 64 }; /* bytes; the filter's memory begins at a multiple of it, for its speed */

size_t bloom_size(uint64_t n_ids); /* bytes of a filter for so many, blocks */
void bloom_add(uint8_t *filter, size_t size, const struct vault_id *);
bool bloom_may_have(const uint8_t *filter, size_t size, const struct vault_id *);

#endif
