// SPDX-License-Identifier: Apache-2.0
#include "move_rounds.h"

void move_rounds_add(struct move_rounds *rounds, uint64_t bytes) {
        rounds->n++;
        rounds->before_bytes = rounds->last_bytes;
        rounds->last_bytes = bytes;
}

bool move_rounds_are_over(const struct move_rounds *rounds) {
        if (rounds->n == 0)
                return false;
        if (rounds->last_bytes <= MOVE_SMALL_BYTES || rounds->n >= MOVE_ROUNDS_MAX)
                return true;
        /* An eighth less is no shrinking: it would take dozens of rounds. */
        return rounds->n > 1 && rounds->last_bytes > rounds->before_bytes - rounds->before_bytes / 8;
}
