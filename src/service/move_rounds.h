// SPDX-License-Identifier: Apache-2.0
/* When a disk that is written to while it is moved has been gone over often enough: the rest is copied while
 * its writers wait.
 *
 * Each round copies what was written during the one before, so rounds shrink where bytes are copied faster
 * than they are written.  Where they do not, another round would gain nothing.
 *
 * Errors: none.  Threads: any; it is a function of its arguments.
 */
#ifndef SERVICE_MOVE_ROUNDS_H
#define SERVICE_MOVE_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

enum { MOVE_ROUNDS_MAX = 8 };
#define MOVE_SMALL_BYTES (UINT64_C(16) * 1024 * 1024)

struct move_rounds {
        unsigned n;            /* that are done */
        uint64_t before_bytes; /* of the last but one; of no matter after the first */
        uint64_t last_bytes;   /* that the last one copied */
};
void move_rounds_add(struct move_rounds *, uint64_t bytes);
bool move_rounds_are_over(const struct move_rounds *);

#endif
