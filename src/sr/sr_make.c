// SPDX-License-Identifier: Apache-2.0
/* Making an SR of a folder, and what adopting one has in common with that. */
#include <stdio.h>

#include "sr_state.h"

/* The folder's own name is durable only by its parent's sync. */
static enum err sync_parent(struct io *io, const char *path, struct err_note *note) {
        AUTO_FREE char *parent = mem_text(path);
        char *slash = strrchr(parent, '/');

        if (slash && slash != parent)
                *slash = 0;
        else
                (void)snprintf(parent, strlen(parent) + 1, "%s", slash ? "/" : ".");
        return io_sync_dir(io, parent, note);
}

static enum err make_folder(struct io *io, const char *dir, struct err_note *note) {
        enum err err = io_make_dir(io, dir, note);

        if (err == ERR_EXISTS)
                return ERR_NONE;
        if (err)
                return err;
        return sync_parent(io, dir, note);
}

enum err sr_remove_catena(struct io *io, const char *where, struct err_note *note) {
        AUTO_FREE char *catena = mem_format("%s/" SR_CATENA_DIR, where);
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, catena, &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", catena, *each);

                if (io_unlink(io, path, note))
                        return note->code;
        }
        if (io_remove_dir(io, catena, note))
                return note->code;
        return io_sync_dir(io, where, note);
}

enum err sr_make(struct io *io, const char *dir, const char *name, const struct sr_options *options,
                 struct uuid *ret, struct err_note *note) {
        AUTO(place_free) struct place *place = NULL;
        AUTO(sr_close) struct sr *sr = NULL;
        AUTO_FREE char *catena = NULL;
        struct sr_options own = options ? *options : (struct sr_options){0};
        struct sr_settings settings = {.name = name};
        struct err_note unused;
        enum err made, err;

        if (place_dir_open(io, dir, &place, note))
                return note->code;
        catena = sr_catena_in(place, "");
        made = io_make_dir(io, catena, note);
        if (made && made != ERR_EXISTS)
                return made;
        own.mode = SR_OWN;
        if (io_sync_dir(io, place->where, note) || sr_open(io, dir, &own, &sr, note) ||
            sr_set(sr, &settings, note) || io_sync_dir(io, catena, note)) {
                err = note->code;
                if (sr)
                        sr_close(TAKE(sr));
                if (made == ERR_NONE)
                        (void)!sr_remove_catena(io, place->where, &unused);
                return err;
        }
        *ret = sr->row.uuid;
        return ERR_NONE;
}

enum err sr_refuse_sr(struct io *io, struct place *place, struct err_note *note) {
        AUTO_FREE char *catalog = sr_catena_in(place, SR_CATALOG_FILE);
        struct io_stat unused;
        enum err err;

        /* A crash in the middle of making one leaves the folder without the catalog: that is none yet. */
        err = io_stat_path(io, catalog, &unused, note);
        if (err == ERR_NOT_FOUND)
                return ERR_NONE;
        return err ? err : err_set(note, ERR_EXISTS, "%s is an SR already", place->where);
}

static enum err refuse_disks(struct place *place, const struct place_listing *listing,
                             struct err_note *note) {
        if (listing->nodes.n == 0)
                return ERR_NONE;
        return err_set(note, ERR_EXISTS,
                       "%zu disk%s in %s already, the first is %s: \"sr adopt\" lists what it would do with "
                       "them, and takes them",
                       listing->nodes.n, listing->nodes.n == 1 ? " lies" : "s lie", place->where,
                       uuid_format(&listing->nodes.data[0].uuid).s);
}

enum err sr_create(struct io *io, const char *dir, const char *name, const struct sr_options *options,
                   struct uuid *ret, struct err_note *note) {
        AUTO(place_listing_fini) struct place_listing listing = {0};
        AUTO(place_free) struct place *place = NULL;

        if (name && sr_check_text("name", name, note))
                return err_wrap(note, "create SR %s", dir);
        if (make_folder(io, dir, note) || place_dir_open(io, dir, &place, note) ||
            place_list(place, &listing, note) || sr_refuse_sr(io, place, note) ||
            refuse_disks(place, &listing, note) || sr_make(io, dir, name, options, ret, note))
                return err_wrap(note, "create SR %s", dir);
        return ERR_NONE;
}
