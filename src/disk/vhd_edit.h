// SPDX-License-Identifier: Apache-2.0
/* Small changes to a VHD's metadata, in the order that keeps it valid at each instant.  The file is open for
 * writing and locked by the caller; each call is durable when it returns, and doing it twice is doing it
 * once.
 *
 * Footers: the one at the end first, synced, then the copy at 0, synced.  Between the two the end counts, for
 * us and for the tools that read the end first; the change is done when both agree.  Where the footer at the
 * end was missing it is put where it belongs.  Overwriting in place needs no space.
 *
 * Parent: locator payloads, sync; then the header's first sector, sync (docs/why/007-stretched-locators.md).
 * Payloads are
 * stretched to the length they had ("././b.vhd"), so that nothing else of the header changes.  Only for a
 * longer path the lengths in the second sector change too: it is written after the first, and as long as it
 * is missing vhd_meta_read completes the header from the payloads (meta.is_header_torn).  Where there is no
 * parent any more the locators in it go likewise.
 *
 * Errors: ERR_INVALID for what the image's type does not have, ERR_CORRUPT and ERR_UNSUPPORTED (an
 * interrupted resize of another tool), those of io and vhd_parent.h.  Nothing was written where the error is
 * not one of io. Threads: the owner of the file.
 */
#ifndef DISK_VHD_EDIT_H
#define DISK_VHD_EDIT_H

#include "io.h"
#include "vhd_create.h"
#include "vhd_meta.h"

MUST_USE enum err vhd_edit_set_hidden(struct io_file *, bool is_hidden, struct err_note *);
/* Writes footer to both places, as it is; meta says where the end is. */
MUST_USE enum err vhd_edit_write_footers(struct io_file *, const struct vhd_meta *, const struct vhd_footer *,
                                         struct err_note *);
/* Both footers as meta.footer, where one is missing or they differ. A file that was cut off while it grew has
 * no footer at its new end; where there is no space for one, the file ends again at the footer of before, and
 * meta says so. */
MUST_USE enum err vhd_edit_mend_footers(struct io_file *, struct vhd_meta *, struct err_note *);
/* The file ends right behind its last block, or behind its tables where it holds none: the new footer is
 * durable before the old one goes.  Not for fixed images. */
MUST_USE enum err vhd_edit_cut(struct io_file *, struct err_note *);
/* Points the image at another parent.  ERR_TOO_LARGE where the payloads do not fit their spaces. */
MUST_USE enum err vhd_edit_set_parent(struct io *, struct io_file *, const struct vhd_parent *,
                                      struct err_note *);
/* Needs its parent no more: a differencing image becomes a dynamic one.  Footers first: with these a header
 * that still names a parent is not asked for it. */
MUST_USE enum err vhd_edit_drop_parent(struct io_file *, struct err_note *);
/* The second half of that, of an image whose footers say so already. */
MUST_USE enum err vhd_edit_clear_parent(struct io_file *, struct err_note *);
/* Makes a header whole that vhd_meta_read found torn; nothing where it is not. */
MUST_USE enum err vhd_edit_finish_header(struct io_file *, struct vhd_meta *, struct err_note *);
/* Writes a header that differs from meta's only in what concerns the parent; payloads are durable by then. */
MUST_USE enum err vhd_edit_write_header(struct io_file *, const struct vhd_meta *, const struct vhd_header *,
                                        struct err_note *);

#endif
