// SPDX-License-Identifier: Apache-2.0
/* Reads the bitmaps of many blocks, in the order of the file and many at once: of a full 2040 GiB disk there
 * are a million, each in a page of its own.
 *
 * Errors: those of io, and what the function returns; either ends the reading.  Threads: any; one at a time.
 */
#ifndef DISK_VHD_BITMAPS_H
#define DISK_VHD_BITMAPS_H

#include "io.h"
#include "vhd.h"

/* Called once for each block, in no order that it may count on. */
typedef enum err vhd_bitmaps_fn(void *user, uint32_t block, const uint8_t bits[VHD_BITMAP_SIZE],
                                struct err_note *);

struct vhd_bitmaps {
        VEC(uint64_t) keys; /* owned; sector << 32 | block */
};
void vhd_bitmaps_fini(struct vhd_bitmaps *);
DEFINE_AUTO_IN_PLACE(struct vhd_bitmaps, vhd_bitmaps_fini);

/* entry: the block's in the BAT; its bitmap lies in the file. */
void vhd_bitmaps_add(struct vhd_bitmaps *, uint32_t block, uint32_t entry);
MUST_USE enum err vhd_bitmaps_read(struct vhd_bitmaps *, struct io *, struct io_file *, vhd_bitmaps_fn *,
                                   void *user, struct err_note *);

#endif
