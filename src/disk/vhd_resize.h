// SPDX-License-Identifier: Apache-2.0
/* Growing a VHD.  In this order, each line durable before the next:
 *
 *   1  batmap bits, then bitmap bits, of what the last block holds past the old end are cleared: it reads as
 *      zeros from now on.  Entries behind the last block are made unused
 *   2  where the BAT has no room: the footer of the old size at a new end; copies of the blocks that are in
 *      the way of a larger table; their BAT entries; a larger BAT with its batmap, behind all metadata
 *      that is there, where those blocks were; then the header's first sector, which switches from the old
 *      table to the new one.  (Where the table's last sector has room, only this.)
 *   3  footers of the new size, the end first
 *
 * A dynamic or differencing image is a legal VHD of the old or of the new size at each instant, to us without
 * the plan too: no table is changed in place.  The batmap is a hint; a crash in 1 may leave it with a wrong
 * checksum, which recovery mends.  A table that moves doubles its room, so what old ones leave unused is
 * bounded.
 *
 * A fixed image grows by a new footer behind the new end; then the old one's bytes, now the disk's, are
 * zeroed.
 * Only with the plan is it whole at each instant.
 *
 *   vhd_resize_plan     reads; says what will change, as bytes that the caller keeps (in a catalog, or a file
 *                       beside the image) until it is done
 *   vhd_resize_apply    does it
 *   vhd_resize_recover  after a crash or a failure: back to the old size or on to the new, whichever is whole
 *
 * A parent that is larger than its child shows through behind the child's old end, as in all tools.
 *
 * Errors: ERR_INVALID where new_size is smaller, ERR_TOO_LARGE over 2040 GiB, ERR_CORRUPT where the image
 * must be mended first, ERR_MISMATCH for a plan of another image.  Threads: the owner of the file, locked.
 */
#ifndef DISK_VHD_RESIZE_H
#define DISK_VHD_RESIZE_H

#include "buf.h"
#include "io.h"

/* new_size: bytes, rounded up to 512.  ret_plan is filled anew. */
MUST_USE enum err vhd_resize_plan(struct io_file *, uint64_t new_size, struct buf *ret_plan,
                                  struct err_note *);
MUST_USE enum err vhd_resize_apply(struct io_file *, const struct buf *plan, struct err_note *);
/* Finishes or undoes, and says which: *ret_size is the size it now has.  Doing it twice changes nothing. */
MUST_USE enum err vhd_resize_recover(struct io_file *, const struct buf *plan, uint64_t *ret_size,
                                     struct err_note *);

#endif
