// SPDX-License-Identifier: Apache-2.0
#include "vhd_bat.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"

enum { BLOCK_LENGTH = VHD_BITMAP_SECTORS + VHD_BLOCK_SECTORS, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

_Static_assert(sizeof(be32) == sizeof(uint32_t), "a table is decoded in place");

typedef uint32_t four __attribute__((vector_size(16)));

static four load_four(const be32 *bat) {
        four v;

        memcpy(&v, bat, sizeof v);
        return v;
}

/* Unused entries are all ones, whichever way round, so nothing is swapped for them. */
unsigned vhd_bat_used_of(const be32 bat[VHD_BAT_GROUP]) {
        const four unused = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
        four used = (four)(load_four(bat) != unused) & (four){1 << 0, 1 << 1, 1 << 2, 1 << 3};

        used |= (four)(load_four(bat + 4) != unused) & (four){1 << 4, 1 << 5, 1 << 6, 1 << 7};
        used |= (four)(load_four(bat + 8) != unused) & (four){1 << 8, 1 << 9, 1 << 10, 1 << 11};
        used |= (four)(load_four(bat + 12) != unused) & (four){1 << 12, 1 << 13, 1 << 14, 1 << 15};
        return used[0] | used[1] | used[2] | used[3];
}

void vhd_bat_decode(const be32 *bat, uint32_t n, uint32_t *ret) {
        for (uint32_t i = 0; i < n; i++)
                ret[i] = be32_get(bat[i]);
}

void vhd_bat_encode(const uint32_t *entries, uint32_t n, be32 *ret) {
        for (uint32_t i = 0; i < n; i++)
                ret[i] = be32_put(entries[i]);
}

void vhd_bat_clear(uint32_t *entries, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                entries[i] = VHD_BAT_UNUSED;
}

uint32_t vhd_bat_count(const uint32_t *entries, uint32_t n) {
        uint32_t used = 0;

        for (uint32_t i = 0; i < n; i++)
                used += entries[i] != VHD_BAT_UNUSED;
        return used;
}

uint64_t vhd_bat_end_sector(const uint32_t *entries, uint32_t n) {
        uint64_t end = 0;

        for (uint32_t i = 0; i < n; i++)
                if (entries[i] != VHD_BAT_UNUSED)
                        end = max_u64(end, (uint64_t)entries[i] + BLOCK_LENGTH);
        return end;
}

enum vhd_bat_fault vhd_bat_fault_of(uint32_t entry, const struct vhd_reserved *reserved, uint64_t end) {
        uint64_t at = (uint64_t)entry * VHD_SECTOR;

        if (entry == VHD_BAT_UNUSED)
                return VHD_BAT_GOOD;
        if (vhd_reserved_hit(reserved, at, vhd_block_end(entry) - at))
                return VHD_BAT_IN_HEADERS;
        if (!range_fits(at, VHD_BITMAP_SIZE, end))
                return VHD_BAT_OUTSIDE;
        return vhd_block_end(entry) > end ? VHD_BAT_CUT : VHD_BAT_GOOD;
}

enum err vhd_bat_check_entry(uint32_t block, uint32_t entry, const struct vhd_reserved *reserved,
                             uint64_t end, struct err_note *note) {
        uint64_t at = (uint64_t)entry * VHD_SECTOR;

        switch (vhd_bat_fault_of(entry, reserved, end)) {
        case VHD_BAT_GOOD:
                return ERR_NONE;
        case VHD_BAT_IN_HEADERS:
                return err_set(note, ERR_CORRUPT, "BAT entry %u: the block at sector %u touches the %s",
                               block, entry, vhd_reserved_hit(reserved, at, vhd_block_end(entry) - at)->what);
        case VHD_BAT_OUTSIDE:
                return err_set(note, ERR_CORRUPT,
                               "BAT entry %u: sector %u is past the end, %" PRIu64 " bytes", block, entry,
                               end);
        case VHD_BAT_CUT:
                return err_set(note, ERR_CORRUPT,
                               "BAT entry %u: the block at sector %u ends at %" PRIu64
                               ", past the end, %" PRIu64 " bytes",
                               block, entry, vhd_block_end(entry), end);
        }
        return ERR_NONE;
}

/* The used entries as sector << 32 | block; returns how many, and whether they ascend already. */
static uint32_t keys_of(const uint32_t *entries, uint32_t n, uint64_t *keys, bool *ret_ascend) {
        uint32_t used = 0;

        *ret_ascend = true;
        for (uint32_t i = 0; i < n; i++) {
                if (entries[i] == VHD_BAT_UNUSED)
                        continue;
                keys[used] = (uint64_t)entries[i] << 32 | i;
                if (used && keys[used] < keys[used - 1])
                        *ret_ascend = false;
                used++;
        }
        return used;
}

/* Radix sort by the upper 32 bits in three passes from a to b, to a, to b: the result is in b. */
static void sort_keys(uint64_t *a, uint64_t *b, uint32_t n) {
        for (unsigned shift = 32; shift < 64; shift += DIGIT_BITS) {
                uint32_t place[DIGITS] = {0}, sum = 0;
                uint64_t *swap = a;

                for (uint32_t i = 0; i < n; i++)
                        place[a[i] >> shift & (DIGITS - 1)]++;
                for (uint32_t d = 0; d < DIGITS; d++) {
                        uint32_t count = place[d];

                        place[d] = sum;
                        sum += count;
                }
                for (uint32_t i = 0; i < n; i++)
                        b[place[a[i] >> shift & (DIGITS - 1)]++] = a[i];
                a = b;
                b = swap;
        }
}
_Static_assert(3 * DIGIT_BITS >= 32 && 2 * DIGIT_BITS < 32, "three passes: an odd number, and enough");

static enum err find_overlaps(const uint64_t *keys, uint32_t n, struct vhd_overlaps *ret,
                              struct err_note *note) {
        struct vhd_overlaps found = {0};

        for (uint32_t i = 1; i < n; i++) {
                if ((keys[i] >> 32) - (keys[i - 1] >> 32) >= BLOCK_LENGTH)
                        continue;
                if (found.n < VHD_OVERLAPS_SHOWN) {
                        found.shown[found.n].block = (uint32_t)keys[i];
                        found.shown[found.n].other = (uint32_t)keys[i - 1];
                }
                if (found.n++ == 0)
                        (void)err_set(
                                note, ERR_CORRUPT,
                                "BAT entries %u and %u: the blocks at sectors %u and %u lie upon each other",
                                (uint32_t)keys[i - 1], (uint32_t)keys[i], (uint32_t)(keys[i - 1] >> 32),
                                (uint32_t)(keys[i] >> 32));
        }
        if (ret)
                *ret = found;
        return found.n ? ERR_CORRUPT : ERR_NONE;
}

enum err vhd_bat_check_overlaps(const uint32_t *entries, uint32_t n, struct vhd_overlaps *ret,
                                struct err_note *note) {
        uint64_t room = vhd_bat_count(entries, n);
        AUTO_FREE uint64_t *keys = NULL;
        uint64_t *sorted;
        bool ascend;

        if (room < 2) {
                if (ret)
                        memset(ret, 0, sizeof *ret);
                return ERR_NONE;
        }
        keys = mem_try((size_t)room * 2, sizeof *keys);
        if (!keys)
                return err_set(note, ERR_NO_MEMORY, "check %u BAT entries: out of memory", n);
        n = keys_of(entries, n, keys, &ascend);
        sorted = ascend ? keys : keys + room;
        if (!ascend)
                sort_keys(keys, sorted, n);
        return find_overlaps(sorted, n, ret, note);
}
