// SPDX-License-Identifier: Apache-2.0
#include "vhd_relink.h"

#include "vhd_edit.h"

enum err vhd_relink_image(struct image *image, const struct vhd_parent *parent, struct err_note *note) {
        struct vhd_header *header = &vhd_image_of(image)->meta.header;
        struct vhd_meta meta;

        /* Looked at before it counts: what is in memory must be what is in the file. */
        if (vhd_edit_set_parent(image->images->io, image->file, parent, note) ||
            vhd_meta_read_footers(image->file, 0, &meta, note) ||
            vhd_meta_read_header(image->file, &meta, note))
                return note->code;
        /* Only what is the parent's: others may be reading the rest. */
        header->parent_uuid = meta.header.parent_uuid;
        header->parent_timestamp = meta.header.parent_timestamp;
        memcpy(header->parent_name, meta.header.parent_name, sizeof header->parent_name);
        memcpy(header->locator, meta.header.locator, sizeof header->locator);
        image->parent_uuid = meta.header.parent_uuid;
        image->parent_is_raw = parent->is_raw;
        return ERR_NONE;
}
