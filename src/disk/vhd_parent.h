// SPDX-License-Identifier: Apache-2.0
/* How a differencing image names its parent: which path and name go into its header and locators, and the
 * payloads themselves.
 *
 * The path is the relative one from the child's folder to the parent's canonical path; the folders must
 * exist, the parent need not yet (a snapshot names it before it has its name).
 *
 * Errors: ERR_NOT_FOUND where a folder is missing; ERR_INVALID for a name that no VHD can hold; ERR_TOO_LARGE
 * for one that is too long.  Threads: any.
 */
#ifndef DISK_VHD_PARENT_H
#define DISK_VHD_PARENT_H

#include "buf.h"
#include "io.h"
#include "uuid.h"
#include "vhd_header.h"
#include "vhd_layout.h"
#include "vhd_locator.h"

struct vhd_parent {
        const char *path; /* borrowed; as it is to be found later, from the working directory or absolute */
        const char *name_from; /* borrowed; the child's final path, where the file is made under a temporary
                                * name elsewhere; NULL: the path it is made at */
        struct uuid uuid;      /* the parent's footer uuid; null where is_raw */
        bool is_raw;           /* then uuid is null */
        int64_t modified_seconds; /* of the parent's file, since 1970 */
};

/* What is written of it. */
struct vhd_parent_names {
        char *path;                           /* owned; relative, with slashes, without "./" in front */
        const char *name;                     /* borrowed from path: its last part */
        struct buf payload[VHD_NEW_LOCATORS]; /* by vhd_locator_order, without padding */
};
void vhd_parent_names_fini(struct vhd_parent_names *);
DEFINE_AUTO_IN_PLACE(struct vhd_parent_names, vhd_parent_names_fini);

/* child_path: counts where parent->name_from is NULL. */
MUST_USE enum err vhd_parent_names_of(struct io *, const struct vhd_parent *, const char *child_path,
                                      struct vhd_parent_names *ret, struct err_note *);

/* The same of a path that is relative to the child's folder as it stands. */
MUST_USE enum err vhd_parent_names_of_relative(const char *path, struct vhd_parent_names *ret,
                                               struct err_note *);

/* The payload for a locator of one of the three codes; NULL for other codes. */
const struct buf *vhd_parent_payload(const struct vhd_parent_names *, uint32_t code);

/* Makes a payload longer without a change of meaning ("./b" -> "././b"), so that its header entry can stay;
 * false where that cannot be: it is longer already, or half a UTF-16 unit is left. */
MUST_USE bool vhd_parent_stretch(struct buf *payload, uint32_t code, size_t length);

#endif
