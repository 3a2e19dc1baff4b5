// SPDX-License-Identifier: Apache-2.0
/* Writes a VHD file as Xen Orchestra does: footer, header, BAT, blocks with bitmaps of ones, footer.  There
 * are no locators: the parent is named in the header, as a neighbour.
 *
 * Errors: those of io.h and of read; ERR_TOO_LARGE above VHD_MAX_SIZE.  Durable when it returns, its name is
 * the caller's matter.  Threads: one.
 */
#ifndef XO_VHD_FILE_H
#define XO_VHD_FILE_H

#include "io.h"
#include "uuid.h"
#include "vec.h"

struct xo_vhd_file {
        uint64_t size; /* bytes of the disk; rounded up to a sector */
        struct uuid uuid, parent;
        const char *parent_name; /* borrowed; NULL: none */
        int64_t time;            /* seconds since 1970 */
        VEC(uint32_t) blocks;    /* owned by the caller; ascending; what it holds */
        /* All n bytes of the disk. */
        enum err (*read)(void *user, void *ret, size_t n, uint64_t at, struct err_note *); /* borrowed */
        /* After each block; may cancel. */
        enum err (*tick)(void *user, struct err_note *); /* borrowed */
        void *user;                                      /* borrowed; handed to both */
};
/* path must not exist. */
MUST_USE enum err xo_vhd_file_write(struct io *, const char *path, const struct xo_vhd_file *,
                                    struct err_note *);

#endif
