// SPDX-License-Identifier: Apache-2.0
#include "target_dir.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "mem.h"

#define TEMPORARY ".tmp"

enum { HOURS_OF_A_PUT = 24 };

struct target_dir {
        struct target target; /* first; where: the path */
        struct io *io;        /* borrowed, outlives us */
        pthread_mutex_t mutex;
        /* owned, and each; folders whose own names are durable, by what this target did itself: one that
         * was there may have been made by a process that died before it synced it.  Guarded by mutex. */
        VEC(char *) folders;
};

static struct target_dir *dir_of(struct target *target) {
        return (struct target_dir *)target;
}

static char *path_of(const struct target_dir *dir, const char *name) {
        return *name ? mem_format("%s/%s", dir->target.where, name) : mem_text(dir->target.where);
}

/* "packs/3f" of "packs/3f/3f…"; "" at the top. */
static char *folder_of(const char *name) {
        const char *slash = strrchr(name, '/');

        return mem_format("%.*s", slash ? (int)(slash - name) : 0, name);
}

/* ---- looking ---- */

static enum err list_folder(struct target_dir *, const char *prefix, struct target_list *ret,
                            struct err_note *);

static enum err list_one(struct target_dir *dir, const char *name, struct target_list *ret,
                         struct err_note *note) {
        AUTO_FREE char *path = path_of(dir, name);
        AUTO_FREE char *prefix = NULL;
        struct io_stat stat;
        enum err err = io_stat_path(dir->io, path, &stat, note);

        if (err == ERR_NOT_FOUND) /* it went while we looked */
                return ERR_NONE;
        if (err)
                return err;
        if (stat.is_directory) {
                prefix = mem_format("%s/", name);
                return list_folder(dir, prefix, ret, note);
        }
        *vec_add(&ret->items) = (struct target_item){.name = mem_text(name), .size = stat.size};
        return ERR_NONE;
}

static enum err list_folder(struct target_dir *dir, const char *prefix, struct target_list *ret,
                            struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO_FREE char *folder = folder_of(prefix);
        AUTO_FREE char *path = path_of(dir, folder);
        enum err err = io_list(dir->io, path, &names, note);

        if (err == ERR_NOT_FOUND && *prefix) /* nothing was put there yet */
                return ERR_NONE;
        if (err)
                return err;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *name = mem_format("%s%s", prefix, *each);

                if (target_name_is_valid(name) && list_one(dir, name, ret, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err dir_list(struct target *target, const char *prefix, struct target_list *ret,
                         struct err_note *note) {
        return list_folder(dir_of(target), prefix, ret, note);
}

static enum err dir_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n,
                         size_t *ret_n, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO_FREE char *path = path_of(dir, name);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(dir->io, path, IO_READ, &file, note))
                return note->code;
        return io_read_some(file, ret, n, at, ret_n, note);
}

static enum err dir_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO_FREE char *path = path_of(dir, name);
        struct io_stat stat;

        if (io_stat_path(dir->io, path, &stat, note))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_NOT_FOUND, "it is a folder");
        *ret = stat.size;
        return ERR_NONE;
}

/* ---- folders ---- */

static bool is_durable(struct target_dir *dir, const char *folder) {
        bool is_found = false;

        pthread_mutex_lock(&dir->mutex);
        VEC_EACH (&dir->folders, each)
                is_found = is_found || strcmp(*each, folder) == 0;
        pthread_mutex_unlock(&dir->mutex);
        return is_found;
}

static void note_durable(struct target_dir *dir, const char *folder) {
        pthread_mutex_lock(&dir->mutex);
        *vec_add(&dir->folders) = mem_text(folder);
        pthread_mutex_unlock(&dir->mutex);
}

/* Its name is synced even if the folder was there: an object in a folder that a crash takes is lost. */
static enum err make_folder(struct target_dir *dir, const char *folder, struct err_note *note) {
        AUTO_FREE char *above = folder_of(folder);
        AUTO_FREE char *path = path_of(dir, folder);
        AUTO_FREE char *path_above = path_of(dir, above);
        enum err err = io_make_dir(dir->io, path, note);

        if ((err && err != ERR_EXISTS) || io_sync_dir(dir->io, path_above, note))
                return note->code;
        note_durable(dir, folder);
        return ERR_NONE;
}

static enum err make_folders(struct target_dir *dir, const char *name, struct err_note *note) {
        for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
                AUTO_FREE char *folder = mem_format("%.*s", (int)(slash - name), name);

                if (!is_durable(dir, folder) && make_folder(dir, folder, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- settling ---- */

static enum err settle_folder(struct target_dir *dir, const char *folder, struct err_note *note);

/* What is no folder has no folders in it. */
static enum err settle_below(struct target_dir *dir, const char *folder, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO_FREE char *path = path_of(dir, folder);

        if (io_list(dir->io, path, &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *name = mem_format("%s%s%s", folder, *folder ? "/" : "", *each);
                AUTO_FREE char *inner = path_of(dir, name);
                struct io_stat stat;
                enum err err = target_name_is_valid(name) ? io_stat_path(dir->io, inner, &stat, note)
                                                          : ERR_NOT_FOUND;

                if (err && err != ERR_NOT_FOUND)
                        return err;
                if (!err && stat.is_directory && settle_folder(dir, name, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err settle_folder(struct target_dir *dir, const char *folder, struct err_note *note) {
        AUTO_FREE char *path = path_of(dir, folder);

        if (io_sync_dir(dir->io, path, note))
                return note->code;
        return settle_below(dir, folder, note);
}

/* A name is as durable as those of the folders that it lies in. */
static enum err settle_above(struct target_dir *dir, const char *folder, struct err_note *note) {
        AUTO_FREE char *above = mem_text(folder);

        while (*above) {
                char *slash = strrchr(above, '/');
                AUTO_FREE char *path = NULL;

                *(slash ? slash : above) = 0;
                path = path_of(dir, above);
                if (io_sync_dir(dir->io, path, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err dir_settle(struct target *target, const char *prefix, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO_FREE char *folder = folder_of(prefix);
        AUTO_FREE char *path = path_of(dir, folder);
        struct io_stat stat;
        enum err err;

        if (settle_above(dir, folder, note))
                return note->code;
        err = io_stat_path(dir->io, path, &stat, note);
        if (err == ERR_NOT_FOUND) /* nothing was put there yet */
                return ERR_NONE;
        return err ? err : settle_folder(dir, folder, note);
}

/* ---- putting ---- */

static enum err create_temporary(struct target_dir *dir, const char *path, struct io_file **ret,
                                 struct err_note *note) {
        AUTO_FREE char *folder = path_of(dir, TEMPORARY);
        enum err err = io_open(dir->io, path, IO_CREATE, ret, note);

        if (err != ERR_NOT_FOUND)
                return err;
        err = io_make_dir(dir->io, folder, note);
        if (err && err != ERR_EXISTS)
                return err;
        return io_open(dir->io, path, IO_CREATE, ret, note);
}

/* Whole and durable, but for its name. */
static enum err write_temporary(struct target_dir *dir, const char *path, const struct iovec *pieces,
                                unsigned n, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        uint64_t at = 0;

        if (create_temporary(dir, path, &file, note))
                return note->code;
        for (unsigned i = 0; i < n; i++) {
                if (pieces[i].iov_len && io_write(file, pieces[i].iov_base, pieces[i].iov_len, at, note))
                        return note->code;
                at += pieces[i].iov_len;
        }
        return io_sync(file, note);
}

/* A link leaves alone what has the name; where there are none, names are random enough. */
static enum err name_it(struct target_dir *dir, const char *temporary, const char *path, bool replace,
                        struct err_note *note) {
        enum err err = replace ? ERR_UNSUPPORTED : io_link(dir->io, temporary, path, note);

        if (err == ERR_UNSUPPORTED || err == ERR_DENIED) /* which of these depends on the file system */
                err = io_rename(dir->io, temporary, path, note);
        return err;
}

static enum err dir_put(struct target *target, const char *name, const struct iovec *pieces, unsigned n,
                        bool replace, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO_FREE char *path = path_of(dir, name);
        AUTO_FREE char *folder = folder_of(name);
        AUTO_FREE char *path_of_folder = path_of(dir, folder);
        AUTO_FREE char *temporary =
                mem_format("%s/" TEMPORARY "/put-%016" PRIx64, dir->target.where, io_random_u64(dir->io));
        struct err_note ignored;
        enum err err;

        /* The bytes first, then their name, and the name's durability last: what has a name is whole. */
        err = make_folders(dir, name, note);
        if (!err)
                err = write_temporary(dir, temporary, pieces, n, note);
        if (!err)
                err = name_it(dir, temporary, path, replace, note);
        if (!err)
                err = io_sync_dir(dir->io, path_of_folder, note);
        (void)!io_unlink(dir->io, temporary, &ignored); /* gone by a rename; or left for the sweep */
        return err;
}

static enum err dir_remove(struct target *target, const char *name, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO_FREE char *path = path_of(dir, name);
        AUTO_FREE char *folder = folder_of(name);
        AUTO_FREE char *path_of_folder = path_of(dir, folder);
        enum err err = io_unlink(dir->io, path, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        /* Also where it was gone: by whom that was done is not known, nor whether it lasts. */
        err = io_sync_dir(dir->io, path_of_folder, note);
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static void dir_free(struct target *target) {
        struct target_dir *dir = dir_of(target);

        VEC_EACH (&dir->folders, each)
                free(*each);
        vec_fini(&dir->folders);
        pthread_mutex_destroy(&dir->mutex);
        free(dir);
}

static const struct target_ops dir_ops = {
        .kind = "directory",
        .list = dir_list,
        .read = dir_read,
        .size = dir_size,
        .put = dir_put,
        .remove = dir_remove,
        .settle = dir_settle,
        .free = dir_free,
};

/* ---- opening ---- */

enum err target_dir_open(struct io *io, const char *path, struct target **ret, struct err_note *note) {
        struct target_dir *dir;
        struct io_stat stat;

        if (io_stat_path(io, path, &stat, note))
                return err_wrap(note, "open vault %s", path);
        if (!stat.is_directory)
                return err_set(note, ERR_INVALID, "open vault %s: it is no directory", path);
        dir = mem_new(struct target_dir);
        dir->target = (struct target){.ops = &dir_ops, .where = mem_text(path)};
        dir->io = io;
        pthread_mutex_init(&dir->mutex, NULL);
        *ret = &dir->target;
        return ERR_NONE;
}

/* What a new file system has, and what a put that a crash ended left. */
static bool is_nothing(const char *name) {
        return strcmp(name, "lost+found") == 0 || strcmp(name, TEMPORARY) == 0;
}

static enum err check_empty(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, path, &names, note))
                return note->code;
        VEC_EACH (&names.names, each)
                if (!is_nothing(*each))
                        return err_set(note, ERR_EXISTS, "it is there and not empty: %s lies in it", *each);
        return ERR_NONE;
}

enum err target_dir_create(struct io *io, const char *path, struct target **ret, struct err_note *note) {
        AUTO_FREE char *whole = NULL;
        AUTO_FREE char *above = NULL;
        enum err err = io_make_private_dir(io, path, note);

        if (err == ERR_EXISTS)
                err = check_empty(io, path, note);
        if (err || io_canonical(io, path, &whole, note))
                return err_wrap(note, "make vault %s", path);
        above = folder_of(whole);
        if (io_sync_dir(io, *above ? above : "/", note))
                return err_wrap(note, "make vault %s", path);
        return target_dir_open(io, path, ret, note);
}

static enum err sweep_one(struct target_dir *dir, const char *name, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/" TEMPORARY "/%s", dir->target.where, name);
        struct io_stat stat;
        enum err err = io_stat_path(dir->io, path, &stat, note);

        if (!err &&
            io_wall_ns(dir->io) - stat.modified_ns > (int64_t)HOURS_OF_A_PUT * 3600 * 1000 * 1000 * 1000)
                err = io_unlink(dir->io, path, note);
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

enum err target_dir_sweep(struct target *target, struct err_note *note) {
        struct target_dir *dir = dir_of(target);
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO_FREE char *path = path_of(dir, TEMPORARY);
        enum err err = io_list(dir->io, path, &names, note);

        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        VEC_EACH (&names.names, each)
                if (sweep_one(dir, *each, note))
                        return err_wrap(note, "sweep %s", path);
        return ERR_NONE;
}
