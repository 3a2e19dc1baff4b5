// SPDX-License-Identifier: Apache-2.0
/* A directory of one test's own under the build directory, removed with all in it.
 *
 * Errors: fail the test.  Threads: one.
 */
#ifndef TEST_UNIT_IO_TEMP_DIR_H
#define TEST_UNIT_IO_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "mem.h"

static inline int temp_dir_remove_one(const char *path, const struct stat *stat, int kind,
                                      struct FTW *place) {
        (void)stat;
        (void)kind;
        (void)place;
        return remove(path);
}

static inline void temp_dir_free(char *dir) {
        assert_int_equal(nftw(dir, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(dir);
}
DEFINE_AUTO(char *, temp_dir_free);

/* The caller's, to release with temp_dir_free. */
static inline char *temp_dir_new(void) {
        const char *build = getenv("CATENA_BUILD");
        char *dir = mem_format("%s/test-XXXXXX", build ? build : ".");

        assert_non_null(mkdtemp(dir));
        return dir;
}

#endif
