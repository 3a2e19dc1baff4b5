// SPDX-License-Identifier: Apache-2.0
/* Which chunks of a disk a put looks at, in order: all of them, or those that a list of extents touches, and
 * what follows from another size; and of these, which lie in holes.
 *
 * Errors: ERR_INVALID, extents that are not ascending and apart; those of the source.
 * Threads: one at a time.  Ownership: the disk outlives it.
 */
#ifndef VAULT_PUT_PLAN_H
#define VAULT_PUT_PLAN_H

#include "id_tree.h"
#include "put.h"

struct put_plan {
        const struct put_disk *disk; /* borrowed, outlives it */
        struct id_tree_shape shape;
        uint64_t parent_size;          /* where the disk has `changed`; else not used */
        size_t next;                   /* of the extents; behind them, what the size alone changed */
        uint64_t at, end;              /* chunks of the current one */
        uint64_t data_start, data_end; /* bytes; the last answer of the source */
        uint64_t batch;                /* chunks read at once at most */
};
MUST_USE enum err put_plan_init(struct put_plan *, const struct put_disk *, const struct id_tree_shape *,
                                uint64_t batch, struct err_note *);

struct put_piece {
        uint64_t first, n; /* chunks; n 0: nothing is left */
        bool is_hole;
};
MUST_USE enum err put_plan_next(struct put_plan *, struct put_piece *ret, struct err_note *);

#endif
