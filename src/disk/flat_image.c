// SPDX-License-Identifier: Apache-2.0
#include "flat_image.h"

#include <assert.h>

#include "mem.h"

struct flat_image {
        struct image image;        /* first */
        _Atomic bool has_unsynced; /* something was written since the last sync began */
};

static struct flat_image *flat_of(struct image *image) {
        return (struct flat_image *)image;
}

static image_slot flat_slot(struct image *image, uint64_t block) {
        (void)image;
        return slot_make((uint32_t)(block * IMAGE_BLOCK_SECTORS), true);
}

static void flat_slots(struct image *image, uint64_t first, uint64_t n, image_slot *ret) {
        for (uint64_t i = 0; i < n; i++)
                ret[i] = flat_slot(image, first + i);
}

static enum err flat_load(struct image *image, struct image_slots *ret, struct err_note *note) {
        (void)note;
        for (uint64_t block = 0; block < image_blocks(image); block++)
                *vec_add(&ret->held) = (struct image_held){block, flat_slot(image, block)};
        return ERR_NONE;
}

static enum err flat_bitmap(struct image *image, uint64_t block, image_slot slot,
                            uint8_t ret[IMAGE_BITMAP_SIZE], struct err_note *note) {
        (void)image, (void)block, (void)slot, (void)note;
        memset(ret, 0xff, IMAGE_BITMAP_SIZE);
        return ERR_NONE;
}

static enum err flat_look(struct image *image, uint64_t block, image_slot *ret,
                          uint8_t ret_bits[IMAGE_BITMAP_SIZE], struct err_note *note) {
        *ret = flat_slot(image, block);
        return flat_bitmap(image, block, *ret, ret_bits, note);
}

static bool flat_look_now(struct image *image, uint64_t block, image_slot *ret,
                          uint8_t ret_bits[IMAGE_BITMAP_SIZE]) {
        *ret = flat_slot(image, block);
        memset(ret_bits, 0xff, IMAGE_BITMAP_SIZE);
        return true;
}

static enum err flat_write(struct image *image, const void *data, uint64_t n, uint64_t at,
                           struct err_note *note) {
        enum err e = io_write(image->file, data, n, at, note);

        atomic_store(&flat_of(image)->has_unsynced, true);
        return e;
}

static enum err flat_zero(struct image *image, uint64_t n, uint64_t at, bool is_over_data, bool may_free,
                          struct err_note *note) {
        enum err e = image_zero_file(image->file, n, at, note);

        (void)is_over_data, (void)may_free;
        atomic_store(&flat_of(image)->has_unsynced, true);
        return e;
}

static enum err flat_flush(struct image *image, struct err_note *note) {
        struct flat_image *flat = flat_of(image);

        if (image->has_failed)
                return err_set(note, ERR_IO, "%s: an earlier sync failed; open it anew", image->path);
        if (!atomic_exchange(&flat->has_unsynced, false))
                return ERR_NONE;
        if (io_sync(image->file, note)) {
                image->has_failed = true;
                return err_wrap(note, "flush %s", image->path);
        }
        return ERR_NONE;
}

static uint64_t flat_unflushed_since(struct image *image) {
        (void)image;
        return UINT64_MAX;
}

static void flat_nothing(struct image *image) {
        (void)image;
}

/* ---- as the target of moved blocks: each has its place ---- */

static enum err flat_prepare(struct image *image, uint64_t block, image_slot *ret, struct err_note *note) {
        (void)note;
        *ret = flat_slot(image, block);
        return ERR_NONE;
}

static enum err flat_wrote(struct image *image, uint64_t block, uint32_t first_sector, uint32_t n,
                           struct err_note *note) {
        (void)block, (void)first_sector, (void)n, (void)note;
        atomic_store(&flat_of(image)->has_unsynced, true);
        return ERR_NONE;
}

static void flat_leave(struct image *image, uint64_t block) {
        (void)image, (void)block;
        assert(!"a flat image has each block for ever");
}

static enum err flat_punch_left(struct image *image, struct err_note *note) {
        (void)image, (void)note;
        return ERR_NONE;
}

/* A raw file's last sector is filled up: data may be moved to its end. */
static enum err fill_up(struct io_file *file, uint64_t size, struct err_note *note) {
        if (is_multiple(size, SECTOR))
                return ERR_NONE;
        if (io_truncate(file, round_up(size, SECTOR), note) || io_sync(file, note))
                return err_wrap(note, "fill up the last sector");
        return ERR_NONE;
}

static enum err flat_begin(struct image *image, struct err_note *note) {
        if (atomic_load(&image->data_end) < image->size &&
            fill_up(image->file, atomic_load(&image->data_end), note))
                return note->code;
        atomic_store(&image->data_end, UINT64_MAX);
        return ERR_NONE;
}

static const struct image_ops raw_ops = {
        .kind = "raw",
        .load = flat_load,
        .bitmap = flat_bitmap,
        .slot = flat_slot,
        .slots = flat_slots,
        .look = flat_look,
        .look_now = flat_look_now,
        .write = flat_write,
        .zero = flat_zero,
        .flush = flat_flush,
        .unflushed_since = flat_unflushed_since,
        .prepare = flat_prepare,
        .wrote = flat_wrote,
        .leave = flat_leave,
        .forget_left = flat_nothing,
        .punch_left = flat_punch_left,
        .begin = flat_begin,
        .tidy = flat_flush,
        .end = flat_nothing,
        .free = flat_nothing,
};

static struct image *flat_new(struct images *images, struct io_file *file, bool as_leaf, uint64_t size) {
        struct flat_image *flat = mem_new(struct flat_image);

        image_init(&flat->image);
        flat->image.ops = &raw_ops;
        flat->image.images = images;
        flat->image.file = file;
        flat->image.path = mem_text(io_path(file));
        flat->image.size = round_up(size, SECTOR);
        flat->image.data_end = as_leaf ? UINT64_MAX : size;
        flat->image.is_leaf = as_leaf;
        return &flat->image;
}

enum err flat_image_new_raw(struct images *images, struct io_file *file, bool as_leaf, struct image **ret,
                            struct err_note *note) {
        struct io_stat stat;

        if (io_stat(file, &stat, note))
                return note->code;
        if (stat.size > VHD_MAX_SIZE)
                return err_set(note, ERR_UNSUPPORTED, "%s: %llu bytes are more than 2040 GiB", io_path(file),
                               (unsigned long long)stat.size);
        if (as_leaf && fill_up(file, stat.size, note))
                return note->code;
        *ret = flat_new(images, file, as_leaf, stat.size);
        return ERR_NONE;
}

enum err flat_image_new_fixed(struct images *images, struct io_file *file, const struct vhd_footer *footer,
                              bool as_leaf, struct image **ret, struct err_note *note) {
        (void)note;
        *ret = flat_new(images, file, as_leaf, footer->size_bytes);
        (*ret)->uuid = footer->uuid;
        (*ret)->is_hidden = footer->is_hidden;
        return ERR_NONE;
}
