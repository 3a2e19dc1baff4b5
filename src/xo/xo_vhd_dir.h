// SPDX-License-Identifier: Apache-2.0
/* A VHD that Xen Orchestra keeps as a directory, one file a block, read as the VHD file that it stands for:
 * footer, header, BAT, the blocks that are held, footer.  Whoever reads VHD files reads it.
 *
 * Bitmaps are all ones, whatever the blocks' files say: that is how Xen Orchestra reads them, too.  Locators
 * are left out; the parent's name may be told (xo_vhd_dir_set_parent).
 *
 * While a merge is under way, blocks have left a directory for the one below.  They are found there
 * (xo_vhd_dir_set_moved): the BAT still says that they are this one's.
 *
 * Errors: ERR_CORRUPT with the file; ERR_UNSUPPORTED; those of xo_remote.h.
 * Threads: making and setting: one; reading: any, at once.
 * Memory: 4 bytes a block of the disk, and 8 blocks.
 */
#ifndef XO_VHD_DIR_H
#define XO_VHD_DIR_H

#include "uuid.h"
#include "xo_remote.h"

struct xo_vhd_dir;
/* path: from the remote's directory.  The remote outlives it. */
MUST_USE enum err xo_vhd_dir_open(const struct xo_remote *, const char *path, struct xo_vhd_dir **ret,
                                  struct err_note *);
void xo_vhd_dir_free(struct xo_vhd_dir *);
DEFINE_AUTO(struct xo_vhd_dir *, xo_vhd_dir_free);

struct uuid xo_vhd_dir_uuid(const struct xo_vhd_dir *);
bool xo_vhd_dir_has_parent(const struct xo_vhd_dir *);
struct uuid xo_vhd_dir_parent(const struct xo_vhd_dir *);
/* The name by which it is found in the folder of this one. */
MUST_USE enum err xo_vhd_dir_set_parent(struct xo_vhd_dir *, const char *name, struct err_note *);
void xo_vhd_dir_set_moved(struct xo_vhd_dir *, const struct xo_vhd_dir *below); /* borrowed, outlives it */

uint64_t xo_vhd_dir_size(const struct xo_vhd_dir *); /* bytes of the file */
/* Fewer than n only at its end. */
MUST_USE enum err xo_vhd_dir_read(struct xo_vhd_dir *, void *ret, size_t n, uint64_t at, size_t *ret_n,
                                  struct err_note *);

#endif
