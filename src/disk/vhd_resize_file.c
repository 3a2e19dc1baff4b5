// SPDX-License-Identifier: Apache-2.0
#include "vhd_resize_file.h"

#include <string.h>

#include "mem.h"
#include "new_file.h"
#include "vhd_meta.h"
#include "vhd_resize.h"

/* The caller's to free. */
static char *plan_path(const char *path) {
        const char *slash = strrchr(path, '/');
        int n = slash ? (int)(slash + 1 - path) : 0;

        return mem_format("%.*s.%s.resize", n, path, slash ? slash + 1 : path);
}

static enum err keep_plan(struct io *io, const char *path, const struct buf *plan, struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;

        if (new_file_begin(io, path, 0, &made, note) ||
            io_open(io, made.temporary, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, plan->data, plan->n, 0, note) || io_sync(file, note))
                return note->code;
        return new_file_commit(&made, note);
}

static enum err drop_plan(struct io *io, const char *path, struct err_note *note) {
        const char *slash = strrchr(path, '/');
        AUTO_FREE char *folder = slash ? mem_format("%.*s", (int)(slash + 1 - path), path) : mem_text(".");

        if (io_unlink(io, path, note))
                return note->code;
        return io_sync_dir(io, folder, note);
}

/* ret stays empty where there is no plan. */
static enum err read_plan(struct io *io, const char *path, struct buf *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;
        enum err failed = io_open(io, path, IO_READ, &file, note);

        if (failed == ERR_NOT_FOUND)
                return ERR_NONE;
        if (failed || io_stat(file, &stat, note))
                return note->code;
        return io_read(file, buf_extend(ret, (size_t)stat.size), (size_t)stat.size, 0, note);
}

static enum err open_locked(struct io *io, const char *path, struct io_file **ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_WRITE, &file, note) || io_lock(file, IO_EXCLUSIVE, note))
                return note->code;
        *ret = TAKE(file);
        return ERR_NONE;
}

static enum err recover(struct io *io, struct io_file *file, const char *kept, struct err_note *note) {
        AUTO(buf_fini) struct buf plan = {0};
        uint64_t size;

        if (read_plan(io, kept, &plan, note))
                return note->code;
        if (plan.n == 0)
                return ERR_NONE;
        if (vhd_resize_recover(file, &plan, &size, note))
                return err_wrap(note, "finish what %s tells of", kept);
        return drop_plan(io, kept, note);
}

enum err vhd_resize_file_recover(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *kept = plan_path(path);
        struct io_stat stat;

        if (io_stat_path(io, kept, &stat, note) == ERR_NOT_FOUND)
                return ERR_NONE;
        if (open_locked(io, path, &file, note))
                return note->code;
        return recover(io, file, kept, note);
}

enum err vhd_resize_file_check(struct io *io, const char *path, struct err_note *note) {
        AUTO_FREE char *kept = plan_path(path);
        struct io_stat stat;
        enum err failed = io_stat_path(io, kept, &stat, note);

        if (failed)
                return failed == ERR_NOT_FOUND ? ERR_NONE : failed;
        return err_set(note, ERR_BUSY, "a resize of %s was interrupted: 'catena vhd repair --yes %s' ends it",
                       path, path);
}

enum err vhd_resize_file(struct io *io, const char *path, uint64_t size, uint64_t *ret_old_size,
                         uint64_t *ret_size, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *kept = plan_path(path);
        AUTO(buf_fini) struct buf plan = {0};
        struct vhd_meta meta;

        if (open_locked(io, path, &file, note) || recover(io, file, kept, note) ||
            vhd_meta_read(file, 0, &meta, note))
                return note->code;
        *ret_old_size = meta.footer.size_bytes;
        if (vhd_resize_plan(file, size, &plan, note) || keep_plan(io, kept, &plan, note) ||
            vhd_resize_apply(file, &plan, note) || drop_plan(io, kept, note))
                return note->code;
        if (vhd_meta_read(file, 0, &meta, note))
                return note->code;
        *ret_size = meta.footer.size_bytes;
        return ERR_NONE;
}
