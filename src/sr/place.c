// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include "vhd_edit.h"

const char *place_mark_name(enum place_mark mark) {
        switch (mark) {
        case PLACE_COALESCE:
                return "coalesce";
        case PLACE_RELINK:
                return "relink";
        case PLACE_LEAF:
                return "leaf";
        case PLACE_OLD:
                return "old";
        case PLACE_UNDONE:
                return "undone";
        case PLACE_FOREIGN:
                return "foreign";
        }
        return "?";
}

char *place_log_path(struct place *place, const struct uuid *uuid) {
        return place->ops->log_path(place, uuid);
}

void place_listing_fini(struct place_listing *listing) {
        vec_fini(&listing->logs);
        vec_fini(&listing->nodes);
        vec_fini(&listing->temporary);
        VEC_EACH (&listing->marked, each) {
                free(each->name);
        }
        vec_fini(&listing->marked);
}

void place_free(struct place *place) {
        place->ops->free(place);
}

enum err place_list(struct place *place, struct place_listing *ret, struct err_note *note) {
        return place->ops->list(place, ret, note);
}

bool place_parse(struct place *place, const char *path, struct place_name *ret) {
        return place->ops->parse(place, path, ret);
}

char *place_mark_path(struct place *place, const struct place_marked *marked) {
        return place->ops->mark_path(place, marked);
}

char *place_path(struct place *place, const struct place_name *name) {
        return place->ops->path(place, name);
}

enum err place_link(struct place *place, const struct place_name *from, const struct place_name *to,
                    struct err_note *note) {
        return place->ops->link(place, from, to, note);
}

enum err place_rename(struct place *place, const struct place_name *from, const struct place_name *to,
                      struct err_note *note) {
        return place->ops->rename(place, from, to, note);
}

enum err place_remove(struct place *place, const struct place_name *name, struct err_note *note) {
        return place->ops->remove(place, name, note);
}

enum err place_rename_mark(struct place *place, const struct place_marked *from, const struct place_name *to,
                           struct err_note *note) {
        return place->ops->rename_mark(place, from, to, note);
}

enum err place_remove_mark(struct place *place, const struct place_marked *marked, struct err_note *note) {
        return place->ops->remove_mark(place, marked, note);
}

enum err place_sync(struct place *place, struct err_note *note) {
        return place->ops->sync(place, note);
}

enum err place_release(struct place *place, struct io_file *file, uint64_t n, uint64_t at,
                       struct err_note *note) {
        return place->ops->release(place, file, n, at, note);
}

enum err place_find(struct place *place, const struct place_name *name, bool *ret_is_there,
                    struct io_stat *ret, struct err_note *note) {
        AUTO_FREE char *path = place_path(place, name);
        enum err err = io_stat_path(place->io, path, ret, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        *ret_is_there = err == ERR_NONE;
        return ERR_NONE;
}

enum err place_remove_if_there(struct place *place, const struct place_name *name, struct err_note *note) {
        enum err err = place_remove(place, name, note);

        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

enum err place_set_hidden(struct place *place, const struct place_name *name, bool is_hidden,
                          struct err_note *note) {
        AUTO_FREE char *path = place_path(place, name);
        AUTO(io_close) struct io_file *file = NULL;

        /* A shared lock: readers of its data, ourselves among them, do not mind; a writer does, since its own
         * writes of the footer would bring the old one back. */
        if (io_open(place->io, path, IO_WRITE, &file, note) || io_lock(file, IO_SHARED, note) ||
            vhd_edit_set_hidden(file, is_hidden, note))
                return err_wrap(note, "%s %s", is_hidden ? "hide" : "unhide", path);
        return ERR_NONE;
}

enum err place_read_mark(struct place *place, const struct place_marked *marked, void *ret, size_t n,
                         size_t *ret_n, struct err_note *note) {
        AUTO_FREE char *path = place_mark_path(place, marked);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(place->io, path, IO_READ, &file, note) || io_read_some(file, ret, n, 0, ret_n, note))
                return err_wrap(note, "read %s", path);
        return ERR_NONE;
}
