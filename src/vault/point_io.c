// SPDX-License-Identifier: Apache-2.0
#include "point_io.h"

#include <string.h>

#include "io_ops.h"
#include "mem.h"

#define DEVICE_OF_POINTS UINT64_MAX /* no kernel's */

struct point_file {
        struct io_file file; /* first */
        struct get *get;     /* owned */
        uint64_t size, inode;
};

struct point_io {
        struct io io;     /* first */
        struct io *below; /* borrowed */
        struct {
                char *name; /* owned */
                struct io_stat stat;
        } * each; /* owned; of all that were added, whether open still or not */
        unsigned n;
};

static struct io *below(struct io *io) {
        return ((struct point_io *)io)->below;
}

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
        return below(io)->ops->open(below(io), path, flags, ret, note);
}

static enum err stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        const struct io_stat *found = find(io, path);

        if (!found)
                return io_stat_path(below(io), path, ret, note);
        *ret = *found;
        return ERR_NONE;
}

static enum err canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        if (!find(io, path))
                return io_canonical(below(io), path, ret, note);
        *ret = mem_text(path);
        return ERR_NONE;
}

static enum err rename_path(struct io *io, const char *from, const char *to, struct err_note *note) {
        return io_rename(below(io), from, to, note);
}

static enum err link_path(struct io *io, const char *from, const char *to, struct err_note *note) {
        return io_link(below(io), from, to, note);
}

static enum err unlink_path(struct io *io, const char *path, struct err_note *note) {
        return io_unlink(below(io), path, note);
}

static enum err make_dir(struct io *io, const char *path, bool is_private, struct err_note *note) {
        return is_private ? io_make_private_dir(below(io), path, note) : io_make_dir(below(io), path, note);
}

static enum err remove_dir(struct io *io, const char *path, struct err_note *note) {
        return io_remove_dir(below(io), path, note);
}

static enum err sync_dir(struct io *io, const char *path, struct err_note *note) {
        return io_sync_dir(below(io), path, note);
}

static enum err list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        return below(io)->ops->list(below(io), path, ret, note);
}

static enum err space(struct io *io, const char *path, struct io_space *ret, struct err_note *note) {
        return io_space(below(io), path, ret, note);
}

static uint64_t now_ns(struct io *io) {
        return io_now_ns(below(io));
}

static int64_t wall_ns(struct io *io) {
        return io_wall_ns(below(io));
}

static void sleep_ns(struct io *io, uint64_t ns) {
        io_sleep_ns(below(io), ns);
}

static void roll(struct io *io, void *ret, size_t n) {
        io_random(below(io), ret, n);
}

static void free_io(struct io *io) {
        struct point_io *self = (struct point_io *)io;

        for (unsigned i = 0; i < self->n; i++)
                free(self->each[i].name);
        free(self->each);
        free(self);
}

/* Files of the io below are read by a queue of ours too, so it is one of plain calls. */
static const struct io_ops point_ops = {
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
        .rename = rename_path,
        .link = link_path,
        .unlink = unlink_path,
        .make_dir = make_dir,
        .remove_dir = remove_dir,
        .sync_dir = sync_dir,
        .list = list,
        .canonical = canonical,
        .space = space,
        .lock = disk_lock,
        .now_ns = now_ns,
        .wall_ns = wall_ns,
        .sleep_ns = sleep_ns,
        .random = roll,
        .queue_new = io_plain_queue_new,
};

struct io *point_io_new(struct io *of) {
        struct point_io *self = mem_new(struct point_io);

        self->io.ops = &point_ops;
        self->below = of;
        return &self->io;
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
