// SPDX-License-Identifier: Apache-2.0
#include "vhd_tree.h"

#include <string.h>

#include "image.h"
#include "mem.h"
#include "verbs.h"
#include "vhd_info.h"

struct row {
        struct vhd_brief brief;
        size_t parent; /* its row; SIZE_MAX: none */
        bool is_shown;
};

struct rows {
        VEC(struct row) list; /* owned, and what each holds */
};

static void rows_fini(struct rows *rows) {
        VEC_EACH (&rows->list, row)
                vhd_brief_fini(&row->brief);
        vec_fini(&rows->list);
}
DEFINE_AUTO_IN_PLACE(struct rows, rows_fini);

static size_t find_row(const struct rows *rows, const char *path) {
        for (size_t i = 0; i < rows->list.n; i++)
                if (strcmp(rows->list.data[i].brief.path, path) == 0)
                        return i;
        return SIZE_MAX;
}

static void add_file(struct io *io, struct rows *rows, const char *path) {
        struct vhd_brief brief;

        vhd_brief_read(io, path, &brief);
        if (find_row(rows, brief.path) != SIZE_MAX) {
                vhd_brief_fini(&brief);
                return;
        }
        *vec_add(&rows->list) = (struct row){.brief = brief, .parent = SIZE_MAX};
}

static enum err add_folder(struct io *io, struct rows *rows, const char *path, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, path, &names, note))
                return note->code;
        VEC_EACH (&names.names, name) {
                AUTO_FREE char *full = NULL;

                if ((*name)[0] == '.' || image_kind_of_path(*name) != IMAGE_VHD)
                        continue;
                full = mem_format("%s/%s", path, *name);
                add_file(io, rows, full);
        }
        return ERR_NONE;
}

static enum err add_given(struct io *io, struct rows *rows, const json_t *paths, struct err_note *note) {
        json_t *each;
        size_t i;

        json_array_foreach(paths, i, each) {
                const char *path = json_string_value(each);
                struct io_stat stat;

                if (io_stat_path(io, path, &stat, note))
                        return note->code;
                if (!stat.is_directory)
                        add_file(io, rows, path);
                else if (add_folder(io, rows, path, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* Parents that were not given become rows too; their own parents follow as the list grows. */
static void add_parents(struct io *io, struct rows *rows) {
        for (size_t i = 0; i < rows->list.n; i++) {
                AUTO_FREE char *parent =
                        rows->list.data[i].brief.parent ? mem_text(rows->list.data[i].brief.parent) : NULL;

                if (!parent)
                        continue;
                if (find_row(rows, parent) == SIZE_MAX)
                        add_file(io, rows, parent);
                rows->list.data[i].parent = find_row(rows, parent);
        }
}

/* 0 where a parent is missing or the parents form a loop. */
static unsigned depth_of(const struct rows *rows, size_t i) {
        unsigned depth = 1;

        for (; depth <= rows->list.n; depth++) {
                const struct row *row = &rows->list.data[i];

                if (row->brief.error.code)
                        return 0;
                if (row->parent == SIZE_MAX)
                        return depth;
                i = row->parent;
        }
        return 0;
}

static json_t *json_of_row(const struct rows *rows, size_t i, unsigned level) {
        const struct vhd_brief *brief = &rows->list.data[i].brief;
        unsigned depth = depth_of(rows, i);
        const char *error = brief->error.code ? brief->error.text : NULL;

        if (!error && !depth && rows->list.data[i].parent != SIZE_MAX &&
            depth_of(rows, rows->list.data[i].parent) == 0)
                error = "something is wrong below it: see its parents";
        return json_pack(
                "{s:o, s:o, s:o, s:b, s:o, s:I, s:I, s:i, s:o}", "file", json_of_text(brief->path), "uuid",
                uuid_is_null(&brief->uuid) ? json_null() : json_string(uuid_format(&brief->uuid).s), "parent",
                json_of_text(brief->parent), "hidden", (int)brief->is_hidden, "depth",
                depth ? json_integer(depth) : json_null(), "size", (json_int_t)brief->size, "allocated",
                (json_int_t)brief->allocated, "level", (int)level, "error", json_of_text(error));
}

static void show(struct rows *rows, size_t i, unsigned level, json_t *ret) {
        rows->list.data[i].is_shown = true;
        json_array_append_new(ret, json_of_row(rows, i, level));
        for (size_t child = 0; child < rows->list.n; child++)
                if (rows->list.data[child].parent == i && !rows->list.data[child].is_shown)
                        show(rows, child, level + 1, ret);
}

enum err vhd_tree_describe(struct io *io, const json_t *paths, json_t **ret, bool *ret_has_errors,
                           struct err_note *note) {
        AUTO(rows_fini) struct rows rows = {0};

        if (add_given(io, &rows, paths, note))
                return note->code;
        add_parents(io, &rows);
        *ret = json_array();
        *ret_has_errors = false;
        for (size_t i = 0; i < rows.list.n; i++) {
                *ret_has_errors = *ret_has_errors || depth_of(&rows, i) == 0;
                if (rows.list.data[i].parent == SIZE_MAX)
                        show(&rows, i, 0, *ret);
        }
        for (size_t i = 0; i < rows.list.n; i++) /* of a loop, whose rows hang on no root */
                if (!rows.list.data[i].is_shown)
                        show(&rows, i, 0, *ret);
        return ERR_NONE;
}
