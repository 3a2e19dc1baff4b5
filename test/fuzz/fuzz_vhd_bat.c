// SPDX-License-Identifier: Apache-2.0
/* A BAT of the input's numbers behind its first 16 bytes, which say where the table is, how long it is and
 * where the file ends; and the same numbers as ranges of a bitmap. */
#include <string.h>

#include "fuzz.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"

enum { LENGTH = VHD_BITMAP_SECTORS + VHD_BLOCK_SECTORS, MANY = 200 };

struct params_disk {
        be64 end; /* of the blocks' room, bytes */
        be32 table_sector;
        be32 max_bat;
};

static bool overlap_slowly(const uint32_t *entries, uint32_t n) {
        for (uint32_t a = 0; a < n; a++)
                for (uint32_t b = 0; b < a && entries[a] != VHD_BAT_UNUSED; b++)
                        if (entries[b] != VHD_BAT_UNUSED && (uint64_t)entries[a] + LENGTH > entries[b] &&
                            (uint64_t)entries[b] + LENGTH > entries[a])
                                return true;
        return false;
}

static void check_entries(const uint32_t *entries, uint32_t n, const struct params_disk *params) {
        const struct uuid uuid = {{1}};
        uint64_t end = be64_get(params->end);
        struct vhd_reserved reserved;
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;

        vhd_footer_init(&footer, VHD_DYNAMIC, 64 * MIB, &uuid, 0);
        vhd_header_init(&header, (uint64_t)be32_get(params->table_sector) * 512,
                        be32_get(params->max_bat) | 1);
        (void)!vhd_reserved_of(&footer, &header, false, 0, 0, &reserved, &note);
        for (uint32_t i = 0; i < n; i++) {
                uint64_t at = (uint64_t)entries[i] * 512, block_end = at + (uint64_t)LENGTH * 512;
                enum vhd_bat_fault fault = vhd_bat_fault_of(entries[i], &reserved, end);
                bool is_free = true;

                MUST_HOLD(!vhd_bat_check_entry(i, entries[i], &reserved, end, &note) ==
                          (fault == VHD_BAT_GOOD));
                if (entries[i] == VHD_BAT_UNUSED)
                        continue;
                for (unsigned e = 0; e < reserved.n; e++)
                        is_free &= block_end <= reserved.extent[e].at ||
                                   reserved.extent[e].at + reserved.extent[e].n <= at;
                MUST_HOLD((fault == VHD_BAT_IN_HEADERS) == !is_free);
                if (fault == VHD_BAT_GOOD)
                        MUST_HOLD(block_end <= end && vhd_block_end(entries[i]) == block_end);
                if (fault == VHD_BAT_CUT)
                        MUST_HOLD(at + VHD_BITMAP_SIZE <= end && block_end > end);
        }
}

static void check_overlaps(const uint32_t *entries, uint32_t n) {
        struct vhd_overlaps overlaps;
        struct err_note note;

        if (n > MANY)
                n = MANY;
        MUST_HOLD((vhd_bat_check_overlaps(entries, n, &overlaps, &note) == ERR_CORRUPT) ==
                  overlap_slowly(entries, n));
        MUST_HOLD(overlaps.n < n || n == 0);
}

static void check_bitmap(const uint32_t *entries, uint32_t n) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};
        uint32_t set = 0, at = 0;
        bool is_set;

        for (uint32_t i = 0; i < n; i++) {
                uint32_t from = entries[i] % VHD_BLOCK_SECTORS,
                         many = (entries[i] >> 12) % (VHD_BLOCK_SECTORS - from + 1);

                if (i % 3)
                        vhd_bitmap_set_range(bits, from, many);
                else
                        vhd_bitmap_clear_range(bits, from, many);
                MUST_HOLD(vhd_bitmap_count(bits, from, from + many) == (i % 3 ? many : 0));
        }
        while (at < VHD_BLOCK_SECTORS) {
                uint32_t end = vhd_bitmap_next_run(bits, at, VHD_BLOCK_SECTORS, &is_set);

                MUST_HOLD(end > at && end <= VHD_BLOCK_SECTORS && is_set == vhd_bitmap_test(bits, at));
                MUST_HOLD(end == VHD_BLOCK_SECTORS || vhd_bitmap_test(bits, end) != is_set);
                set += is_set ? end - at : 0;
                at = end;
        }
        MUST_HOLD(set == vhd_bitmap_count(bits, 0, VHD_BLOCK_SECTORS));
        MUST_HOLD(vhd_bitmap_is_full(bits) == (set == VHD_BLOCK_SECTORS) &&
                  vhd_bitmap_is_empty(bits) == (set == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO_FREE uint32_t *entries = NULL;
        AUTO_FREE be32 *again = NULL;
        struct params_disk params;
        uint32_t count;

        if (n < sizeof params)
                return 0;
        memcpy(&params, data, sizeof params);
        count = (uint32_t)((n - sizeof params) / 4);
        entries = mem_zero((count + 1) * sizeof *entries);
        again = mem_zero((count + 1) * sizeof *again);
        vhd_bat_decode((const be32 *)(data + sizeof params), count, entries);
        vhd_bat_encode(entries, count, again);
        MUST_HOLD(memcmp(again, data + sizeof params, count * sizeof *again) == 0);
        check_entries(entries, count, &params);
        check_overlaps(entries, count);
        check_bitmap(entries, count);
        return 0;
}
