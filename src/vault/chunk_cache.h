// SPDX-License-Identifier: Apache-2.0
/* Chunks that were read lately, for those who read a few bytes of one again and again: the first who asks
 * reads it, others who want it meanwhile wait for him.
 *
 *      chunk_cache_read(cache, &want, note)     copies a part of a chunk
 *
 * Errors: those of the loading function, told to whoever waited for it too; nothing is kept of it.
 * Threads: any, at once.
 * Memory: as many chunks as fit, two at least.
 */
#ifndef VAULT_CHUNK_CACHE_H
#define VAULT_CHUNK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"

struct chunk_cache;
struct chunk_cache_options {
        size_t chunk; /* bytes */
        size_t bytes; /* of all */
        /* Chunk n, all of it. */
        enum err (*load)(void *user, uint64_t n, void *ret, struct err_note *); /* borrowed */
        void *user;                                                             /* borrowed; handed to load */
};
struct chunk_cache *chunk_cache_new(const struct chunk_cache_options *);
void chunk_cache_free(struct chunk_cache *); /* nobody reads any more */
DEFINE_AUTO(struct chunk_cache *, chunk_cache_free);

/* n bytes at `at` of a chunk. */
MUST_USE enum err chunk_cache_read(struct chunk_cache *, uint64_t chunk, size_t at, void *ret, size_t n,
                                   struct err_note *);

#endif
