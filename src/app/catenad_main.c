// SPDX-License-Identifier: Apache-2.0
/* catenad: the daemon.  All it does is in catenad.c. */
#include <malloc.h>

#include "catenad.h"

/* Memory that was freed goes back: a daemon runs for months, and what it needed in one hour is not its
 * size.  Threads share a few arenas, and what is large is always the system's. */
static void keep_memory_small(void) {
        mallopt(M_ARENA_MAX, 4);
        mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int main(int argc, char **argv) {
        keep_memory_small();
        return catenad_main(argc, argv);
}
