// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include <zlib.h>

#include "check.h"
#include "mem.h"

struct buf golden_load(const char *name) {
        const char *source = getenv("CATENA_SOURCE");
        AUTO_FREE char *path = mem_format("%s/test/golden/%s.gz", source ? source : ".", name);
        enum { STEP = 1 << 16 };
        struct buf data = {0};
        gzFile file = gzopen(path, "rb");
        int n;

        if (!file)
                fail_msg("cannot open %s", path);
        do {
                void *room = buf_extend(&data, STEP);

                n = gzread(file, room, STEP);
                data.n -= STEP - (size_t)(n > 0 ? n : 0);
        } while (n > 0);
        if (gzclose(file) != Z_OK || n < 0)
                fail_msg("cannot unzip %s", path);
        return data;
}
