// SPDX-License-Identifier: Apache-2.0
#include "point_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "new_file.h"
#include "point_io.h"
#include "vhd_create.h"

/* Clients read small pieces here and there, several at once. */
#define CACHE_BYTES (64 * MIB)

static image_slot slot_of(uint64_t block) {
        return slot_make((uint32_t)(block * IMAGE_BLOCK_SECTORS), true);
}

/* Blocks with anything but zeros in them, ascending. */
static enum err load(struct image *image, struct image_slots *ret, struct err_note *note) {
        uint64_t size = atomic_load(&image->data_end), at = 0, start, end;

        while (at < size) {
                if (io_next_data(image->file, at, &start, &end, note))
                        return note->code;
                for (uint64_t block = start / IMAGE_BLOCK_SIZE; block < div_up(end, IMAGE_BLOCK_SIZE);
                     block++)
                        if (ret->held.n == 0 || ret->held.data[ret->held.n - 1].block < block)
                                *vec_add(&ret->held) = (struct image_held){block, slot_of(block)};
                at = end;
        }
        return ERR_NONE;
}

static enum err bitmap(struct image *image, uint64_t block, image_slot slot, uint8_t ret[IMAGE_BITMAP_SIZE],
                       struct err_note *note) {
        (void)image, (void)block, (void)slot, (void)note;
        memset(ret, 0xff, IMAGE_BITMAP_SIZE);
        return ERR_NONE;
}

static void free_nothing(struct image *image) {
        (void)image;
}

/* It is never writable, so nobody asks for a write side. */
static const struct image_ops point_ops = {
        .kind = "point", .load = load, .bitmap = bitmap, .free = free_nothing};

struct point_image_name point_image_name(const struct vault_disk *disk) {
        struct point_image_name name;

        snprintf(name.s, sizeof name.s, "point-%s.vhd", vault_id_format(&disk->id).s);
        return name;
}

struct uuid point_image_uuid(const struct vault_disk *disk) {
        return uuid_from_random(disk->id.b);
}

enum err point_image_open(struct vault *vault, const struct vault_disk *disk, struct images *images,
                          struct image **ret, struct err_note *note) {
        const struct get_options options = {.cache_bytes = CACHE_BYTES};
        struct image *image;
        struct io_stat stat;
        struct get *get;

        if (disk->size > VHD_MAX_SIZE)
                return err_set(note, ERR_UNSUPPORTED, "disk %s: %" PRIu64 " bytes are more than 2040 GiB",
                               disk->name, disk->size);
        if (get_open(vault, disk, &options, &get, note))
                return note->code;
        image = mem_new(struct image);
        image_init(image);
        image->ops = &point_ops;
        image->images = images;
        image->file = point_io_add(images->io, point_image_name(disk).s, get, disk->size);
        image->path = mem_text(io_path(image->file));
        image->size = round_up(disk->size, SECTOR);
        image->data_end = disk->size;
        image->uuid = point_image_uuid(disk);
        point_io_stat(image->file, &stat);
        image->device = stat.device;
        image->inode = stat.inode;
        images_add(images, image);
        *ret = image;
        return ERR_NONE;
}

enum err point_image_make_overlay(struct io *io, const char *path, const struct vault_disk *disk,
                                  struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO_FREE char *folder = NULL;
        AUTO_FREE char *parent_path = NULL;
        struct vhd_parent parent = {.name_from = path, .uuid = point_image_uuid(disk)};
        const struct vhd_create_options options = {
                .type = VHD_DIFFERENCING, .size = disk->size, .parent = &parent};

        if (new_file_begin(io, path, 0, &made, note) || io_canonical(io, made.folder, &folder, note))
                return err_wrap(note, "make the overlay %s", path);
        /* As if it lay beside it: nobody but point_io finds it there. */
        parent_path = mem_format("%s/%s", folder, point_image_name(disk).s);
        parent.path = parent_path;
        if (vhd_create(io, made.temporary, &options, NULL, note) || new_file_commit(&made, note))
                return err_wrap(note, "make the overlay %s", path);
        return ERR_NONE;
}
