// SPDX-License-Identifier: Apache-2.0
/* The images of test/golden/, opened into memory.  Where one is missing or damaged the test fails.
 *
 * Threads: the test's.
 */
#ifndef TEST_UNIT_GOLDEN_H
#define TEST_UNIT_GOLDEN_H

#include "buf.h"

/* name without ".gz": "base.vhd".  The caller's to fini. */
struct buf golden_load(const char *name);

#endif
