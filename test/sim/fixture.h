// SPDX-License-Identifier: Apache-2.0
/* Small VHD disks for tests, and a model of what they read as.
 *
 * Errors: those of the calls beneath.  Threads: one.
 */
#ifndef TEST_SIM_FIXTURE_H
#define TEST_SIM_FIXTURE_H

#include "chain.h"
#include "io.h"
#include "vhd_create.h"

/* A dynamic VHD, or one over parent (NULL: none); durable, name too where it lies in "/". */
MUST_USE enum err fixture_vhd(struct io *, const char *path, uint64_t size, const char *parent,
                              struct err_note *);

/* Dice of a test's own: the same seed, the same run. */
struct fixture_dice {
        uint64_t state;
};
uint64_t fixture_roll(struct fixture_dice *, uint64_t sides); /* 0 … sides - 1 */

/* Every sector says which disk offset it belongs to and which write it came from. */
void fixture_fill(void *ret, uint64_t n, uint64_t at, uint64_t generation);
uint64_t fixture_generation(const void *sector, uint64_t at, bool *ret_is_sound); /* 0 for zeros */

#endif
