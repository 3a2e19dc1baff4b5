// SPDX-License-Identifier: Apache-2.0
#include "registry.h"

#include <string.h>

#include "buf.h"
#include "mem.h"
#include "new_file.h"
#include "verbs.h"

enum { LOCK_TRIES = 100, LOCK_EVERY_NS = 50 * 1000 * 1000, FILE_MAX = 16 * 1024 * 1024 };

void registry_fini(struct registry *registry) {
        VEC_EACH (&registry->list, entry) {
                free(entry->name);
                free(entry->path);
        }
        vec_fini(&registry->list);
}

/* ---- the file -------------------------------------------------------------------------------- */

static enum err need_state_dir(const char *state_dir, struct err_note *note) {
        if (state_dir)
                return ERR_NONE;
        return err_set(note, ERR_INVALID,
                       "there is no place to keep names of SRs: set XDG_STATE_HOME or HOME");
}

/* *ret: the whole object, {"srs": […]}; the caller's. */
static enum err load(struct io *io, const char *state_dir, json_t **ret, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/srs.json", state_dir);
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf text = {0};
        AUTO(json_decref) json_t *object = NULL;
        struct io_stat stat;
        json_error_t error;
        enum err failed = io_open(io, path, IO_READ, &file, note);

        if (failed == ERR_NOT_FOUND) {
                *ret = json_pack("{s:[]}", "srs");
                return ERR_NONE;
        }
        if (failed || io_stat(file, &stat, note))
                return note->code;
        if (stat.size > FILE_MAX)
                return err_set(note, ERR_CORRUPT, "%s is too large to be a list of SRs", path);
        if (io_read(file, buf_extend(&text, (size_t)stat.size), (size_t)stat.size, 0, note))
                return note->code;
        object = json_loadb((const char *)text.data, text.n, 0, &error);
        if (!object || !json_is_array(json_object_get(object, "srs")))
                return err_set(note, ERR_CORRUPT, "%s is damaged: %s; paths of SRs work without it", path,
                               object ? "it has no list of SRs" : error.text);
        *ret = TAKE(object);
        return ERR_NONE;
}

static enum err save(struct io *io, const char *state_dir, const json_t *object, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/srs.json", state_dir);
        AUTO_FREE char *text = json_dumps(object, JSON_INDENT(2));
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;

        if (!text)
                return err_set(note, ERR_INVALID, "%s: what is to be written is no text", path);
        if (new_file_begin(io, path, NEW_FILE_REPLACE, &made, note) ||
            io_open(io, made.temporary, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, text, strlen(text), 0, note) || io_sync(file, note))
                return note->code;
        return new_file_commit(&made, note);
}

enum err registry_make_folders(struct io *io, const char *path, struct err_note *note) {
        AUTO_FREE char *part = mem_text(path);

        for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
                enum err failed;

                if (slash)
                        *slash = '\0';
                failed = io_make_dir(io, part, note);
                if (failed && failed != ERR_EXISTS) {
                        struct io_stat stat;
                        struct err_note ignored;

                        /* A folder of others, on a file system that cannot be written: good, as long as it is
                         * there. */
                        if (io_stat_path(io, part, &stat, &ignored) || !stat.is_directory)
                                return failed;
                }
                if (!slash)
                        return ERR_NONE;
                *slash = '/';
        }
}

static enum err take_lock(struct io *io, const char *state_dir, struct io_file **ret, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/lock", state_dir);
        AUTO(io_close) struct io_file *file = NULL;
        enum err failed = registry_make_folders(io, state_dir, note);

        if (failed)
                return failed;
        failed = io_open(io, path, IO_CREATE | IO_WRITE, &file, note);
        if (failed == ERR_EXISTS)
                failed = io_open(io, path, IO_WRITE, &file, note);
        for (unsigned i = 0; !failed && i < LOCK_TRIES; i++) {
                failed = io_lock(file, IO_EXCLUSIVE, note);
                if (failed != ERR_BUSY)
                        break;
                if (i + 1 < LOCK_TRIES) {
                        io_sleep_ns(io, LOCK_EVERY_NS);
                        failed = ERR_NONE;
                }
        }
        if (failed)
                return failed;
        *ret = TAKE(file);
        return ERR_NONE;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_sr(struct io *io, const char *path) {
        AUTO_FREE char *inside = mem_format("%s/.catena", path);
        struct err_note ignored;
        struct io_stat stat;

        return io_stat_path(io, inside, &stat, &ignored) == ERR_NONE && stat.is_directory;
}

static bool is_folder(struct io *io, const char *path) {
        struct err_note ignored;
        struct io_stat stat;

        return io_stat_path(io, path, &stat, &ignored) == ERR_NONE && stat.is_directory;
}

static void add_entry(struct io *io, struct registry *registry, const json_t *row) {
        const char *uuid = json_string_value(json_object_get(row, "uuid"));
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *path = json_string_value(json_object_get(row, "path"));
        struct registry_entry entry = {.read_only = json_is_true(json_object_get(row, "read_only"))};

        if (!uuid || !name || !path || !uuid_parse(uuid, &entry.uuid))
                return;
        entry.name = mem_text(name);
        entry.path = mem_text(path);
        entry.is_there = entry.read_only ? is_folder(io, path) : is_sr(io, path);
        *vec_add(&registry->list) = entry;
}

static int by_name(const void *a, const void *b) {
        const struct registry_entry *one = a, *other = b;
        int order = strcmp(one->name, other->name);

        return order ? order : uuid_compare(&one->uuid, &other->uuid);
}

enum err registry_read(struct io *io, const char *state_dir, struct registry *ret, struct err_note *note) {
        AUTO(json_decref) json_t *object = NULL;
        json_t *row;
        size_t i;

        *ret = (struct registry){0};
        if (!state_dir)
                return ERR_NONE;
        if (load(io, state_dir, &object, note))
                return note->code;
        json_array_foreach(json_object_get(object, "srs"), i, row) add_entry(io, ret, row);
        if (ret->list.n)
                qsort(ret->list.data, ret->list.n, sizeof *ret->list.data, by_name);
        return ERR_NONE;
}

/* ---- naming ---------------------------------------------------------------------------------- */

/* Those whose folder is gone count only where no other has the name. */
static enum err find(const struct registry *registry, const char *text, const struct registry_entry **ret,
                     struct err_note *note) {
        const struct registry_entry *found = NULL, *other = NULL;
        struct uuid uuid;
        bool is_uuid = uuid_parse(text, &uuid);

        for (size_t i = 0; i < registry->list.n; i++) {
                const struct registry_entry *entry = &registry->list.data[i];

                if (is_uuid ? !uuid_equal(&entry->uuid, &uuid) : strcmp(entry->name, text) != 0)
                        continue;
                if (!found || (entry->is_there && !found->is_there)) {
                        found = entry;
                        other = NULL;
                } else if (entry->is_there == found->is_there) {
                        other = entry;
                }
        }
        if (!found)
                return err_set(
                        note, ERR_NOT_FOUND,
                        "no SR is named '%s', and there is no such folder; 'catena sr list' shows the names",
                        text);
        if (other)
                return err_set(note, ERR_INVALID,
                               "two SRs are named '%s': %s in %s and %s in %s; say which by uuid or path",
                               text, uuid_format(&found->uuid).s, found->path, uuid_format(&other->uuid).s,
                               other->path);
        *ret = found;
        return ERR_NONE;
}

/* What was said of a folder when it was adopted read-only. */
static bool path_is_read_only(struct io *io, const char *state_dir, const char *path) {
        AUTO(registry_fini) struct registry registry = {0};
        AUTO_FREE char *canonical = NULL;
        struct err_note ignored;
        bool read_only = false;

        if (registry_read(io, state_dir, &registry, &ignored) || io_canonical(io, path, &canonical, &ignored))
                return false;
        VEC_EACH (&registry.list, entry)
                read_only = read_only || (entry->read_only && !strcmp(entry->path, canonical));
        return read_only;
}

enum err registry_resolve(struct io *io, const char *state_dir, const char *text, char **ret_path,
                          bool *ret_read_only, struct err_note *note) {
        AUTO(registry_fini) struct registry registry = {0};
        const struct registry_entry *entry = NULL;
        bool is_path = strchr(text, '/') || is_sr(io, text);

        if (!is_path) {
                if (registry_read(io, state_dir, &registry, note))
                        return note->code;
                if (find(&registry, text, &entry, note)) {
                        if (note->code != ERR_NOT_FOUND || !is_folder(io, text))
                                return note->code;
                        is_path = true;
                }
        }
        *ret_read_only = is_path ? path_is_read_only(io, state_dir, text) : entry->read_only;
        *ret_path = mem_text(is_path ? text : entry->path);
        return ERR_NONE;
}

/* ---- changing -------------------------------------------------------------------------------- */

static size_t index_of(const json_t *rows, const char *path) {
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                const char *its = json_string_value(json_object_get(row, "path"));

                if (its && strcmp(its, path) == 0)
                        return i;
        }
        return SIZE_MAX;
}

enum err registry_put(struct io *io, const char *state_dir, const struct uuid *uuid, const char *name,
                      const char *path, bool read_only, struct err_note *note) {
        AUTO(io_close) struct io_file *lock = NULL;
        AUTO(json_decref) json_t *object = NULL;
        AUTO_FREE char *canonical = NULL;
        json_t *rows, *row;
        size_t i;

        if (need_state_dir(state_dir, note) || io_canonical(io, path, &canonical, note) ||
            take_lock(io, state_dir, &lock, note) || load(io, state_dir, &object, note))
                return note->code;
        rows = json_object_get(object, "srs");
        i = index_of(rows, canonical);
        if (i == SIZE_MAX) {
                json_array_append_new(rows, json_object());
                i = json_array_size(rows) - 1;
        }
        row = json_array_get(rows, i);
        json_object_set_new(row, "uuid", json_string(uuid_format(uuid).s));
        json_object_set_new(row, "name", json_of_text(name));
        json_object_set_new(row, "path", json_of_text(canonical));
        json_object_set_new(row, "read_only", json_boolean(read_only));
        return save(io, state_dir, object, note);
}

enum err registry_drop(struct io *io, const char *state_dir, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *lock = NULL;
        AUTO(json_decref) json_t *object = NULL;
        AUTO_FREE char *canonical = NULL;
        struct err_note ignored;
        size_t i;

        if (!state_dir)
                return ERR_NONE;
        if (take_lock(io, state_dir, &lock, note) || load(io, state_dir, &object, note))
                return note->code;
        if (io_canonical(io, path, &canonical, &ignored))
                canonical = mem_text(path);
        i = index_of(json_object_get(object, "srs"), canonical);
        if (i == SIZE_MAX)
                return ERR_NONE;
        json_array_remove(json_object_get(object, "srs"), i);
        return save(io, state_dir, object, note);
}
