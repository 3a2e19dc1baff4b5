// SPDX-License-Identifier: Apache-2.0
/* Locator payloads.  The input's first byte picks the code, the second how far its length is off; the rest is
 * the payload, and a path to be written as well. */
#include <string.h>

#include "fuzz.h"
#include "mem.h"
#include "text.h"
#include "vhd_locator.h"

static const uint32_t codes[] = {VHD_LOCATOR_MACX, VHD_LOCATOR_W2KU, VHD_LOCATOR_W2RU, VHD_LOCATOR_WI2K,
                                 VHD_LOCATOR_NONE};

/* Whatever can be written is read again as the same path. */
static void check_writing(const char *path) {
        struct err_note note;

        for (unsigned i = 0; i < 3; i++) {
                struct vhd_locator locator = {.code = vhd_locator_order[i], .offset = 4096};
                AUTO(buf_fini) struct buf payload = {0};
                AUTO_FREE char *back = NULL;
                const char *want = path;

                if (vhd_locator_encode(locator.code, path, &payload, &note))
                        continue;
                while (text_starts_with(want, "./"))
                        want += 2;
                locator.length = (uint32_t)payload.n;
                locator.space = (uint32_t)round_up(payload.n, VHD_SECTOR);
                if (payload.n > VHD_LOCATOR_MAX)
                        continue;
                MUST_HOLD(
                        !vhd_locator_decode(&locator, (struct span){payload.data, payload.n}, &back, &note));
                MUST_HOLD(strcmp(back, want) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct vhd_locator locator = {.space = 1 << 17, .offset = 4096};
        AUTO_FREE char *path = NULL;
        AUTO_FREE char *text = NULL;
        struct err_note note;

        if (n < 2)
                return 0;
        locator.code = codes[data[0] % 5];
        locator.length = (uint32_t)(n - 2) + (uint32_t)(int8_t)data[1];
        if (!vhd_locator_decode(&locator, (struct span){data + 2, n - 2}, &path, &note)) {
                MUST_HOLD(*path && locator.length <= n - 2);
                check_writing(path);
        }
        text = mem_zero(n);
        memcpy(text, data + 2, n - 2);
        check_writing(text);
        return 0;
}
