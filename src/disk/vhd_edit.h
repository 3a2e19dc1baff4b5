// SPDX-License-Identifier: Apache-2.0
/* Small changes to a VHD's metadata, in the order that keeps it valid at each instant.  The file is open for writing and
 * locked by the caller; each call is durable when it returns, and doing it twice is doing it once.
 *
 * Footers: the one at the end first, synced, then the copy at 0, synced; readers of other tools trust the end first, we
 * the copy, and both must agree for the change to count everywhere (DESIGN §5).
 *
 * Errors: those of io and vhd_meta.  Threads: the owner of the file.
 */
#ifndef DISK_VHD_EDIT_H
#define DISK_VHD_EDIT_H

#include "io.h"
#include "vhd_create.h"
#include "vhd_meta.h"

MUST_USE enum err vhd_edit_set_hidden(struct io_file *, bool is_hidden, struct err_note *);
/* Writes footer to both places, as it is; meta says where the end is. */
MUST_USE enum err vhd_edit_write_footers(struct io_file *, const struct vhd_meta *, const struct vhd_footer *, struct err_note *);
/* Points the image at another parent: locator payloads, sync; then the header's first sector, sync (DESIGN §6 "Relink").
 * ERR_TOO_LARGE where the payloads do not fit their spaces. */
MUST_USE enum err vhd_edit_set_parent(struct io *, struct io_file *, const struct vhd_parent *, struct err_note *);

#endif
