// SPDX-License-Identifier: Apache-2.0
/* An io in which the disks of points lie among the files: a disk has a name, a size, and bytes that are read
 * from the vault.  All else is the io below.  So whoever reads files, by plain calls or by queue, reads a
 * disk of a point, and no second way of reading is needed.
 *
 *      io = point_io_new(below)
 *      file = point_io_add(io, name, get, size)       the disk is there, and open
 *      io_free(io)                                    below is the caller's still
 *
 * A disk is found by its name in whatever folder it is looked for: a child that names it as its neighbour
 * finds it wherever the child is taken.  What was added is its one open file; it cannot be opened again.
 *
 * Errors: those of get.h where a disk is read; ERR_READ_ONLY where it is to be changed.
 * Threads: adding: one, before others use it; the rest as io.h has it.
 */
#ifndef VAULT_POINT_IO_H
#define VAULT_POINT_IO_H

#include "get.h"
#include "io.h"

struct io *point_io_new(struct io *below); /* below: borrowed, outlives it */
/* name: borrowed for the call; without slashes, no other's.  get: the file's, closed with it. */
struct io_file *point_io_add(struct io *, const char *name, struct get *, uint64_t size);
/* As the io sees it: an inode of its own on a device of its own. */
void point_io_stat(const struct io_file *, struct io_stat *ret);

#endif
