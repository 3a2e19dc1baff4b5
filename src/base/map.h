// SPDX-License-Identifier: Apache-2.0
/* A hash map from a 64-bit or 128-bit key (a number, a device and inode, a uuid) to a pointer.
 * Open addressing; valid when zeroed; does not own what it points at.
 *
 * Errors: none (see mem.h).  Threads: its owner's.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "uuid.h"

struct map_key {
        uint64_t high, low;
};

struct map_entry {
        struct map_key key;
        void *value; /* borrowed; NULL marks a free place */
};

struct map {
        struct map_entry *entries; /* owned */
        size_t n;
        size_t room; /* 0 or a power of two */
};

static inline struct map_key map_key_u64(uint64_t low) {
        return (struct map_key){0, low};
}
struct map_key map_key_uuid(const struct uuid *);

void *map_get(const struct map *, struct map_key);
void map_put(struct map *, struct map_key, void *value); /* value is not NULL; replaces */
void *map_remove(struct map *, struct map_key);          /* what was there, or NULL */
/* Walks all entries in no order: start with *place = 0, ends with NULL.  The map must not change
 * meanwhile. */
void *map_next(const struct map *, size_t *place);
void map_fini(struct map *);

DEFINE_AUTO_IN_PLACE(struct map, map_fini);

#endif
