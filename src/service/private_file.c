// SPDX-License-Identifier: Apache-2.0
#include "private_file.h"

#include <string.h>

#include "mem.h"

enum err private_file_read(struct io *io, const char *path, struct buf *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;
        size_t before = ret->n;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory || stat.is_block_device)
                return err_set(note, ERR_INVALID, "%s is no file", path);
        if (stat.size > PRIVATE_FILE_MAX)
                return err_set(note, ERR_TOO_LARGE, "%s is too large to be what it should be", path);
        if (io_read(file, buf_extend(ret, (size_t)stat.size), (size_t)stat.size, 0, note)) {
                ret->n = before;
                return err_wrap(note, "read %s", path);
        }
        return ERR_NONE;
}

static char *folder_of(const char *path) {
        const char *slash = strrchr(path, '/');

        if (!slash)
                return mem_text(".");
        return slash == path ? mem_text("/") : mem_format("%.*s", (int)(slash - path), path);
}

static enum err write_new(struct io *io, const char *path, const void *data, size_t n,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note unused;

        /* One that a crash left.  Its mode is not ours to trust, so it is made anew. */
        (void)!io_unlink(io, path, &unused);
        if (io_open(io, path, IO_CREATE | IO_PRIVATE, &file, note))
                return note->code;
        /* The bytes before the name: without the sync a crash may leave the name with nothing behind it. */
        if (io_write(file, data, n, 0, note) || io_sync(file, note))
                return err_wrap(note, "write %s", path);
        return ERR_NONE;
}

enum err private_file_write(struct io *io, const char *path, const void *data, size_t n,
                            struct err_note *note) {
        AUTO_FREE char *new_path = mem_format("%s.new", path);
        AUTO_FREE char *folder = folder_of(path);
        struct err_note unused;

        if (write_new(io, new_path, data, n, note) || io_rename(io, new_path, path, note)) {
                (void)!io_unlink(io, new_path, &unused);
                return note->code;
        }
        return io_sync_dir(io, folder, note);
}
