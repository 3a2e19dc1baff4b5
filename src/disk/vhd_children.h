// SPDX-License-Identifier: Apache-2.0
/* Looks through a folder for VHDs that name one of some files as their parent: before what these hold is
 * changed.
 *
 * A file is a child when its header has the uuid of one of them, or when a name that it gives its parent
 * leads to one of them, whatever its uuid.  Files of every name are looked at, hidden ones too, since a child
 * may be in the making.  A damaged VHD is a child where what is left of its header says so; where nothing is
 * left to say it, or the file cannot be read, it may be one.
 *
 * A child in another folder is not found.
 *
 * Errors: ERR_BUSY names the child, or the file that may be one, and its parent.  Threads: any.
 */
#ifndef DISK_VHD_CHILDREN_H
#define DISK_VHD_CHILDREN_H

#include "image.h"

struct vhd_children {
        struct io *io;            /* borrowed */
        struct image *const *run; /* borrowed; each the parent of the next */
        size_t n;                 /* the last one's children do not count, and the run's own files neither */
        bool ignores_unreadable;  /* what may be a child is none */
};

MUST_USE enum err vhd_children_look(const struct vhd_children *, const char *folder, struct err_note *);

#endif
