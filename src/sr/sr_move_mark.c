// SPDX-License-Identifier: Apache-2.0
#include "sr_move_mark.h"

#include <stdlib.h>

#include "mem.h"
#include "sr_state.h"
#include "vhd_meta.h"

enum { FROM_MAX = 4096 };

static char *mark_path(const char *folder, const struct uuid *vdi) {
        return mem_format("%s/" SR_CATENA_DIR "/arriving-%s", folder, uuid_format(vdi).s);
}

static enum err write_mark(struct place *place, const char *path, const char *from, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *catena = sr_catena_in(place, "");

        if (io_open(place->io, path, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, from, strlen(from), 0, note) || io_sync(file, note))
                return note->code;
        return io_sync_dir(place->io, catena, note);
}

enum err move_mark_put(struct place *place, const struct uuid *vdi, const char *from, struct err_note *note) {
        AUTO_FREE char *path = mark_path(place->where, vdi);
        enum err err = io_unlink(place->io, path, note); /* of a move that was cut short */

        if (err && err != ERR_NOT_FOUND)
                return err;
        return write_mark(place, path, from, note);
}

void move_mark_drop(struct io *io, const char *folder, const struct uuid *vdi) {
        AUTO_FREE char *path = mark_path(folder, vdi);
        struct err_note unused;

        (void)!io_unlink(io, path, &unused);
}

/* ---- from where it was ---- */

static enum move_found found_of(enum err err) {
        if (err == ERR_NOT_FOUND)
                return MOVE_NOT_THERE;
        return err ? MOVE_UNKNOWN : MOVE_THERE;
}

enum move_found move_mark_look(struct io *io, const char *folder, const struct uuid *vdi) {
        struct place_name name = place_name_of(vdi, IMAGE_VHD);
        AUTO_FREE char *mark = mark_path(folder, vdi);
        AUTO(place_free) struct place *place = NULL;
        AUTO_FREE char *path = NULL;
        struct io_stat stat;
        struct err_note unused;

        /* Whoever moved it may have been killed before its name was durable. */
        if (io_stat_path(io, mark, &stat, &unused) || place_dir_open(io, folder, &place, &unused) ||
            place_sync(place, &unused))
                return MOVE_UNKNOWN;
        path = place_path(place, &name);
        return found_of(io_stat_path(io, path, &stat, &unused));
}

/* ---- from where it came to ---- */

static enum err read_mark(struct place *place, const struct uuid *vdi, char **ret, struct err_note *note) {
        AUTO_FREE char *path = mark_path(place->where, vdi);
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *text = NULL;
        struct io_stat stat;

        if (io_open(place->io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.size > FROM_MAX)
                return err_set(note, ERR_CORRUPT, "%s is too long", path);
        text = mem_zero((size_t)stat.size + 1);
        if (io_read(file, text, (size_t)stat.size, 0, note))
                return note->code;
        *ret = TAKE(text);
        return ERR_NONE;
}

/* Whether a VHD of it is there, and is not hidden. */
static enum move_found look_for_shown(struct place *place, const struct uuid *vdi) {
        struct place_name name = place_name_of(vdi, IMAGE_VHD), raw = place_name_of(vdi, IMAGE_RAW);
        AUTO_FREE char *path = place_path(place, &name);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note unused;
        struct vhd_meta meta;
        struct io_stat stat;
        bool is_raw;
        enum err err;

        if (place_find(place, &raw, &is_raw, &stat, &unused))
                return MOVE_UNKNOWN;
        err = io_open(place->io, path, IO_READ, &file, &unused);
        if (err)
                return is_raw ? MOVE_THERE : found_of(err);
        if (vhd_meta_read_footers(file, 0, &meta, &unused))
                return MOVE_UNKNOWN;
        return meta.footer.is_hidden && !is_raw ? MOVE_NOT_THERE : MOVE_THERE;
}

enum move_found move_mark_arrival(struct place *place, const struct uuid *vdi, char **ret_from) {
        AUTO_FREE char *from = NULL, *catalog = NULL;
        AUTO(place_free) struct place *source = NULL;
        struct err_note unused;
        struct io_stat stat;
        enum err err = read_mark(place, vdi, &from, &unused);

        if (ret_from)
                *ret_from = NULL;
        if (err)
                return err == ERR_NOT_FOUND ? MOVE_NOT_THERE : MOVE_UNKNOWN;
        if (ret_from)
                *ret_from = mem_text(from);
        err = place_dir_open(place->io, from, &source, &unused);
        if (err)
                return found_of(err);
        catalog = sr_catena_in(source, SR_CATALOG_FILE);
        err = io_stat_path(place->io, catalog, &stat, &unused);
        return err ? found_of(err) : look_for_shown(source, vdi);
}
