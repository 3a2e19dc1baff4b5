// SPDX-License-Identifier: Apache-2.0
#include "vhd_create.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "vhd_head.h"

enum { UNUSED_PIECE = 1024 * 1024 };

static enum err check_options(const struct vhd_create_options *options, struct err_note *note) {
        if (options->size == 0)
                return err_set(note, ERR_INVALID, "a disk of 0 bytes cannot be made");
        if (options->size > VHD_MAX_SIZE || options->room_for > VHD_MAX_SIZE)
                return err_set(note, ERR_TOO_LARGE,
                               "%" PRIu64 " bytes are more than a VHD can hold, 2040 GiB",
                               max_u64(options->size, options->room_for));
        if ((options->type == VHD_DIFFERENCING) != (options->parent != NULL))
                return err_set(note, ERR_INVALID, "a %s image %s", vhd_type_name(options->type),
                               options->parent ? "can have no parent" : "needs a parent");
        if (options->parent && options->parent->is_raw != uuid_is_null(&options->parent->uuid))
                return err_set(note, ERR_INVALID, "the parent %s %s", options->parent->path,
                               options->parent->is_raw ? "is raw and cannot have a uuid" : "has no uuid");
        return ERR_NONE;
}

static enum err head_make(struct vhd_head *head, struct io *io, const char *path,
                          const struct vhd_create_options *options, struct err_note *note) {
        const struct vhd_parent *parent = options->parent;
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        struct vhd_head_options plan = {
                .type = options->type,
                .size = round_up(options->size, VHD_SECTOR),
                .room_for = options->room_for,
                .uuid = options->uuid,
                .made_seconds = io_wall_ns(io) / 1000000000,
                .is_hidden = options->is_hidden,
        };
        uint8_t dice[16];

        if (uuid_is_null(&plan.uuid)) {
                io_random(io, dice, sizeof dice);
                plan.uuid = uuid_from_random(dice);
        }
        if (parent) {
                plan.parent_uuid = parent->uuid;
                plan.parent_seconds = parent->modified_seconds;
                if (vhd_parent_names_of(io, parent, path, &names, note))
                        return note->code;
        }
        return vhd_head_init(head, &plan, parent ? &names : NULL, note);
}

/* From a small piece of memory that stays warm: of a 2040 GiB disk it is 4 MiB. */
static enum err write_unused_bat(struct io_file *file, const struct vhd_layout *l, struct err_note *note) {
        size_t room = min_u64(l->bat_size, UNUSED_PIECE);
        AUTO_FREE uint8_t *unused = mem_zero(room);

        memset(unused, 0xff, room);
        for (uint64_t done = 0, n; done < l->bat_size; done += n) {
                n = min_u64(l->bat_size - done, room);
                if (io_write(file, unused, n, l->bat_at + done, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* All of it, zeros too: the batmap has its place in the file system from now on, so that no flush needs any.
 * */
static enum err write_tables(struct io_file *file, const struct vhd_head *head, struct err_note *note) {
        const struct vhd_layout *l = &head->layout;
        uint64_t bat_end = l->bat_at + l->bat_size;
        AUTO_FREE uint8_t *before = mem_zero(l->bat_at), *behind = mem_zero(l->headers_end - bat_end);

        vhd_head_encode_ends(head, NULL, before, behind);
        if (io_write(file, before + l->header_at, l->bat_at - l->header_at, l->header_at, note) ||
            write_unused_bat(file, l, note))
                return note->code;
        return io_write(file, behind, l->headers_end - bat_end, bat_end, note);
}

/* Footers last: before them the file is a VHD to nobody, with them it is whole. */
static enum err write_all(struct io_file *file, const struct vhd_head *head, struct err_note *note) {
        const struct vhd_layout *l = &head->layout;
        struct vhd_footer_disk footer;

        vhd_footer_encode(&head->footer, &footer);
        if (io_truncate(file, l->footer_at + sizeof footer, note))
                return note->code;
        if (l->type != VHD_FIXED) {
                if (write_tables(file, head, note) || io_sync(file, note))
                        return note->code;
                if (io_write(file, &footer, sizeof footer, 0, note))
                        return note->code;
        }
        if (io_write(file, &footer, sizeof footer, l->footer_at, note) || io_sync(file, note))
                return note->code;
        return ERR_NONE;
}

enum err vhd_create(struct io *io, const char *path, const struct vhd_create_options *options,
                    struct uuid *ret_uuid, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(vhd_head_fini) struct vhd_head head = {0};
        struct err_note ignored;

        if (check_options(options, note) || head_make(&head, io, path, options, note) ||
            io_open(io, path, IO_CREATE, &file, note))
                return err_wrap(note, "create %s", path);
        if (write_all(file, &head, note)) {
                io_close(TAKE(file));
                (void)!io_unlink(io, path, &ignored);
                return err_wrap(note, "create %s", path);
        }
        if (ret_uuid)
                *ret_uuid = head.footer.uuid;
        return ERR_NONE;
}
