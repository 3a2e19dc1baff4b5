// SPDX-License-Identifier: Apache-2.0
/* A VHD file as a layer: dynamic, differencing, or fixed (which is flat, see flat_image.h).
 *
 * Frozen, it answers from the file: BAT and batmap are read when a map is built and not kept, a bitmap when
 * it is asked for.  A batmap whose checksum fails is not believed.  While it has a write side, as a leaf or
 * for moving blocks, that is the struct vhd_leaf beside it, see there.
 *
 * Errors: ERR_CORRUPT where a BAT entry points outside the file or into metadata; ERR_UNSUPPORTED for
 * encrypted images.
 * Threads: see image.h.
 */
#ifndef DISK_VHD_IMAGE_H
#define DISK_VHD_IMAGE_H

#include "image.h"
#include "vhd_layout.h"
#include "vhd_meta.h"

struct vhd_leaf;

struct vhd_image {
        struct image image; /* first: a struct image of this kind is one of these */
        struct vhd_meta meta;
        struct vhd_reserved reserved; /* what no block may touch */
        /* owned; NULL without a write side; readers load it under a hold of their chain's */
        _Atomic(struct vhd_leaf *) leaf;
};

static inline struct vhd_image *vhd_image_of(struct image *image) {
        return (struct vhd_image *)image;
}

/* file is locked already; taken over where this succeeds.  is_fresh: as a leaf that nothing was written to
 * yet. */
MUST_USE enum err vhd_image_new(struct images *, struct io_file *file, bool as_leaf, bool is_fresh,
                                struct image **ret, struct err_note *);

/* Checks one entry of the BAT; ERR_CORRUPT in words.  may_be_cut: the file may end within the block. */
MUST_USE enum err vhd_image_check_entry(const struct vhd_image *, uint64_t block, uint32_t entry,
                                        bool may_be_cut, struct err_note *);

/* Reads the whole BAT of a dynamic or differencing image: calls visit for each entry in use, ascending. */
typedef enum err (*vhd_bat_visit)(void *user, uint64_t block, uint32_t entry, struct err_note *);
MUST_USE enum err vhd_image_each_block(struct vhd_image *, vhd_bat_visit, void *user, struct err_note *);

/* The batmap that may be believed, or NULL (*ret): a bit for each block; the caller's to free. */
MUST_USE enum err vhd_image_batmap(struct vhd_image *, uint8_t **ret, struct err_note *);

#endif
