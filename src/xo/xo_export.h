// SPDX-License-Identifier: Apache-2.0
/* Points of a vault become restore points in a Xen Orchestra remote, which it lists and restores: a full
 * backup first, then what differs from the one before, as VHD files.
 *
 *      xo_export_point(&export, &point, &ret, note)       for each, oldest first
 *
 *   [X1] under the VM's lock (xo_lock.h), from before it is looked what is there to the end
 *   [X2] metadata is there only when all its VHDs are, durable
 *   [X3] nothing of Xen Orchestra's is changed but its cache of metadata, which is removed: it makes it again
 *   [X4] a VHD has one child at most, whose name comes after its own: what its merges count on
 *
 * A point that is there already is passed over, so a run that was cut short goes on.  What it left is VHDs
 * that no metadata names: the next run replaces them, and Xen Orchestra's own cleaning takes them away.
 *
 * Errors: ERR_UNSUPPORTED, the remote is encrypted; ERR_TOO_LARGE, a disk above VHD_MAX_SIZE; ERR_BUSY, the
 * lock; those of get.h, diff.h, io.h; ERR_CANCELLED.  Threads: one at a time.
 */
#ifndef XO_EXPORT_H
#define XO_EXPORT_H

#include "points.h"
#include "xo_remote.h"

struct xo_export {
        struct vault *vault; /* borrowed */
        struct io *io;       /* borrowed */
        const char *dir;     /* borrowed; the remote's directory, which is there */
        bool is_full;        /* deltas are not made */
        /* Bytes of the disks written so far, of the point at hand; may cancel.  NULL: none. */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to it */
};

struct xo_exported {
        bool was_there;
        char *path;        /* owned; of the metadata, from the remote's directory */
        uint64_t bytes;    /* of the disks, in blocks that were written */
        unsigned n_deltas; /* of the disks: that have a parent */
};
void xo_exported_fini(struct xo_exported *);
DEFINE_AUTO_IN_PLACE(struct xo_exported, xo_exported_fini);

MUST_USE enum err xo_export_point(const struct xo_export *, const struct point *, struct xo_exported *ret,
                                  struct err_note *);

#endif
