// SPDX-License-Identifier: Apache-2.0
#include "vhd_relink.h"

#include "vhd_edit.h"
#include "vhd_leaf.h"

/* Looked at before it counts: what is in memory must be what is in the file.  Only what is the parent's:
 * others may be reading the rest. */
static enum err take_over(struct image *image, struct err_note *note) {
        struct vhd_header *header = &vhd_image_of(image)->meta.header;
        struct vhd_meta meta;

        if (vhd_meta_read_footers(image->file, 0, &meta, note) ||
            vhd_meta_read_header(image->file, &meta, note))
                return note->code;
        header->parent_uuid = meta.header.parent_uuid;
        header->parent_timestamp = meta.header.parent_timestamp;
        memcpy(header->parent_name, meta.header.parent_name, sizeof header->parent_name);
        memcpy(header->locator, meta.header.locator, sizeof header->locator);
        image->parent_uuid = meta.header.parent_uuid;
        return ERR_NONE;
}

enum err vhd_relink_image(struct image *image, const struct vhd_parent *parent, struct err_note *note) {
        if (vhd_edit_set_parent(image->images->io, image->file, parent, note) || take_over(image, note))
                return note->code;
        image->parent_is_raw = parent->is_raw;
        return ERR_NONE;
}

/* The footers of one that is written to are its write side's. */
static enum err drop_parent(struct image *image, struct err_note *note) {
        struct vhd_leaf *leaf = atomic_load(&vhd_image_of(image)->leaf);

        if (!leaf)
                return vhd_edit_drop_parent(image->file, note);
        if (vhd_leaf_set_dynamic(leaf, note))
                return err_wrap(note, "make %s do without a parent", image->path);
        return vhd_edit_clear_parent(image->file, note);
}

enum err vhd_unlink_image(struct image *image, struct err_note *note) {
        if (drop_parent(image, note) || take_over(image, note))
                return note->code;
        vhd_image_of(image)->meta.footer.type = VHD_DYNAMIC;
        image->has_parent = false;
        image->parent_is_raw = false;
        return ERR_NONE;
}
