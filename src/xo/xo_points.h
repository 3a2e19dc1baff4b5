// SPDX-License-Identifier: Apache-2.0
/* The restore points of a remote, oldest first.  What is no metadata of a point, or damaged, is told of and
 * passed over.
 *
 * Errors: those of xo_remote.h where folders cannot be listed.  Threads: one.
 */
#ifndef XO_POINTS_H
#define XO_POINTS_H

#include "xo_meta.h"
#include "xo_remote.h"

struct xo_point {
        char *folder; /* owned; the VM's, from the remote's directory */
        char *name;   /* owned; of the point: its file's, without ".json" */
        struct xo_meta meta;
};
struct xo_left {
        char *path; /* owned; of the metadata */
        char *why;  /* owned */
};
struct xo_points {
        VEC(struct xo_point) list; /* owned, and each; by time, then by folder and name */
        VEC(struct xo_left) left;  /* owned, and each */
};
/* Of one VM, whose folder need not be there. */
MUST_USE enum err xo_points_of_vm(const struct xo_remote *, const char *uuid, struct xo_points *ret,
                                  struct err_note *);
MUST_USE enum err xo_points_list(const struct xo_remote *, struct xo_points *ret, struct err_note *);
void xo_points_fini(struct xo_points *);
DEFINE_AUTO_IN_PLACE(struct xo_points, xo_points_fini);

#endif
