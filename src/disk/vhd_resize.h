// SPDX-License-Identifier: Apache-2.0
/* Growing a VHD (DESIGN §5 "Resize").  Where the BAT has room only footers change.  A larger BAT moves the first blocks
 * out of its way (move, sync, BAT, sync), then BAT and batmap grow in place, under an intent that holds the old header and
 * batmap sectors: the caller keeps it (a catalog, or a file beside the image) between plan and done.
 *
 *   vhd_resize_plan   reads; says what will change, as bytes to be kept
 *   vhd_resize_apply  does it; the image is a legal VHD of the old or the new size at each instant, given the plan
 *   vhd_resize_recover  after a crash: with the plan's bytes, back to the old size or on to the new, whichever is whole
 *
 * Errors: ERR_INVALID where new_size is smaller, ERR_TOO_LARGE over 2040 GiB.  Threads: the owner of the file, locked.
 */
#ifndef DISK_VHD_RESIZE_H
#define DISK_VHD_RESIZE_H

#include "buf.h"
#include "io.h"

MUST_USE enum err vhd_resize_plan(struct io_file *, uint64_t new_size, struct buf *ret_plan, struct err_note *);
MUST_USE enum err vhd_resize_apply(struct io_file *, const struct buf *plan, struct err_note *);
/* Finishes or undoes, and says which: *ret_size is the size it now has.  Doing it twice changes nothing. */
MUST_USE enum err vhd_resize_recover(struct io_file *, const struct buf *plan, uint64_t *ret_size, struct err_note *);

#endif
