// SPDX-License-Identifier: Apache-2.0
/* The note that a coalesce keeps beside its child.  Length and checksum are made right first, so that what
 * lies behind them is reached; what decodes is written again as the same bytes. */
#include "fuzz.h"

#include <string.h>

#include "mem.h"
#include "vhd.h"
#include "vhd_intent.h"

static void seal(struct vhd_intent_disk *disk, uint8_t *all, size_t n) {
        memcpy(disk, all, sizeof *disk);
        disk->length = be32_put((uint32_t)n);
        disk->autoclear = be64_put(0);
        memcpy(all, disk, sizeof *disk);
        disk->checksum = be32_put(vhd_checksum(all, n, offsetof(struct vhd_intent_disk, checksum)));
        memcpy(all, disk, sizeof *disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
        AUTO(buf_fini) struct buf again = {0};
        AUTO_FREE uint8_t *all = mem_zero(n + 1);
        struct vhd_intent_disk disk;
        struct err_note note = {0};

        if (!vhd_intent_decode((struct span){data, n}, &intent, &note))
                vhd_intent_fini(&intent);
        memcpy(all, data, n);
        if (n >= sizeof disk)
                seal(&disk, all, n);
        if (vhd_intent_decode((struct span){all, n}, &intent, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED);
                MUST_HOLD(note.text[0] && intent.nodes.n == 0);
                return 0;
        }
        vhd_intent_encode(&intent, &again);
        MUST_HOLD(again.n == n && memcmp(again.data, all, n) == 0);
        return 0;
}
