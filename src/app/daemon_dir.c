// SPDX-License-Identifier: Apache-2.0
#include "daemon_dir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

#define LOCK_NAME "catenad.lock"

/* Those above it are as open as folders are; a password lies in the last. */
static enum err make_dir(const char *path, struct err_note *note) {
        AUTO_FREE char *part = mem_text(path);

        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return err_set(note, ERR_IO, "make directory %s: %s", part, strerror(errno));
                *slash = '/';
        }
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return err_set(note, ERR_IO, "make directory %s: %s", path, strerror(errno));
        return ERR_NONE;
}

static enum err check_private(const char *path, struct err_note *note) {
        struct stat stat_of;

        if (stat(path, &stat_of) < 0)
                return err_set(note, ERR_IO, "look at %s: %s", path, strerror(errno));
        if (!S_ISDIR(stat_of.st_mode))
                return err_set(note, ERR_INVALID, "%s is no directory", path);
        if (stat_of.st_uid != geteuid())
                return err_set(note, ERR_DENIED, "%s belongs to user %u, and this is user %u", path,
                               (unsigned)stat_of.st_uid, (unsigned)geteuid());
        if (stat_of.st_mode & 0077 && chmod(path, 0700) < 0)
                return err_set(note, ERR_DENIED, "others may look into %s: %s", path, strerror(errno));
        return ERR_NONE;
}

static enum err take_lock(struct io *io, const char *dir, struct io_file **ret, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/" LOCK_NAME, dir);
        AUTO(io_close) struct io_file *file = NULL;
        enum err failed = io_open(io, path, IO_CREATE | IO_PRIVATE | IO_WRITE, &file, note);

        if (failed == ERR_EXISTS)
                failed = io_open(io, path, IO_WRITE, &file, note);
        if (!failed)
                failed = io_lock(file, IO_EXCLUSIVE, note);
        if (failed == ERR_BUSY)
                return err_wrap(note, "another daemon has the state directory %s", dir);
        if (failed)
                return err_wrap(note, "lock the state directory");
        *ret = TAKE(file);
        return ERR_NONE;
}

/* Its name lasts: what is acknowledged in it may not go with it. */
static enum err sync_parent(struct io *io, const char *canonical, struct err_note *note) {
        AUTO_FREE char *parent = mem_text(canonical);
        char *slash = strrchr(parent, '/');

        slash[slash == parent ? 1 : 0] = '\0';
        return io_sync_dir(io, parent, note);
}

enum err daemon_dir_take(struct io *io, const char *path, char **ret_path, struct io_file **ret_lock,
                         struct err_note *note) {
        AUTO_FREE char *canonical = NULL;

        if (make_dir(path, note) || check_private(path, note) || io_canonical(io, path, &canonical, note) ||
            sync_parent(io, canonical, note) || take_lock(io, canonical, ret_lock, note))
                return note->code;
        *ret_path = TAKE(canonical);
        return ERR_NONE;
}
