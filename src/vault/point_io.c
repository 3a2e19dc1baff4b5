// SPDX-License-Identifier: Apache-2.0
#include "point_io.h"

#include <string.h>

#include "io_over.h"
#include "mem.h"

#define DEVICE_OF_POINTS UINT64_MAX /* no kernel's */

struct point_file {
        struct io_file file; /* first */
        struct get *get;     /* owned */
        uint64_t size, inode;
};

struct point_io {
        struct io_over over; /* first */
        struct {
                char *name; /* owned */
                struct io_stat stat;
        } * each; /* owned; of all that were added, whether open still or not */
        unsigned n;
};

static const struct io_stat *find(struct io *io, const char *path) {
        struct point_io *self = (struct point_io *)io;

        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        for (unsigned i = 0; i < self->n; i++)
                if (strcmp(self->each[i].name, name) == 0)
                        return &self->each[i].stat;
        return NULL;
}

/* ---- disks ----------------------------------------------------------------------------------- */

void point_io_stat(const struct io_file *file, struct io_stat *ret) {
        const struct point_file *point = (const struct point_file *)file;

        *ret = (struct io_stat){
                .size = point->size, .device = DEVICE_OF_POINTS, .inode = point->inode, .links = 1};
}

static void disk_close(struct io_file *file) {
        struct point_file *point = (struct point_file *)file;

        get_close(point->get);
        io_file_fini(file);
        free(point);
}

static enum err disk_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        (void)note;
        point_io_stat(file, ret);
        return ERR_NONE;
}

static enum err disk_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                               struct err_note *note) {
        struct point_file *point = (struct point_file *)file;
        size_t there = at < point->size ? (size_t)min_u64(n, point->size - at) : 0;

        if (there > 0 && get_read(point->get, ret, there, at, note))
                return note->code;
        *ret_n = there;
        return ERR_NONE;
}

static enum err disk_next_data(struct io_file *file, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                               struct err_note *note) {
        return get_next_data(((struct point_file *)file)->get, at, ret_start, ret_end, note);
}

static enum err refuse(struct err_note *note) {
        return err_set(note, ERR_READ_ONLY, "a point never changes");
}

static enum err disk_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                           struct err_note *note) {
        (void)file, (void)data, (void)n, (void)at;
        return refuse(note);
}

static enum err disk_truncate(struct io_file *file, uint64_t size, struct err_note *note) {
        (void)file, (void)size;
        return refuse(note);
}

static enum err disk_sync(struct io_file *file, struct err_note *note) {
        (void)file, (void)note;
        return ERR_NONE;
}

static enum err disk_lock(struct io_file *file, enum io_lock lock, struct err_note *note) {
        (void)file;
        return lock == IO_EXCLUSIVE ? refuse(note) : ERR_NONE;
}

/* ---- names, clock, dice: those below, but for disks -------------------------------- */

static enum err open_path(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                          struct err_note *note) {
        if (find(io, path))
                return err_set(note, ERR_BUSY, "%s is open already", path);
        return io_below(io)->ops->open(io_below(io), path, flags, ret, note);
}

static enum err stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        const struct io_stat *found = find(io, path);

        if (!found)
                return io_stat_path(io_below(io), path, ret, note);
        *ret = *found;
        return ERR_NONE;
}

static enum err canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        if (!find(io, path))
                return io_canonical(io_below(io), path, ret, note);
        *ret = mem_text(path);
        return ERR_NONE;
}

static void free_io(struct io *io) {
        struct point_io *self = (struct point_io *)io;

        for (unsigned i = 0; i < self->n; i++)
                free(self->each[i].name);
        free(self->each);
        free(self);
}

static const struct io_ops point_ops = {
        IO_OVER_CLOCK,
        IO_OVER_LOOKS,
        IO_OVER_NAMES,
        .free = free_io,
        .open = open_path,
        .close = disk_close,
        .stat = disk_stat,
        .stat_path = stat_path,
        .read_some = disk_read_some,
        .write = disk_write,
        .sync = disk_sync,
        .truncate = disk_truncate,
        .next_data = disk_next_data,
        .canonical = canonical,
        .lock = disk_lock,
};

struct io *point_io_new(struct io *of) {
        struct point_io *self = mem_new(struct point_io);

        self->over.io.ops = &point_ops;
        self->over.below = of;
        return &self->over.io;
}

struct io_file *point_io_add(struct io *io, const char *name, struct get *get, uint64_t size) {
        struct point_io *self = (struct point_io *)io;
        struct point_file *point = mem_new(struct point_file);

        io_file_init(&point->file, io, name, IO_READ);
        point->get = get;
        point->size = size;
        point->inode = self->n + 1;
        self->each = mem_grow(self->each, self->n + 1, sizeof *self->each);
        self->each[self->n].name = mem_text(name);
        point_io_stat(&point->file, &self->each[self->n].stat);
        self->n++;
        return &point->file;
}
