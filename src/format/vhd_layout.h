// SPDX-License-Identifier: Apache-2.0
/* Where everything lies.  vhd_layout_init computes a fresh image as XenServer lays it out; vhd_reserved lists
 * what of an existing one, whoever made it, no block may touch; and the slot arithmetic says where blocks of
 * our own go: a block's bitmap stands in the last sector of a page, so its data begins a page, and slots
 * follow one another every 4104 sectors.
 *
 * Errors: none but those of vhd_reserved_of; sizes have passed vhd_check_size.  Threads: any.
 */
#ifndef FORMAT_VHD_LAYOUT_H
#define FORMAT_VHD_LAYOUT_H

#include "vhd.h"
#include "vhd_footer.h"
#include "vhd_header.h"

#define VHD_BAT_AT       1536u /* of a fresh image: behind footer copy and header */
#define VHD_NEW_LOCATORS 3u    /* MacX, W2ku, W2ru */

/* A fresh image.  All in bytes from the file's start, multiples of 512.  A fixed image has only footer_at. */
struct vhd_layout {
        enum vhd_type type;
        uint64_t size_bytes;
        uint32_t max_bat_entries;
        uint64_t header_at;
        uint64_t bat_at;
        uint64_t bat_size;
        uint64_t batmap_header_at;
        uint64_t batmap_at;
        uint64_t batmap_size;
        unsigned n_locators;
        uint64_t locator_at[VHD_NEW_LOCATORS];
        uint64_t locator_space[VHD_NEW_LOCATORS];
        uint64_t headers_end;        /* of all above; an empty image's footer stands here */
        uint64_t first_block_sector; /* the bitmap of slot 0 */
        uint64_t footer_at;          /* of the empty image: headers_end, or size_bytes where it is fixed */
};

/* max_bat_entries: vhd_blocks_of(size), or more to preallocate, up to VHD_MAX_BLOCKS.  payload_size: of each
 * locator's payload; looked at only for a differencing image, NULL: 512 bytes of room each. */
void vhd_layout_init(struct vhd_layout *ret, enum vhd_type, uint64_t size_bytes, uint32_t max_bat_entries,
                     const size_t payload_size[VHD_NEW_LOCATORS]);

/* ---- sizes and places that follow from the header ---- */

uint64_t vhd_bat_size(uint32_t max_bat_entries);    /* bytes of the table on disk, a multiple of 512 */
uint64_t vhd_batmap_size(uint32_t max_bat_entries); /* bytes of a map with a bit for each entry, likewise */
uint64_t vhd_batmap_header_at(const struct vhd_header *); /* computed, not stored: behind the table */

/* ---- slots ---- */

/* The first sector at or behind this one where a bitmap may stand so that its data begins a page. */
uint64_t vhd_slot_align(uint64_t sector);

/* Slot k of a row that begins at `first`, an aligned sector; and back: false where the sector is no slot's.
 */
uint64_t vhd_slot_sector(uint64_t first, uint64_t k);
MUST_USE bool vhd_slot_of(uint64_t first, uint64_t sector, uint64_t *ret_k);

/* Where a block's data begins and the block ends, of the sector in its BAT entry.  Bytes. */
uint64_t vhd_block_data_at(uint32_t entry);
uint64_t vhd_block_end(uint32_t entry);

/* ---- what no block may touch ---- */

struct vhd_extent {
        uint64_t at, n;   /* bytes */
        const char *what; /* borrowed, a constant: "BAT", "header" */
};

enum { VHD_RESERVED_MAX = 5 + VHD_LOCATORS };

struct vhd_reserved {
        struct vhd_extent extent[VHD_RESERVED_MAX]; /* by offset */
        unsigned n;
        uint64_t end; /* the highest byte behind any of them: where blocks of our own may begin */
};

/* Of an image as it is: footer copy, header, BAT, locator payloads, and with_batmap: of batmap_size bytes at
 * batmap_at, with its header.  ERR_CORRUPT where two of them lie upon each other, but ret is filled then too;
 * locators that fail vhd_locator_check are left out. */
MUST_USE enum err vhd_reserved_of(const struct vhd_footer *, const struct vhd_header *, bool with_batmap,
                                  uint64_t batmap_at, uint64_t batmap_size, struct vhd_reserved *ret,
                                  struct err_note *);

/* The first of them that [at, at + n) touches, or NULL. */
const struct vhd_extent *vhd_reserved_hit(const struct vhd_reserved *, uint64_t at, uint64_t n);

#endif
