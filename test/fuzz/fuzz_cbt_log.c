// SPDX-License-Identifier: Apache-2.0
/* A log of changed blocks, header and bitmap: the header is written again as it was, the bitmap's text is
 * read as the same bits.  The first two bytes choose what else is marked. */
#include "fuzz.h"

#include <string.h>

#include "cbt_log.h"
#include "mem.h"

static void try_bitmap(uint64_t size, const uint8_t *from, uint8_t at, uint8_t n) {
        AUTO_FREE uint8_t *bits = mem_zero(cbt_bitmap_size(size) + 1),
                          *again = mem_zero(cbt_bitmap_size(size) + 1);
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};

        if (cbt_bitmap_unite(bits, size, from, size, &note))
                abort();
        cbt_bitmap_mark(bits, size, (uint64_t)at << 14, (uint64_t)n << 14);
        cbt_bitmap_to_text(bits, size, &text);
        MUST_HOLD(text.n == (round_up(cbt_bitmap_size(size), 4) + 2) / 3 * 4);
        if (cbt_bitmap_from_text((struct span){text.data, text.n}, size, again, &note))
                abort();
        MUST_HOLD(memcmp(bits, again, cbt_bitmap_size(size)) == 0);
}

static void try_text(struct span text) {
        struct err_note note = {0};
        uint8_t bits[5];

        if (cbt_bitmap_from_text(text, 33 * (uint64_t)CBT_BLOCK_SIZE, bits, &note))
                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_CUT_SHORT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct cbt_log_disk disk, again;
        struct err_note note = {0};
        struct cbt_log log;

        try_text((struct span){data, n});
        if (n < 2 + sizeof disk)
                return 0;
        memcpy(&disk, data + 2, sizeof disk);
        if (cbt_log_decode(&disk, n - 2, &log, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_CUT_SHORT) && note.text[0]);
                return 0;
        }
        cbt_log_encode(&log, &again);
        MUST_HOLD(memcmp(&disk, &again, sizeof disk) == 0);
        try_bitmap(log.size_bytes, data + 2 + sizeof disk, data[0], data[1]);
        return 0;
}
