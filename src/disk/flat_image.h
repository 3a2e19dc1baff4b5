// SPDX-License-Identifier: Apache-2.0
/* A file in which byte N of the disk is byte N of the file: raw, or a fixed VHD (with its footer behind the
 * data).  Each block is whole.  A raw file's odd last bytes are filled up to a sector with zeros: in what is
 * read, and in the file when it is opened as a leaf.
 *
 * Errors: ERR_UNSUPPORTED over 2040 GiB.  Threads: see image.h.
 */
#ifndef DISK_FLAT_IMAGE_H
#define DISK_FLAT_IMAGE_H

#include "image.h"
#include "vhd_footer.h"

/* file is locked already; taken over where this succeeds. */
MUST_USE enum err flat_image_new_raw(struct images *, struct io_file *file, bool as_leaf, struct image **ret,
                                     struct err_note *);
MUST_USE enum err flat_image_new_fixed(struct images *, struct io_file *file, const struct vhd_footer *,
                                       bool as_leaf, struct image **ret, struct err_note *);

#endif
