// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include "flat_image.h"
#include "mem.h"
#include "text.h"
#include "vhd_image.h"
#include "parent_search.h"

enum { LOOK_AGAIN = 16, ZEROS = 65536 };

void images_init(struct images *images, struct io *io, const struct images_options *options) {
        memset(images, 0, sizeof *images);
        images->io = io;
        if (options)
                images->options = *options;
        if (!images->options.growth_bytes)
                images->options.growth_bytes = 64 * MIB;
        if (!images->options.unflushed_limit)
                images->options.unflushed_limit = 16 * MIB;
        if (!images->options.unflushed_age_ns)
                images->options.unflushed_age_ns = 5000000000u;
        if (!images->options.owners_cache_bytes)
                images->options.owners_cache_bytes = 64 * MIB;
}

void images_fini(struct images *images) {
        map_fini(&images->open);
}

enum image_kind image_kind_of_path(const char *path) {
        return text_ends_with(path, ".vhd") || text_ends_with(path, ".vhd.new") ? IMAGE_VHD : IMAGE_RAW;
}

enum err image_zero_file(struct io_file *file, uint64_t n, uint64_t at, struct err_note *note) {
        static const uint8_t zeros[ZEROS];
        enum err e = io_punch(file, n, at, note);

        if (e != ERR_UNSUPPORTED)
                return e;
        for (uint64_t done = 0; done < n; done += ZEROS)
                if (io_write(file, zeros, min_u64(ZEROS, n - done), at + done, note))
                        return note->code;
        return ERR_NONE;
}

static struct map_key key_of(uint64_t device, uint64_t inode) {
        return (struct map_key){device, inode};
}

/* ---- opening ---- */

/* Frozen layers may lie where we cannot write; they are then opened for reading, and nothing can be done to
 * them. */
static enum err open_file(struct images *images, const char *path, bool as_leaf, struct io_file **ret,
                          struct err_note *note) {
        enum err e;

        if (images->options.is_read_only)
                return io_open(images->io, path, IO_READ, ret, note);
        e = io_open(images->io, path, IO_WRITE, ret, note);
        if ((e == ERR_READ_ONLY || e == ERR_DENIED) && !as_leaf)
                e = io_open(images->io, path, IO_READ, ret, note);
        return e;
}

/* Opened, locked, and still the file of that name: a rename may have swapped it before the lock was there. */
static enum err open_locked(struct images *images, const char *path, bool as_leaf, struct io_file **ret,
                            struct io_stat *ret_stat, struct err_note *note) {
        for (int i = 0; i < LOOK_AGAIN; i++) {
                AUTO(io_close) struct io_file *file = NULL;
                struct io_stat named;

                if (open_file(images, path, as_leaf, &file, note))
                        return note->code;
                if (io_lock(file, as_leaf ? IO_EXCLUSIVE : IO_SHARED, note))
                        return note->code;
                if (io_stat(file, ret_stat, note) || io_stat_path(images->io, path, &named, note))
                        return note->code;
                if (named.device == ret_stat->device && named.inode == ret_stat->inode) {
                        *ret = TAKE(file);
                        return ERR_NONE;
                }
        }
        return err_set(note, ERR_BUSY, "the name is given to another file again and again");
}

enum how { AS_FROZEN, AS_LEAF, AS_FRESH_LEAF };

static enum err open_new(struct images *images, const char *path, enum image_kind kind, enum how how,
                         struct image **ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct image *image = NULL;
        struct io_stat stat;
        enum err e;

        if (open_locked(images, path, how != AS_FROZEN, &file, &stat, note))
                return note->code;
        if (kind == IMAGE_VHD)
                e = vhd_image_new(images, file, how != AS_FROZEN, how == AS_FRESH_LEAF, &image, note);
        else
                e = flat_image_new_raw(images, file, how != AS_FROZEN, &image, note);
        if (e)
                return e;
        file = NULL;
        image->device = stat.device;
        image->inode = stat.inode;
        image->references = 1;
        map_put(&images->open, key_of(stat.device, stat.inode), image);
        *ret = image;
        return ERR_NONE;
}

static enum err open_as(struct images *images, const char *path, enum image_kind kind, enum how how,
                        struct image **ret, struct err_note *note) {
        bool as_leaf = how != AS_FROZEN;
        struct image *image;
        struct io_stat stat;

        if (as_leaf && images->options.is_read_only)
                return err_set(note, ERR_READ_ONLY, "open %s for writing: opened read-only", path);
        if (io_stat_path(images->io, path, &stat, note))
                return err_wrap(note, "open %s", path);
        image = map_get(&images->open, key_of(stat.device, stat.inode));
        if (image && (as_leaf || image->is_leaf))
                return err_set(note, ERR_BUSY, "open %s: this process has it open%s", path,
                               image->is_leaf ? " for writing" : "");
        if (image) {
                image->references++;
                *ret = image;
                return ERR_NONE;
        }
        if (open_new(images, path, kind, how, ret, note))
                return err_wrap(note, "open %s", path);
        return ERR_NONE;
}

enum err images_open(struct images *images, const char *path, enum image_kind kind, bool as_leaf,
                     struct image **ret, struct err_note *note) {
        return open_as(images, path, kind, as_leaf ? AS_LEAF : AS_FROZEN, ret, note);
}

enum err images_open_fresh(struct images *images, const char *path, struct image **ret,
                           struct err_note *note) {
        return open_as(images, path, IMAGE_VHD, AS_FRESH_LEAF, ret, note);
}

void image_unref(struct image *image) {
        if (--image->references > 0)
                return;
        map_remove(&image->images->open, key_of(image->device, image->inode));
        image->ops->free(image);
        io_close(image->file);
        free(image->path);
        free(image);
}

enum err image_parent_path(struct image *image, char **ret, struct err_note *note) {
        return parent_search(image->images->io, image->file, image->path, &vhd_image_of(image)->meta.header,
                             ret, note);
}

enum err images_share_locks(struct images *images, struct err_note *note) {
        struct image *image;
        size_t place = 0;

        while ((image = map_next(&images->open, &place))) {
                if (!image->is_locked_alone)
                        continue;
                if (io_lock(image->file, IO_SHARED, note))
                        return err_wrap(note, "share the lock of %s", image->path);
                image->is_locked_alone = false;
        }
        return ERR_NONE;
}
