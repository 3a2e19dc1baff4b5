// SPDX-License-Identifier: Apache-2.0
/* The BAT: for each block the sector of its bitmap, or VHD_BAT_UNUSED.  On disk an array of be32; in memory
 * one of numbers, since it may have a million entries and is looked at often.  What is left of the table's
 * last sector means nothing: we write ones, XenServer zeros; readers look at no more than max_bat_entries.
 *
 * vhd_bat_check_entry looks at one entry against what it must not touch; vhd_bat_check_overlaps looks whether
 * any two blocks lie upon each other, in time proportional to the number of entries.
 *
 * Errors: ERR_CORRUPT, ERR_NO_MEMORY.  Threads: any.
 */
#ifndef FORMAT_VHD_BAT_H
#define FORMAT_VHD_BAT_H

#include "vhd.h"
#include "vhd_layout.h"

/* One entry of a table as it stands on disk. */
static inline uint32_t vhd_bat_get(const be32 *bat, uint32_t block) {
        return be32_get(bat[block]);
}
static inline void vhd_bat_put(be32 *bat, uint32_t block, uint32_t sector) {
        bat[block] = be32_put(sector);
}

/* Which of the next entries are in use, the first one as bit 0: a chain may have to look at millions of
 * entries, of which nearly all are unused, to be opened. */
enum { VHD_BAT_GROUP = 16 };
unsigned vhd_bat_used_of(const be32 bat[VHD_BAT_GROUP]);

/* n entries; ret may be the same memory as the source. */
void vhd_bat_decode(const be32 *bat, uint32_t n, uint32_t *ret);
void vhd_bat_encode(const uint32_t *entries, uint32_t n, be32 *ret);

void vhd_bat_clear(uint32_t *entries, uint32_t n);           /* all unused */
uint32_t vhd_bat_count(const uint32_t *entries, uint32_t n); /* of entries in use */

/* One sector behind the last block, over all n entries: 0 where none is used. */
uint64_t vhd_bat_end_sector(const uint32_t *entries, uint32_t n);

enum vhd_bat_fault {
        VHD_BAT_GOOD,       /* or unused */
        VHD_BAT_IN_HEADERS, /* the block touches something reserved */
        VHD_BAT_OUTSIDE,    /* its bitmap does not lie before the end */
        VHD_BAT_CUT,        /* its data goes past the end: what is missing reads as zeros */
};

/* end: bytes that blocks may fill, where the end's footer begins (or would). */
enum vhd_bat_fault vhd_bat_fault_of(uint32_t entry, const struct vhd_reserved *, uint64_t end);

/* Behind all that is reserved and before the end: so is nearly every block, and then nothing else need be
 * asked.  An entry in use. */
static inline bool vhd_bat_is_plainly_good(uint32_t entry, const struct vhd_reserved *reserved,
                                           uint64_t end) {
        uint64_t at = (uint64_t)entry * VHD_SECTOR;

        return at >= reserved->end && at + VHD_BITMAP_SIZE + VHD_BLOCK_SIZE <= end;
}

/* The same in words: "BAT entry 7: sector 3 touches the header". */
MUST_USE enum err vhd_bat_check_entry(uint32_t block, uint32_t entry, const struct vhd_reserved *,
                                      uint64_t end, struct err_note *);

enum { VHD_OVERLAPS_SHOWN = 16 };

struct vhd_overlaps {
        uint32_t n; /* blocks that begin inside the one before them in the file */
        struct {
                uint32_t block, other; /* block begins inside other, or where it does */
        } shown[VHD_OVERLAPS_SHOWN];   /* the first of them in the order of the file */
};

/* ERR_CORRUPT names the first pair; ret, which may be NULL, has more.  ERR_NO_MEMORY: it takes 16 bytes an
 * entry. */
MUST_USE enum err vhd_bat_check_overlaps(const uint32_t *entries, uint32_t n, struct vhd_overlaps *ret,
                                         struct err_note *);

#endif
