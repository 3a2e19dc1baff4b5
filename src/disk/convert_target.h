// SPDX-License-Identifier: Apache-2.0
/* The file that a disk is copied into: where its blocks go, and all that is not data, written at the end.
 *
 * Each block has a frame: of a dynamic VHD the page that ends in its bitmap, then its data, so that frames
 * follow one another without a gap and each is one aligned write; of the others its data alone.
 *
 * Errors: those of io; ERR_TOO_LARGE and ERR_INVALID for sizes that a VHD cannot have.  Threads: one at a
 * time.
 */
#ifndef DISK_CONVERT_TARGET_H
#define DISK_CONVERT_TARGET_H

#include "convert.h"
#include "vhd_batmap.h"
#include "vhd_layout.h"

enum { CONVERT_FRAME_HEAD = 4096 }; /* room before a block's data in memory, for the page with its bitmap */

struct convert_target {
        enum convert_format format;
        struct io_file *data;  /* owned; perhaps past the page cache */
        struct io_file *plain; /* owned; the same file, through it */
        uint64_t size;         /* of the disk */
        struct vhd_footer footer;
        struct vhd_layout layout;
        uint32_t *bat;   /* owned */
        uint8_t *batmap; /* owned */
        uint32_t n_slots;
};

MUST_USE enum err convert_target_open(struct io *, const char *path, uint64_t size,
                                      const struct convert_options *, struct convert_target *ret,
                                      struct err_note *);
void convert_target_fini(struct convert_target *);
DEFINE_AUTO_IN_PLACE(struct convert_target, convert_target_fini);

/* The next place for a block, in order.  *ret_at: where its data goes.  Of a dynamic VHD head
 * (CONVERT_FRAME_HEAD bytes, which go right before the data) is filled and true returned; of others there is
 * no head. */
bool convert_target_place(struct convert_target *, uint64_t block, uint8_t *head, uint64_t *ret_at);
/* Everything but data; synced. */
MUST_USE enum err convert_target_finish(struct convert_target *, struct err_note *);

#endif
