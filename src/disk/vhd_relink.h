// SPDX-License-Identifier: Apache-2.0
/* Another parent, or none any more, for an image that is open, in its file (vhd_edit.h) and in memory: who
 * opens a chain through it from now on follows the new one.  Chains that are open keep their layers.
 *
 * Errors: those of vhd_edit_set_parent; the image then leads to its old parent.
 * Threads: the owner of the SR; the image may be read and written meanwhile.
 */
#ifndef DISK_VHD_RELINK_H
#define DISK_VHD_RELINK_H

#include "vhd_image.h"
#include "vhd_parent.h"

MUST_USE enum err vhd_relink_image(struct image *, const struct vhd_parent *, struct err_note *);
/* It holds all that is seen through it: a dynamic image from now on. */
MUST_USE enum err vhd_unlink_image(struct image *, struct err_note *);

#endif
