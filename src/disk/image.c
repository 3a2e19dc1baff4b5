// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include "flat_image.h"
#include "mem.h"
#include "readers.h"
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

void images_hold_back(struct images *images, bool are_held_back) {
        atomic_store(&images->are_held_back, are_held_back);
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

struct opened {
        struct io_file *file; /* owned */
        struct io_stat stat;
        bool is_writable;
};

static void opened_fini(struct opened *opened) {
        if (opened->file)
                io_close(opened->file);
}
DEFINE_AUTO_IN_PLACE(struct opened, opened_fini);

/* Frozen layers may lie where we cannot write; they are then opened for reading, and nothing can be done to
 * them. */
static enum err open_file(struct images *images, const char *path, bool as_leaf, struct opened *ret,
                          struct err_note *note) {
        enum err e;

        ret->is_writable = false;
        if (images->options.is_read_only)
                return io_open(images->io, path, IO_READ, &ret->file, note);
        e = io_open(images->io, path, IO_WRITE, &ret->file, note);
        if ((e == ERR_READ_ONLY || e == ERR_DENIED) && !as_leaf)
                return io_open(images->io, path, IO_READ, &ret->file, note);
        ret->is_writable = true;
        return e;
}

/* Opened, locked, and still the file of that name: a rename may have swapped it before the lock was there. */
static enum err open_locked(struct images *images, const char *path, bool as_leaf, struct opened *ret,
                            struct err_note *note) {
        for (int i = 0; i < LOOK_AGAIN; i++) {
                AUTO(opened_fini) struct opened opened = {0};
                struct io_stat named;

                if (open_file(images, path, as_leaf, &opened, note))
                        return note->code;
                if (io_lock(opened.file, as_leaf ? IO_EXCLUSIVE : IO_SHARED, note))
                        return note->code;
                if (io_stat(opened.file, &opened.stat, note) || io_stat_path(images->io, path, &named, note))
                        return note->code;
                if (named.device == opened.stat.device && named.inode == opened.stat.inode) {
                        *ret = opened;
                        opened.file = NULL;
                        return ERR_NONE;
                }
        }
        return err_set(note, ERR_BUSY, "the name is given to another file again and again");
}

void images_add(struct images *images, struct image *image) {
        image->references = 1;
        map_put(&images->open, key_of(image->device, image->inode), image);
}

enum how { AS_FROZEN, AS_LEAF, AS_FRESH_LEAF };

static enum err open_new(struct images *images, const char *path, enum image_kind kind, enum how how,
                         struct image **ret, struct err_note *note) {
        AUTO(opened_fini) struct opened opened = {0};
        struct image *image = NULL;
        enum err e;

        if (open_locked(images, path, how != AS_FROZEN, &opened, note))
                return note->code;
        if (kind == IMAGE_VHD)
                e = vhd_image_new(images, opened.file, how != AS_FROZEN, how == AS_FRESH_LEAF, &image, note);
        else
                e = flat_image_new_raw(images, opened.file, how != AS_FROZEN, &image, note);
        if (e)
                return e;
        opened.file = NULL;
        image->is_writable = opened.is_writable;
        image->device = opened.stat.device;
        image->inode = opened.stat.inode;
        atomic_store(&image->writers, how != AS_FROZEN);
        images_add(images, image);
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
        vec_fini(&image->readers);
        vec_fini(&image->unpublished);
        pthread_mutex_destroy(&image->readers_lock);
        free(image->path);
        free(image);
}

/* ---- the write side of a frozen image ---- */

void image_init(struct image *image) {
        pthread_mutex_init(&image->readers_lock, NULL);
}

/* Others may read it from now on.  Where that cannot be had now: images_share_locks. */
static void share_lock(struct image *image) {
        struct err_note unused;

        image->is_locked_alone = io_lock(image->file, IO_SHARED, &unused) != ERR_NONE;
}

static enum err begin_first(struct image *image, struct err_note *note) {
        if (image->images->options.is_read_only || !image->is_writable)
                return err_set(note, ERR_READ_ONLY, "it is open for reading only");
        if (atomic_load(&image->has_failed))
                return err_set(note, ERR_IO, "an earlier sync of it failed; close what has it open");
        if (io_lock(image->file, IO_EXCLUSIVE, note))
                return note->code;
        if (image->ops->begin(image, note)) {
                share_lock(image);
                return note->code;
        }
        image->is_locked_alone = false;
        return ERR_NONE;
}

enum err image_begin_write(struct image *image, struct err_note *note) {
        if (!image_has_write(image) && begin_first(image, note))
                return err_wrap(note, "open %s for moving blocks", image->path);
        atomic_fetch_add(&image->writers, 1);
        return ERR_NONE;
}

static void drop_writer(struct image *image) {
        if (atomic_fetch_sub(&image->writers, 1) > 1)
                return;
        image->ops->end(image);
        share_lock(image);
}

enum err image_end_write(struct image *image, struct err_note *note) {
        enum err e = image_tidy(image, note);

        drop_writer(image);
        return e;
}

void image_abandon_write(struct image *image) {
        drop_writer(image);
}

void image_begin_leaf(struct image *image) {
        image->is_leaf = true;
        atomic_fetch_add(&image->writers, 1);
        image->ops->begin_leaf(image);
}

void image_end_leaf(struct image *image) {
        image->is_leaf = false;
        drop_writer(image);
}

enum err image_tidy(struct image *image, struct err_note *note) {
        return atomic_load(&image->writers) > 1 ? image->ops->flush(image, note)
                                                : image->ops->tidy(image, note);
}

enum err image_set_hidden(struct image *image, bool is_hidden, struct err_note *note) {
        if (!image->ops->set_hidden)
                return err_set(note, ERR_UNSUPPORTED, "hide or unhide %s, a %s image, while it is written to",
                               image->path, image->ops->kind);
        if (image->ops->set_hidden(image, is_hidden, note))
                return err_wrap(note, "%s %s", is_hidden ? "hide" : "unhide", image->path);
        image->is_hidden = is_hidden;
        return ERR_NONE;
}

bool image_has_write(const struct image *image) {
        return atomic_load(&image->writers) > 0;
}

void image_add_readers(struct image *image, struct readers *readers) {
        pthread_mutex_lock(&image->readers_lock);
        *vec_add(&image->readers) = readers;
        pthread_mutex_unlock(&image->readers_lock);
}

void image_remove_readers(struct image *image, struct readers *readers) {
        pthread_mutex_lock(&image->readers_lock);
        for (size_t i = 0; i < image->readers.n; i++)
                if (image->readers.data[i] == readers) {
                        vec_remove_at(&image->readers, i);
                        break;
                }
        pthread_mutex_unlock(&image->readers_lock);
}

/* A reader takes no lock that is held here, so each of them goes. */
void image_wait_readers(struct image *image) {
        pthread_mutex_lock(&image->readers_lock);
        VEC_EACH (&image->readers, readers)
                readers_wait(*readers);
        pthread_mutex_unlock(&image->readers_lock);
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

enum err image_parent_path_by_name(struct image *image, char **ret, struct err_note *note) {
        return parent_search_by_name(image->images->io, image->path, &vhd_image_of(image)->meta.header, ret,
                                     note);
}
