// SPDX-License-Identifier: Apache-2.0
/* New VHD files, written as tapdisk writes them: creator tap 1.3, batmap 1.2, three locators, data 4 KiB aligned.
 *
 * The file is synced when the call returns, its name is not: the caller syncs the folder when it wants the name.  Where a
 * step fails the half-made file is removed.
 *
 * Errors: ERR_EXISTS, ERR_TOO_LARGE (over 2040 GiB), ERR_INVALID (size 0), ERR_NO_SPACE.  Threads: any.
 */
#ifndef DISK_VHD_CREATE_H
#define DISK_VHD_CREATE_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "uuid.h"
#include "vhd_footer.h"

struct vhd_parent {
        const char *path;        /* borrowed; as it is to be found later, from the working directory or absolute */
        const char *name_from;   /* borrowed; the child's final path, where the file is made under a temporary name in the
                                  * same folder; NULL: the path it is made at */
        struct uuid uuid;        /* the parent's footer uuid; null where is_raw */
        bool        is_raw;
        int64_t     modified_seconds; /* of the parent's file, since 1970 */
};

struct vhd_create_options {
        enum vhd_type            type;     /* VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING */
        uint64_t                 size;     /* bytes; rounded up to 512 */
        uint64_t                 room_for; /* size that the BAT has room for; 0: size */
        struct uuid              uuid;     /* null: fresh dice */
        bool                     is_hidden;
        const struct vhd_parent *parent;   /* borrowed; for VHD_DIFFERENCING */
};

MUST_USE enum err vhd_create(struct io *, const char *path, const struct vhd_create_options *, struct uuid *ret_uuid,
                             struct err_note *);

#endif
