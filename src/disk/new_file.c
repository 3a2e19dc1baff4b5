// SPDX-License-Identifier: Apache-2.0
#include "new_file.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"

/* What is to be replaced must be a regular file that nobody uses: a rename would take it from under them. */
static enum err look_at_old(struct io *io, const char *path, unsigned flags, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;
        enum err failed = io_stat_path(io, path, &stat, note);

        if (failed == ERR_NOT_FOUND)
                return ERR_NONE;
        if (failed)
                return failed;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "%s is a directory", path);
        if (stat.is_block_device)
                return err_set(note, ERR_INVALID, "%s is a device, which cannot be replaced by a file", path);
        if (!(flags & NEW_FILE_REPLACE))
                return err_set(note, ERR_EXISTS, "%s exists already", path);
        if (io_open(io, path, IO_WRITE, &file, note) || io_lock(file, IO_EXCLUSIVE, note))
                return err_wrap(note, "replace %s", path);
        return ERR_NONE;
}

enum err new_file_begin(struct io *io, const char *path, unsigned flags, struct new_file *ret,
                        struct err_note *note) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
        struct io_stat stat;

        if (!*name)
                return err_set(note, ERR_INVALID, "'%s' names no file", path);
        *ret = (struct new_file){.io = io, .path = mem_text(path), .may_replace = flags & NEW_FILE_REPLACE};
        ret->folder = slash == path ? mem_text("/")
                      : slash       ? mem_format("%.*s", (int)(slash - path), path)
                                    : mem_text(".");
        ret->temporary = mem_format("%.*s.%s.%08" PRIx32 ".new%s", slash ? (int)(slash + 1 - path) : 0, path,
                                    name, (uint32_t)io_random_u64(io), dot && dot != name ? dot : "");
        if (io_stat_path(io, ret->folder, &stat, note))
                return err_wrap(note, "make %s", path);
        return look_at_old(io, path, flags, note);
}

/* Names the file where nothing may be replaced: a link fails if the name is taken, a rename would not. */
static enum err name_afresh(struct new_file *made, struct err_note *note) {
        struct io_stat stat;
        enum err failed = io_link(made->io, made->temporary, made->path, note);

        if (failed == ERR_EXISTS)
                return err_set(note, ERR_EXISTS, "%s exists already", made->path);
        if (!failed)
                return io_unlink(made->io, made->temporary, note);
        if (failed != ERR_UNSUPPORTED && failed != ERR_DENIED)
                return failed;
        if (io_stat_path(made->io, made->path, &stat, note) != ERR_NOT_FOUND)
                return err_set(note, ERR_EXISTS, "%s exists already", made->path);
        return io_rename(made->io, made->temporary, made->path, note);
}

enum err new_file_commit(struct new_file *made, struct err_note *note) {
        if (made->may_replace ? io_rename(made->io, made->temporary, made->path, note)
                              : name_afresh(made, note))
                return note->code;
        if (io_sync_dir(made->io, made->folder, note))
                return note->code;
        made->io = NULL;
        return ERR_NONE;
}

void new_file_fini(struct new_file *made) {
        struct err_note ignored;

        if (made->io && made->temporary && io_unlink(made->io, made->temporary, &ignored) == ERR_NONE)
                (void)!io_sync_dir(made->io, made->folder, &ignored);
        free(made->path);
        free(made->folder);
        free(made->temporary);
        *made = (struct new_file){0};
}
