// SPDX-License-Identifier: Apache-2.0
/* Growing a VHD that lies by itself: the plan that vhd_resize needs after a crash is kept in a file beside
 * it, named
 * ".<name>.resize", from before the first change until after the last.
 *
 * Promises: a crash at any point leaves the VHD as it was or, once vhd_resize_file or vhd_resize_file_recover
 * has run again, as it should be.  A plan that is cut short is none: nothing had been changed by then.
 *
 * Errors: ERR_BUSY where anybody has the VHD open; those of vhd_resize.  Threads: any.
 */
#ifndef DISK_VHD_RESIZE_FILE_H
#define DISK_VHD_RESIZE_FILE_H

#include "io.h"

MUST_USE enum err vhd_resize_file(struct io *, const char *path, uint64_t size, uint64_t *ret_old_size,
                                  uint64_t *ret_size, struct err_note *);
/* Finishes or undoes what was interrupted; nothing where nothing was. */
MUST_USE enum err vhd_resize_file_recover(struct io *, const char *path, struct err_note *);
/* ERR_BUSY where the plan of an interrupted one lies beside it: nobody may change the VHD before it is
 * finished or undone. */
MUST_USE enum err vhd_resize_file_check(struct io *, const char *path, struct err_note *);

#endif
