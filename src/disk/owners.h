// SPDX-License-Identifier: Apache-2.0
/* The bounded cache of who owns each sector of the blocks that several layers hold, of one generation of a
 * map.  What it knows of a block it knows of one entry of that block: under another entry it is not found.
 *
 * An owner is an index into the block's row of layers (top first), or OWNER_NONE: no layer holds the sector.
 * A block whose 4 KiB pages have one owner each, of fewer than 255, has a cell of half a KiB in a table,
 * found without a lock; others, and those whose cell another block uses more, take 1 to 8 KiB each in lists.
 * What was not asked for lately makes room.
 *
 * Errors: none.  Threads: any.
 */
#ifndef DISK_OWNERS_H
#define DISK_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

#define OWNER_NONE ((uint16_t)0xffff)

struct owners;

/* n_blocks: of the disk. */
struct owners *owners_new(uint64_t limit_bytes, uint64_t n_blocks);
void owners_free(struct owners *);
/* The owner of `sector` of `block`, and the end of the run that it owns, at most `limit`.  False: not in the
 * cache; who then finds it out by other ways puts it with the ticket. */
bool owners_find(struct owners *, uint64_t block, uint64_t entry, unsigned sector, unsigned limit,
                 uint16_t *ret_owner, unsigned *ret_end, uint64_t *ret_ticket);
/* Nothing happens where the block was dropped since the ticket was given: what is put may be older. */
void owners_put(struct owners *, uint64_t block, uint64_t entry, const uint16_t of[IMAGE_BLOCK_SECTORS],
                uint64_t ticket);
void owners_drop(struct owners *, uint64_t block);
uint64_t owners_bytes(struct owners *); /* in use */
DEFINE_AUTO(struct owners *, owners_free);

#endif
