// SPDX-License-Identifier: Apache-2.0
#include "vhd_parent.h"

#include <string.h>

#include "mem.h"

void vhd_parent_names_fini(struct vhd_parent_names *names) {
        free(names->path);
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                buf_fini(&names->payload[i]);
        *names = (struct vhd_parent_names){0};
}

static const char *name_in(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static char *folder_of(const char *path) {
        const char *name = name_in(path);

        if (name == path)
                return mem_text(".");
        if (name == path + 1)
                return mem_text("/");
        return mem_format("%.*s", (int)(name - path - 1), path);
}

/* The folder without links, with a slash at its end. */
static enum err canonical_folder(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO_FREE char *folder = folder_of(path);
        AUTO_FREE char *canonical = NULL;

        if (io_canonical(io, folder, &canonical, note))
                return note->code;
        *ret = mem_format("%s%s", canonical, canonical[1] ? "/" : "");
        return ERR_NONE;
}

/* Of a file that may not be there yet: then of its folder, and its name. */
static enum err canonical_file(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO_FREE char *folder = NULL;
        enum err err = io_canonical(io, path, ret, note);

        if (err != ERR_NOT_FOUND)
                return err; /* the note's own code is set only by a failure */
        if (canonical_folder(io, path, &folder, note))
                return note->code;
        *ret = mem_format("%s%s", folder, name_in(path));
        return ERR_NONE;
}

/* from ends with a slash, both begin with one. */
static char *relative_path(const char *from, const char *to) {
        AUTO(buf_fini) struct buf path = {0};
        size_t common = 0;

        for (size_t i = 0; from[i] && from[i] == to[i]; i++)
                if (from[i] == '/')
                        common = i + 1;
        for (const char *c = from + common; *c; c++)
                if (*c == '/')
                        buf_print(&path, "../");
        buf_print(&path, "%s", to + common);
        return mem_text(buf_text(&path));
}

enum err vhd_parent_names_of_relative(const char *path, struct vhd_parent_names *ret, struct err_note *note) {
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {.path = mem_text(path)};

        names.name = name_in(names.path);
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                if (vhd_locator_encode(vhd_locator_order[i], names.path, &names.payload[i], note))
                        return note->code;
        *ret = names;
        names = (struct vhd_parent_names){0};
        return ERR_NONE;
}

enum err vhd_parent_names_of(struct io *io, const struct vhd_parent *parent, const char *child_path,
                             struct vhd_parent_names *ret, struct err_note *note) {
        AUTO_FREE char *folder = NULL;
        AUTO_FREE char *file = NULL;
        AUTO_FREE char *path = NULL;

        if (canonical_folder(io, parent->name_from ? parent->name_from : child_path, &folder, note) ||
            canonical_file(io, parent->path, &file, note))
                return note->code;
        path = relative_path(folder, file);
        return vhd_parent_names_of_relative(path, ret, note);
}

const struct buf *vhd_parent_payload(const struct vhd_parent_names *names, uint32_t code) {
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                if (vhd_locator_order[i] == code)
                        return &names->payload[i];
        return NULL;
}

bool vhd_parent_stretch(struct buf *payload, uint32_t code, size_t length) {
        size_t unit = code == VHD_LOCATOR_MACX ? 1 : 2;
        size_t start = (code == VHD_LOCATOR_MACX ? strlen("file://") : 0) + 2 * unit; /* behind its "./" */
        AUTO(buf_fini) struct buf longer = {0};
        const char slash = code == VHD_LOCATOR_MACX ? '/' : '\\';
        size_t n;

        if (length < payload->n || (length - payload->n) % unit)
                return false;
        n = (length - payload->n) / unit;
        buf_add(&longer, payload->data, start);
        for (size_t i = 0; i < n; i++)
                buf_add(&longer, (const char[2]){(n - i) % 2 ? slash : '.', '\0'}, unit);
        buf_add(&longer, payload->data + start, payload->n - start);
        buf_fini(payload);
        *payload = longer;
        longer = (struct buf){0};
        return true;
}
