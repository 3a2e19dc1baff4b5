// SPDX-License-Identifier: Apache-2.0
#include "xo_io.h"

#include <string.h>

#include "io_over.h"
#include "mem.h"
#include "vec.h"

#define DEVICE_OF_DIRS (UINT64_MAX - 1) /* no kernel's */

struct entry {
        char *path;             /* owned */
        struct xo_vhd_dir *dir; /* owned */
        uint64_t inode;
};

struct dir_file {
        struct io_file file;    /* first */
        struct xo_vhd_dir *dir; /* borrowed from the io */
        uint64_t inode;
};

struct xo_io {
        struct io_over over;       /* first */
        VEC(struct entry) entries; /* owned, and each */
};

static const struct entry *find(struct io *io, const char *path) {
        VEC_EACH (&((struct xo_io *)io)->entries, each)
                if (strcmp(each->path, path) == 0)
                        return each;
        return NULL;
}

static void stat_of(struct xo_vhd_dir *dir, uint64_t inode, struct io_stat *ret) {
        *ret = (struct io_stat){
                .size = xo_vhd_dir_size(dir), .device = DEVICE_OF_DIRS, .inode = inode, .links = 1};
}

static enum err refuse(struct err_note *note) {
        return err_set(note, ERR_READ_ONLY, "what Xen Orchestra keeps is only read");
}

/* ---- directories that are files ---- */

static void dir_close(struct io_file *file) {
        io_file_fini(file);
        free(file);
}

static enum err dir_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        struct dir_file *self = (struct dir_file *)file;

        (void)note;
        stat_of(self->dir, self->inode, ret);
        return ERR_NONE;
}

static enum err dir_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                              struct err_note *note) {
        return xo_vhd_dir_read(((struct dir_file *)file)->dir, ret, n, at, ret_n, note);
}

static enum err dir_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                          struct err_note *note) {
        (void)file, (void)data, (void)n, (void)at;
        return refuse(note);
}

static enum err dir_truncate(struct io_file *file, uint64_t size, struct err_note *note) {
        (void)file, (void)size;
        return refuse(note);
}

static enum err dir_sync(struct io_file *file, struct err_note *note) {
        (void)file, (void)note;
        return ERR_NONE;
}

static enum err dir_lock(struct io_file *file, enum io_lock lock, struct err_note *note) {
        (void)file;
        return lock == IO_EXCLUSIVE ? refuse(note) : ERR_NONE;
}

/* ---- names, clock, dice: those below, but for these directories ---- */

static enum err open_path(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                          struct err_note *note) {
        const struct entry *entry = find(io, path);
        struct dir_file *file;

        if (flags & (IO_WRITE | IO_CREATE))
                return refuse(note);
        if (!entry)
                return io_below(io)->ops->open(io_below(io), path, flags, ret, note);
        file = mem_new(struct dir_file);
        io_file_init(&file->file, io, path, flags);
        file->dir = entry->dir;
        file->inode = entry->inode;
        *ret = &file->file;
        return ERR_NONE;
}

static enum err stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        const struct entry *entry = find(io, path);

        if (!entry)
                return io_stat_path(io_below(io), path, ret, note);
        stat_of(entry->dir, entry->inode, ret);
        return ERR_NONE;
}

static enum err refuse_two(struct io *io, const char *from, const char *to, struct err_note *note) {
        (void)io, (void)from, (void)to;
        return refuse(note);
}

static enum err refuse_one(struct io *io, const char *path, struct err_note *note) {
        (void)io, (void)path;
        return refuse(note);
}

static enum err refuse_dir(struct io *io, const char *path, bool is_private, struct err_note *note) {
        (void)io, (void)path, (void)is_private;
        return refuse(note);
}

static enum err canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        if (!find(io, path))
                return io_canonical(io_below(io), path, ret, note);
        *ret = mem_text(path);
        return ERR_NONE;
}

static void free_io(struct io *io) {
        struct xo_io *self = (struct xo_io *)io;

        VEC_EACH (&self->entries, each) {
                free(each->path);
                xo_vhd_dir_free(each->dir);
        }
        vec_fini(&self->entries);
        free(self);
}

static const struct io_ops xo_ops = {
        IO_OVER_CLOCK,          IO_OVER_LOOKS,          .free = free_io,          .open = open_path,
        .close = dir_close,     .stat = dir_stat,       .stat_path = stat_path,   .read_some = dir_read_some,
        .write = dir_write,     .sync = dir_sync,       .truncate = dir_truncate, .rename = refuse_two,
        .unlink = refuse_one,   .make_dir = refuse_dir, .remove_dir = refuse_one, .sync_dir = refuse_one,
        .canonical = canonical, .lock = dir_lock,
};

struct io *xo_io_new(struct io *of) {
        struct xo_io *self = mem_new(struct xo_io);

        self->over.io.ops = &xo_ops;
        self->over.below = of;
        return &self->over.io;
}

void xo_io_add(struct io *io, const char *path, struct xo_vhd_dir *dir) {
        struct xo_io *self = (struct xo_io *)io;
        uint64_t inode = self->entries.n + 1;

        *vec_add(&self->entries) = (struct entry){mem_text(path), dir, inode};
}

struct xo_vhd_dir *xo_io_find(struct io *io, const char *path) {
        const struct entry *entry = find(io, path);

        return entry ? entry->dir : NULL;
}
