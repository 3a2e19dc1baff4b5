// SPDX-License-Identifier: Apache-2.0
#include "sr_new.h"

#include "text.h"

#include "vhd_create.h"

static enum err make_room(struct sr *sr, const struct place_name *name, struct err_note *note) {
        /* Left by a verb that failed when even removing failed. */
        return place_remove_if_there(sr->place, name, note);
}

enum err sr_new_child(struct sr *sr, const struct uuid *uuid, const struct place_name *parent,
                      const struct node *of, uint64_t size, struct err_note *note) {
        struct place_name temporary = place_name_new(uuid, IMAGE_VHD), final = place_name_of(uuid, IMAGE_VHD);
        AUTO_FREE char *path = place_path(sr->place, &temporary);
        AUTO_FREE char *final_path = place_path(sr->place, &final);
        AUTO_FREE char *parent_path = place_path(sr->place, parent);
        struct vhd_parent link = {
                .path = parent_path,
                .name_from = final_path,
                .uuid = of->footer_uuid,
                .is_raw = of->kind == IMAGE_RAW,
                .modified_seconds = of->modified_ns / 1000000000,
        };
        struct vhd_create_options options = {.type = VHD_DIFFERENCING, .size = size, .parent = &link};
        struct uuid unused;

        if (make_room(sr, &temporary, note) || vhd_create(sr->io, path, &options, &unused, note))
                return note->code;
        return ERR_NONE;
}

static enum err new_raw(struct sr *sr, const char *path, uint64_t size, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, IO_WRITE | IO_CREATE, &file, note) || io_truncate(file, size, note))
                return note->code;
        return io_sync(file, note);
}

enum err sr_new_disk(struct sr *sr, const struct uuid *uuid, const struct vdi_options *options,
                     struct err_note *note) {
        struct place_name temporary = place_name_new(uuid, options->kind);
        AUTO_FREE char *path = place_path(sr->place, &temporary);
        struct vhd_create_options create = {.type = options->is_fixed ? VHD_FIXED : VHD_DYNAMIC,
                                            .size = options->size};
        struct uuid unused;
        enum err err;

        if (options->size == 0)
                return err_set(note, ERR_INVALID, "a disk of 0 bytes cannot be");
        if (options->size > (uint64_t)1 << 62)
                return err_set(note, ERR_TOO_LARGE, "a disk of %s is too large", text_size(options->size).s);
        if (make_room(sr, &temporary, note))
                return note->code;
        if (options->kind == IMAGE_RAW)
                err = new_raw(sr, path, round_up(options->size, SECTOR), note);
        else
                err = vhd_create(sr->io, path, &create, &unused, note);
        if (err)
                sr_new_discard(sr, uuid, options->kind);
        return err;
}

enum err sr_new_publish(struct sr *sr, const struct vdi_row *row, enum image_kind kind,
                        struct err_note *note) {
        struct place_name temporary = place_name_new(&row->uuid, kind),
                          final = place_name_of(&row->uuid, kind);
        struct err_note unused;

        if (sr_note_change(sr, row, NULL, NULL, note) || place_rename(sr->place, &temporary, &final, note) ||
            sr_sync_names(sr, note)) {
                /* The row goes with the next scan, once it is durable that the file has gone. */
                (void)!place_remove_if_there(sr->place, &final, &unused);
                sr_new_discard(sr, &row->uuid, kind);
                (void)!sr_sync_names(sr, &unused);
                return note->code;
        }
        return ERR_NONE;
}

void sr_new_discard(struct sr *sr, const struct uuid *uuid, enum image_kind kind) {
        struct place_name temporary = place_name_new(uuid, kind);
        struct err_note unused;

        (void)!place_remove_if_there(sr->place, &temporary, &unused);
}

static bool is_taken(const struct sr *sr, const struct uuid *uuid) {
        VEC_EACH (&sr->imports, each) {
                if (sr_import_makes(*each, uuid))
                        return true;
        }
        return tree_find(&sr->tree, uuid) != NULL;
}

enum err sr_new_row(struct sr *sr, const struct vdi_options *options, struct vdi_row *ret,
                    struct err_note *note) {
        struct uuid uuid = options && options->uuid ? *options->uuid : sr_fresh_uuid(sr);
        const struct vdi_row *like = options ? options->like : NULL;
        const char *name = options && options->name ? options->name : like ? like->name : "";
        const char *description = options && options->description ? options->description
                                  : like                          ? like->description
                                                                  : "";

        if (sr_check_text("name", name, note) || sr_check_text("description", description, note))
                return note->code;
        if (is_taken(sr, &uuid))
                return err_set(note, ERR_EXISTS, "SR %s has a disk %s already", sr->place->where,
                               uuid_format(&uuid).s);
        if (like) {
                vdi_row_copy(like, ret);
                free(TAKE(ret->name));
                free(TAKE(ret->description));
        }
        ret->uuid = uuid;
        ret->name = mem_text(*name ? name : uuid_format(&uuid).s);
        ret->description = mem_text(description);
        ret->created = sr_now(sr);
        return ERR_NONE;
}
