// SPDX-License-Identifier: Apache-2.0
/* New VHD files, written as tapdisk writes them: creator tap 1.3, batmap 1.2, three locators, data 4 KiB
 * aligned.
 *
 * The file is synced when the call returns, its name is not: the caller syncs the folder when it wants the
 * name.  Where a step fails the half-made file is removed.  What a crash leaves of a half-made one is no VHD
 * to anybody: the footers are written last, behind a sync of all else.  An empty image costs no more I/O than
 * its metadata (4.3 MiB at most).
 *
 * Errors: ERR_EXISTS, ERR_TOO_LARGE (over 2040 GiB), ERR_INVALID (size 0; a parent where none belongs, or
 * none where one does), ERR_NO_SPACE, those of vhd_parent.h.  Threads: any.
 */
#ifndef DISK_VHD_CREATE_H
#define DISK_VHD_CREATE_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "uuid.h"
#include "vhd_footer.h"
#include "vhd_parent.h"

struct vhd_create_options {
        enum vhd_type type; /* VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING */
        uint64_t size;      /* bytes; rounded up to 512 */
        uint64_t room_for;  /* size that the BAT has room for; 0, or less than size: size */
        struct uuid uuid;   /* null: fresh dice */
        bool is_hidden;
        const struct vhd_parent *parent; /* borrowed; for VHD_DIFFERENCING */
};

/* ret_uuid may be NULL. */
MUST_USE enum err vhd_create(struct io *, const char *path, const struct vhd_create_options *,
                             struct uuid *ret_uuid, struct err_note *);

#endif
