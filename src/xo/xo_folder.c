// SPDX-License-Identifier: Apache-2.0
#include "xo_folder.h"

#include <string.h>

#include "mem.h"
#include "text.h"
#include "xo_meta.h"

#define ALIAS ".alias.vhd"
#define MERGE ".merge.json"

static char *whole_of(const struct xo_folder *folder, const char *name) {
        return mem_format("%s/%s", folder->whole, name);
}

static bool is_there(const struct xo_folder *folder, const char *name) {
        VEC_EACH (&folder->names.names, each)
                if (strcmp(*each, name) == 0)
                        return true;
        return false;
}

/* NULL: no such directory, or one that cannot be read. */
static struct xo_vhd_dir *dir_of(const struct xo_folder *folder, const char *name) {
        AUTO_FREE char *whole = whole_of(folder, name);

        return xo_io_find(folder->io, whole);
}

/* ---- aliases: a file that says where the directory is ---- */

static enum err open_alias(const struct xo_folder *folder, const char *name, struct xo_vhd_dir **ret,
                           struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/%s", folder->path, name);
        AUTO(buf_fini) struct buf text = {0};
        AUTO_FREE char *to = NULL;
        AUTO_FREE char *dir = NULL;

        if (xo_remote_read(folder->remote, path, XO_PATH_MAX, &text, note))
                return note->code;
        if (xo_path_clean(buf_text(&text), &to, note))
                return err_wrap(note, "read %s", path);
        dir = mem_format("%s/%s", folder->path, to);
        return xo_vhd_dir_open(folder->remote, dir, ret, note);
}

static void add_aliases(struct xo_folder *folder) {
        VEC_EACH (&folder->names.names, each) {
                AUTO_FREE char *whole = whole_of(folder, *each);
                struct xo_vhd_dir *dir;
                struct err_note unused;

                if (text_ends_with(*each, ALIAS) && !open_alias(folder, *each, &dir, &unused))
                        xo_io_add(folder->io, whole, dir);
        }
}

/* ---- parents ---- */

static const char *name_with_uuid(const struct xo_folder *folder, const struct uuid *uuid) {
        VEC_EACH (&folder->names.names, each) {
                const struct xo_vhd_dir *dir = dir_of(folder, *each);
                const struct uuid own = dir ? xo_vhd_dir_uuid(dir) : (struct uuid){0};

                if (dir && uuid_equal(&own, uuid))
                        return *each;
        }
        return NULL;
}

static enum err name_parents(struct xo_folder *folder, struct err_note *note) {
        VEC_EACH (&folder->names.names, each) {
                struct xo_vhd_dir *dir = dir_of(folder, *each);
                struct uuid parent;
                const char *name;

                if (!dir || !xo_vhd_dir_has_parent(dir))
                        continue;
                parent = xo_vhd_dir_parent(dir);
                name = name_with_uuid(folder, &parent);
                if (name && xo_vhd_dir_set_parent(dir, name, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- merges ---- */

/* The name of a file of a merge's chain, as it is in the folder: an alias where the chain says where that
 * leads. */
static char *name_of(const struct xo_folder *folder, const char *path) {
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        size_t n = strlen(base);
        char *alias;

        if (is_there(folder, base) || !text_ends_with(base, ".vhd"))
                return mem_text(base);
        alias = mem_format("%.*s" ALIAS, (int)(n - 4), base);
        if (is_there(folder, alias))
                return alias;
        free(alias);
        return mem_text(base);
}

static void take_merge(struct xo_folder *folder, const struct xo_merge *merge) {
        size_t last = merge->chain.n - 1;
        AUTO_FREE char *lowest = name_of(folder, merge->chain.data[0]);
        struct xo_vhd_dir *below = dir_of(folder, lowest);

        for (size_t i = 0; i <= last; i++) {
                char *name = name_of(folder, merge->chain.data[i]);
                struct xo_vhd_dir *dir = i > 0 ? dir_of(folder, name) : NULL;

                if (dir && below)
                        xo_vhd_dir_set_moved(dir, below);
                if (i < last) {
                        *vec_add(&folder->merged) = name;
                        continue;
                }
                /* At its end the topmost is gone before the lowest has its name. */
                if (!is_there(folder, name) && is_there(folder, lowest)) {
                        *vec_add(&folder->results) = mem_text(name);
                        *vec_add(&folder->results) = mem_text(lowest);
                }
                free(name);
        }
}

static enum err take_merges(struct xo_folder *folder, struct err_note *note) {
        VEC_EACH (&folder->names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", folder->path, *each);
                AUTO(buf_fini) struct buf text = {0};
                AUTO(xo_merge_fini) struct xo_merge merge = {0};

                if (!text_starts_with(*each, ".") || !text_ends_with(*each, MERGE))
                        continue;
                if (xo_remote_read(folder->remote, path, XO_JSON_MAX, &text, note))
                        return note->code;
                if (xo_merge_decode((struct span){text.data, text.n}, &merge, note))
                        return err_wrap(note, "read %s", path);
                take_merge(folder, &merge);
        }
        return ERR_NONE;
}

/* ---- from outside ---- */

enum err xo_folder_load(const struct xo_remote *remote, struct io *io, const char *path,
                        struct xo_folder *ret, struct err_note *note) {
        AUTO(xo_folder_fini) struct xo_folder folder = {.remote = remote, .io = io, .path = mem_text(path)};
        AUTO_FREE char *whole = xo_remote_path(remote, path);

        if (io_canonical(io, whole, &folder.whole, note) || xo_remote_list(remote, path, &folder.names, note))
                return note->code;
        add_aliases(&folder);
        if (name_parents(&folder, note) || take_merges(&folder, note))
                return note->code;
        *ret = folder;
        folder = (struct xo_folder){0};
        return ERR_NONE;
}

void xo_folder_fini(struct xo_folder *folder) {
        VEC_EACH (&folder->merged, each)
                free(*each);
        VEC_EACH (&folder->results, each)
                free(*each);
        vec_fini(&folder->merged);
        vec_fini(&folder->results);
        io_names_fini(&folder->names);
        free(folder->path);
        free(folder->whole);
        *folder = (struct xo_folder){0};
}

static enum err find_alias(const struct xo_folder *folder, const char *name, char **ret,
                           struct err_note *note) {
        AUTO(xo_vhd_dir_free) struct xo_vhd_dir *dir = NULL;

        if (!dir_of(folder, name) && open_alias(folder, name, &dir, note))
                return note->code;
        *ret = whole_of(folder, name);
        return ERR_NONE;
}

/* By the name that it has in the folder. */
static enum err path_of(const struct xo_folder *folder, const char *name, char **ret, struct err_note *note) {
        if (text_ends_with(name, ALIAS))
                return find_alias(folder, name, ret, note);
        *ret = whole_of(folder, name);
        return ERR_NONE;
}

enum err xo_folder_find(const struct xo_folder *folder, const char *name, char **ret, struct err_note *note) {
        for (size_t i = 0; i + 1 < folder->results.n; i += 2)
                if (strcmp(folder->results.data[i], name) == 0)
                        return path_of(folder, folder->results.data[i + 1], ret, note);
        VEC_EACH (&folder->merged, each)
                if (strcmp(*each, name) == 0)
                        return err_set(note, ERR_BUSY, "%s/%s is being merged into a newer one", folder->path,
                                       name);
        if (!is_there(folder, name))
                return err_set(note, ERR_NOT_FOUND, "%s/%s is not there", folder->path, name);
        return path_of(folder, name, ret, note);
}
