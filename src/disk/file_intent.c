// SPDX-License-Identifier: Apache-2.0
#include "file_intent.h"

#include "image.h"
#include "mem.h"
#include "new_file.h"
#include "text.h"
#include "vhd_meta.h"

#define ENDING ".coalesce"

enum { SIZE_MAX_READ = 64 * 1024 * 1024 };

/* Up to the last slash, with it. */
static int folder_length(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? (int)(slash + 1 - path) : 0;
}

char *file_intent_path(const char *child) {
        int n = folder_length(child);

        return mem_format("%.*s.%s" ENDING, n, child, child + n);
}

/* Whose: "" where the name is none.  A temporary one ends otherwise: what is before it is no VHD's. */
static bool is_intent_name(const char *name) {
        AUTO_FREE char *child = NULL;

        if (name[0] != '.' || !text_ends_with(name, ENDING))
                return false;
        child = mem_format("%.*s", (int)(strlen(name) - strlen(ENDING)), name);
        return image_kind_of_path(child) == IMAGE_VHD;
}

/* ---- one ---- */

static enum err decode(const struct buf *bytes, const char *path, struct vhd_intent *ret,
                       struct err_note *note) {
        if (!vhd_intent_decode((struct span){bytes->data, bytes->n}, ret, note))
                return ERR_NONE;
        (void)err_wrap(note, "%s, which says that a coalesce was interrupted", path);
        return note->code;
}

enum err file_intent_read(struct io *io, const char *path, bool *ret_is_there, struct vhd_intent *ret,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf bytes = {0};
        struct io_stat stat;
        enum err err = io_open(io, path, IO_READ, &file, note);

        *ret_is_there = !err;
        if (err == ERR_NOT_FOUND)
                return ERR_NONE;
        if (err || io_stat(file, &stat, note))
                return note->code;
        if (stat.size > SIZE_MAX_READ)
                return err_set(note, ERR_CORRUPT, "%s is too large to be the note of a coalesce", path);
        if (io_read(file, buf_extend(&bytes, (size_t)stat.size), (size_t)stat.size, 0, note))
                return err_wrap(note, "%s", path);
        return decode(&bytes, path, ret, note);
}

enum err file_intent_keep(struct io *io, const char *path, const struct vhd_intent *intent,
                          struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf bytes = {0};

        vhd_intent_encode(intent, &bytes);
        if (new_file_begin(io, path, 0, &made, note) ||
            io_open(io, made.temporary, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, bytes.data, bytes.n, 0, note) || io_sync(file, note))
                return note->code;
        return new_file_commit(&made, note);
}

enum err file_intent_drop(struct io *io, const char *path, struct err_note *note) {
        int n = folder_length(path);
        AUTO_FREE char *folder = n ? mem_format("%.*s", n, path) : mem_text(".");

        if (io_unlink(io, path, note))
                return note->code;
        return io_sync_dir(io, folder, note);
}

/* ---- those of a folder ---- */

enum err file_intent_each(struct io *io, const char *folder, bool passes_over, file_intent_fn call,
                          void *user, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, folder, &names, note))
                return note->code;
        VEC_EACH (&names.names, name) {
                AUTO_FREE char *path = mem_format("%s%s%s", folder, folder[1] ? "/" : "", *name);
                AUTO(vhd_intent_fini) struct vhd_intent intent = {0};
                bool is_there;

                if (!is_intent_name(*name))
                        continue;
                if (file_intent_read(io, path, &is_there, &intent, note)) {
                        if (!passes_over)
                                return note->code;
                        continue;
                }
                if (is_there && call(user, path, &intent, note))
                        return note->code;
        }
        return ERR_NONE;
}

char *file_intent_command(const struct vhd_intent *intent) {
        const char *child = file_intent_child(intent)->path, *target = intent->nodes.data[0].path;

        if (intent->nodes.n == 2)
                return mem_format("catena vhd coalesce %s", child);
        return mem_format("catena vhd coalesce %s --into %s", child, target);
}

/* ---- that of a file ---- */

struct search {
        struct uuid uuid; /* null: not known */
        char *path;       /* owned; canonical */
        bool is_found;
        struct vhd_intent *ret; /* borrowed */
};

/* Found is an error, for it ends the search. */
static enum err compare(void *user, const char *path, const struct vhd_intent *intent,
                        struct err_note *note) {
        struct search *search = user;

        (void)path;
        VEC_EACH (&intent->nodes, each) {
                AUTO(buf_fini) struct buf copy = {0};

                if (!(!uuid_is_null(&search->uuid) && uuid_equal(&search->uuid, &each->uuid)) &&
                    strcmp(search->path, each->path) != 0)
                        continue;
                vhd_intent_encode(intent, &copy);
                search->is_found = !vhd_intent_decode((struct span){copy.data, copy.n}, search->ret, note);
                return search->is_found ? err_set(note, ERR_EXISTS, "found") : note->code;
        }
        return ERR_NONE;
}

static struct uuid uuid_of(struct io *io, const char *path) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note unused;
        struct vhd_meta meta;

        if (image_kind_of_path(path) != IMAGE_VHD || io_open(io, path, IO_READ, &file, &unused) ||
            vhd_meta_read_footers(file, 0, &meta, &unused))
                return (struct uuid){0};
        return meta.footer.uuid;
}

enum err file_intent_find(struct io *io, const char *path, bool *ret_is_found, struct vhd_intent *ret,
                          struct err_note *note) {
        AUTO_FREE char *canonical = NULL;
        AUTO_FREE char *folder = NULL;
        struct search search = {.ret = ret};
        struct err_note why;
        enum err err;
        int n;

        *ret_is_found = false;
        if (io_canonical(io, path, &canonical, note))
                return note->code;
        n = folder_length(canonical);
        folder = mem_format("%.*s", n > 1 ? n - 1 : n, canonical);
        search.path = canonical;
        search.uuid = uuid_of(io, canonical);
        err = file_intent_each(io, folder, true, compare, &search, &why);
        if (err && err != ERR_DENIED && !search.is_found) {
                *note = why;
                return note->code;
        }
        *ret_is_found = search.is_found;
        return ERR_NONE;
}
