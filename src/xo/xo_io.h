// SPDX-License-Identifier: Apache-2.0
/* An io in which VHDs that Xen Orchestra keeps as directories lie among the files, each under its alias's
 * path: whoever reads VHD files reads them, and their chains.  All else is the io below, for reading.
 *
 *      io = xo_io_new(below)
 *      xo_io_add(io, path, dir)
 *      io_free(io)                  below is the caller's still
 *
 * Errors: those of xo_vhd_dir.h where one is read; ERR_READ_ONLY where anything is to be changed.
 * Threads: adding: one, while nobody else uses it; the rest as io.h has it.
 */
#ifndef XO_IO_H
#define XO_IO_H

#include "xo_vhd_dir.h"

struct io *xo_io_new(struct io *below); /* below: borrowed, outlives it */
/* path: borrowed for the call; as it will be opened, no other's.  dir: the io's from then on. */
void xo_io_add(struct io *, const char *path, struct xo_vhd_dir *dir);
struct xo_vhd_dir *xo_io_find(struct io *, const char *path); /* borrowed; NULL: none was added there */

#endif
