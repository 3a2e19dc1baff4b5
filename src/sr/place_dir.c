// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include <stdio.h>

#include "text.h"

/* One folder.  All that is known is in struct place. */

static const char *const extensions[] = {[IMAGE_VHD] = ".vhd", [IMAGE_RAW] = ".raw"};

#define LOG_EXTENSION ".cbtlog"

/* ---- names ---- */

/* "<uuid>" and then exactly `end`. */
static bool parse_name(const char *name, const char *end, struct uuid *ret) {
        char uuid[UUID_TEXT_SIZE];

        if (strlen(name) != UUID_TEXT_SIZE - 1 + strlen(end) || strcmp(name + UUID_TEXT_SIZE - 1, end) != 0)
                return false;
        memcpy(uuid, name, sizeof uuid - 1);
        uuid[sizeof uuid - 1] = 0;
        /* "A1…" and "a1…" would be two files of one uuid; only what uuid_format writes is ours. */
        return uuid_parse(uuid, ret) && memcmp(uuid_format(ret).s, uuid, sizeof uuid) == 0;
}

static bool parse_node(const char *name, struct place_name *ret) {
        for (unsigned kind = 0; kind < sizeof extensions / sizeof *extensions; kind++) {
                char end[16];

                *ret = (struct place_name){.kind = (enum image_kind)kind};
                if (parse_name(name, extensions[kind], &ret->uuid))
                        return true;
                (void)snprintf(end, sizeof end, "%s.new", extensions[kind]);
                ret->is_new = true;
                if (name[0] == '.' && parse_name(name + 1, end, &ret->uuid))
                        return true;
        }
        return false;
}

static bool parse_mark(const char *name, struct place_marked *ret) {
        static const struct {
                const char *start, *end;
                enum place_mark mark;
        } marks[] = {
                {"coalesce_", "", PLACE_COALESCE}, {"relink_", "", PLACE_RELINK},
                {"leaf_", "", PLACE_LEAF},         {"OLD_", ".vhd", PLACE_OLD},
                {"OLD_", ".raw", PLACE_OLD},       {"", ".vhd.new", PLACE_UNDONE},
                {"", ".raw.new", PLACE_UNDONE},    {"inflate_", "", PLACE_FOREIGN},
                {"jvhd_", "", PLACE_FOREIGN},      {"clone_", "", PLACE_FOREIGN},
                {"zero_", "", PLACE_FOREIGN},
        };

        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
                if (!text_starts_with(name, marks[i].start))
                        continue;
                if (!parse_name(name + strlen(marks[i].start), marks[i].end, &ret->uuid) &&
                    marks[i].mark != PLACE_FOREIGN)
                        continue;
                ret->mark = marks[i].mark;
                return true;
        }
        return false;
}

static enum err dir_list(struct place *place, struct place_listing *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(place->io, place->where, &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                struct place_name name;
                struct place_marked marked = {0};
                struct uuid logged;

                if (parse_node(*each, &name)) {
                        if (name.is_new)
                                *vec_add(&ret->temporary) = name;
                        else
                                *vec_add(&ret->nodes) = name;
                } else if (parse_mark(*each, &marked)) {
                        marked.name = TAKE(*each);
                        *vec_add(&ret->marked) = marked;
                } else if (parse_name(*each, LOG_EXTENSION, &logged)) {
                        *vec_add(&ret->logs) = logged;
                } else if (strcmp(*each, ".catena") != 0) {
                        ret->n_others++;
                }
        }
        return ERR_NONE;
}

static bool dir_parse(struct place *place, const char *path, struct place_name *ret) {
        const char *slash;

        while (text_starts_with(path, "./"))
                path += 2;
        slash = strrchr(path, '/');

        if (slash &&
            (strncmp(path, place->where, (size_t)(slash - path)) != 0 || place->where[slash - path] != 0))
                return false;
        return parse_node(slash ? slash + 1 : path, ret);
}

static char *name_of(const struct place_name *name) {
        return mem_format("%s%s%s%s", name->is_new ? "." : "", uuid_format(&name->uuid).s,
                          extensions[name->kind], name->is_new ? ".new" : "");
}

static char *dir_path(struct place *place, const struct place_name *name) {
        AUTO_FREE char *base = name_of(name);

        return mem_format("%s/%s", place->where, base);
}

static char *dir_mark_path(struct place *place, const struct place_marked *marked) {
        return mem_format("%s/%s", place->where, marked->name);
}

static char *dir_log_path(struct place *place, const struct uuid *uuid) {
        return mem_format("%s/%s" LOG_EXTENSION, place->where, uuid_format(uuid).s);
}

/* ---- changes ---- */

static enum err dir_link(struct place *place, const struct place_name *from, const struct place_name *to,
                         struct err_note *note) {
        AUTO_FREE char *from_path = dir_path(place, from);
        AUTO_FREE char *to_path = dir_path(place, to);

        return io_link(place->io, from_path, to_path, note);
}

static enum err dir_rename(struct place *place, const struct place_name *from, const struct place_name *to,
                           struct err_note *note) {
        AUTO_FREE char *from_path = dir_path(place, from);
        AUTO_FREE char *to_path = dir_path(place, to);

        return io_rename(place->io, from_path, to_path, note);
}

static enum err dir_remove(struct place *place, const struct place_name *name, struct err_note *note) {
        AUTO_FREE char *path = dir_path(place, name);

        return io_unlink(place->io, path, note);
}

static enum err dir_rename_mark(struct place *place, const struct place_marked *from,
                                const struct place_name *to, struct err_note *note) {
        AUTO_FREE char *from_path = dir_mark_path(place, from);
        AUTO_FREE char *to_path = dir_path(place, to);

        return io_rename(place->io, from_path, to_path, note);
}

static enum err dir_remove_mark(struct place *place, const struct place_marked *marked,
                                struct err_note *note) {
        AUTO_FREE char *path = dir_mark_path(place, marked);

        return io_unlink(place->io, path, note);
}

static enum err dir_sync(struct place *place, struct err_note *note) {
        return io_sync_dir(place->io, place->where, note);
}

static enum err dir_release(struct place *place UNUSED, struct io_file *file, uint64_t n, uint64_t at,
                            struct err_note *note) {
        return io_punch(file, n, at, note);
}

static void dir_free(struct place *place) {
        free(place->where);
        free(place);
}

static const struct place_ops dir_ops = {
        .kind = "directory",
        .list = dir_list,
        .parse = dir_parse,
        .path = dir_path,
        .mark_path = dir_mark_path,
        .log_path = dir_log_path,
        .link = dir_link,
        .rename = dir_rename,
        .remove = dir_remove,
        .rename_mark = dir_rename_mark,
        .remove_mark = dir_remove_mark,
        .sync = dir_sync,
        .release = dir_release,
        .free = dir_free,
};

enum err place_dir_open(struct io *io, const char *path, struct place **ret, struct err_note *note) {
        AUTO_FREE char *where = NULL;
        struct io_stat stat;
        struct place *place;

        if (io_canonical(io, path, &where, note) || io_stat_path(io, where, &stat, note))
                return note->code;
        if (!stat.is_directory)
                return err_set(note, ERR_INVALID, "%s is not a folder", path);
        place = mem_new(struct place);
        place->ops = &dir_ops;
        place->io = io;
        place->where = TAKE(where);
        *ret = place;
        return ERR_NONE;
}
