// SPDX-License-Identifier: Apache-2.0
#include "sync_inside.h"

#include "diff.h"
#include "get.h"
#include "json_text.h"
#include "put.h"

/* Disk by disk, into one put. */
struct sending {
        struct sync *sync;          /* borrowed */
        struct put *put;            /* borrowed */
        const struct point *parent; /* borrowed; of from, whose copy is the put's parent; NULL: none */
        const json_t *origin;       /* borrowed */
};

/* Whether the point's own bytes are to blame, or where it is read from and put to. */
static enum err of_source(struct sync *sync, enum err err) {
        if (err == ERR_CORRUPT || err == ERR_NOT_FOUND || err == ERR_IO)
                sync->is_of_source = true;
        return err;
}

/* Its parent, or NULL where the other vault has none and will have none. */
static const struct point *parent_of(const struct sync *sync, const struct point *point, size_t *ret) {
        for (size_t i = 0; i < sync->rows.n; i++) {
                const struct sync_point *row = &sync->rows.data[i];

                if (vault_name_compare(&sync_point_at(sync, i)->name, &point->manifest.parent) != 0 ||
                    row->is_damaged || (row->state != SYNC_MISSING && vault_name_is_null(&row->copy)))
                        continue;
                *ret = i;
                return sync_point_at(sync, i);
        }
        return NULL;
}

static const struct vault_disk *disk_named(const struct vault_manifest *manifest, const char *name) {
        VEC_EACH (&manifest->disks, each)
                if (strcmp(each->name, name) == 0)
                        return each;
        return NULL;
}

/* A disk of no bytes: what differs from it is all that is no zeros. */
static void make_empty(const struct sync *sync, const struct vault_disk *like, struct vault_disk *ret) {
        *ret = (struct vault_disk){.name = like->name, .chunk = like->chunk};
        keyring_disk_id(sync->from->keyring, ret->size, ret->chunk, &ret->root, &ret->id);
}

enum err sync_measure(struct sync *sync, size_t i, struct err_note *note) {
        const struct point *point = sync_point_at(sync, i);
        struct sync_point *row = &sync->rows.data[i];
        size_t unused;
        const struct point *parent = parent_of(sync, point, &unused);

        VEC_EACH (&point->manifest.disks, each) {
                const struct vault_disk *before = parent ? disk_named(&parent->manifest, each->name) : NULL;
                AUTO(diff_fini) struct diff diff = {0};
                struct vault_disk empty;

                make_empty(sync, each, &empty);
                if (of_source(sync, diff_disks(sync->from, before ? before : &empty, each, &diff, note)))
                        return note->code;
                row->bytes += diff.bytes;
                row->through += before ? diff.bytes : each->size;
        }
        return ERR_NONE;
}

/* ---- a disk ---------------------------------------------------------------------------------- */

struct disk_reader {
        struct sync *sync; /* borrowed */
        struct get *get;   /* owned */
};

static void disk_reader_fini(struct disk_reader *reader) {
        get_close(reader->get);
}
DEFINE_AUTO_IN_PLACE(struct disk_reader, disk_reader_fini);

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct disk_reader *reader = user;

        return of_source(reader->sync, get_read(reader->get, ret, n, at, note));
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        struct disk_reader *reader = user;

        return of_source(reader->sync, get_next_data(reader->get, at, ret_start, ret_end, note));
}

/* What of it may differ from the parent's disk, as far as both reach: put.h looks at the rest by itself. */
static enum err list_changed(struct sync *sync, const struct vault_disk *disk,
                             const struct vault_disk *parent, struct put_disk *put, struct diff *diff,
                             struct err_note *note) {
        static const struct put_extent nothing;

        if (of_source(sync, diff_disks(sync->from, parent, disk, diff, note)))
                return note->code;
        put->changed = diff->extents.n ? diff->extents.data : &nothing;
        put->n_changed = diff->extents.n;
        return ERR_NONE;
}

static json_t *about(const struct sending *sending, const json_t *source) {
        json_t *about = json_is_object(source) ? json_deep_copy(source) : json_object();

        json_object_set(about, "origin", (json_t *)(uintptr_t)sending->origin);
        return about;
}

static enum err send_disk(const struct sending *sending, const struct vault_disk *disk,
                          struct err_note *note) {
        const struct get_options options = {0};
        struct sync *sync = sending->sync;
        const struct vault_disk *before =
                sending->parent ? disk_named(&sending->parent->manifest, disk->name) : NULL;
        AUTO(disk_reader_fini) struct disk_reader reader = {.sync = sync};
        AUTO(diff_fini) struct diff diff = {0};
        AUTO(json_decref) json_t *said = about(sending, disk->source);
        struct put_disk putting = {.name = disk->name, .about = said};

        if (of_source(sync, get_open(sync->from, disk, &options, &reader.get, note)))
                return note->code;
        putting.source = (struct put_source){
                .size = disk->size, .read = read_disk, .next_data = next_data, .user = &reader};
        if (before && put_parent(sending->put))
                putting.parent = disk_named(put_parent(sending->put), disk->name);
        if (putting.parent && putting.parent->chunk != sync->to->config.chunk)
                putting.parent = NULL;
        if (putting.parent && list_changed(sync, disk, before, &putting, &diff, note))
                return note->code;
        return put_disk(sending->put, &putting, note);
}

/* ---- a point --------------------------------------------------------------------------------- */

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct sync *sync = user;

        reading_go_on(&sync->reading);
        return sync->options.step ? sync->options.step(sync->options.user, done, note) : ERR_NONE;
}

/* row: of its parent; NULL: as one that has none. */
static enum err send_after(struct sync *sync, size_t i, const struct point *parent,
                           const struct sync_point *row, struct err_note *note) {
        const struct point *point = sync_point_at(sync, i);
        struct sync_point *self = &sync->rows.data[i];
        const struct put_options options = {.name = point->manifest.name,
                                            .time = point->manifest.time,
                                            .parent = row ? &row->copy : NULL,
                                            .vm = point->manifest.vm,
                                            .n_threads = sync->options.n_threads,
                                            .step = step,
                                            .user = sync};
        AUTO(json_decref)
        json_t *origin = json_pack("{s:s, s:s}", "vault", self->origin.vault, "point", self->origin.point);
        AUTO(put_abort) struct put *put = NULL;
        struct sending sending = {.sync = sync, .parent = parent, .origin = origin};
        struct put_count count;

        if (put_begin(sync->to, &options, &put, note))
                return note->code;
        sending.put = put;
        VEC_EACH (&point->manifest.disks, each)
                if (send_disk(&sending, each, note))
                        return err_wrap(note, "disk %s", each->name);
        if (put_commit(TAKE(put), &self->copy, &count, note))
                return note->code;
        sync->count.read += count.read;
        sync->count.stored += count.stored;
        return ERR_NONE;
}

/* What the other vault has of the parent may be gone or damaged by now: then all of it is sent. */
enum err sync_send(struct sync *sync, size_t i, struct err_note *note) {
        const struct point *point = sync_point_at(sync, i);
        size_t of_parent = 0;
        const struct point *parent = parent_of(sync, point, &of_parent);
        const struct sync_point *row = parent ? &sync->rows.data[of_parent] : NULL;
        enum err err = send_after(sync, i, parent, row, note);

        if (row && !sync->is_of_source && (err == ERR_NOT_FOUND || err == ERR_CORRUPT))
                err = send_after(sync, i, NULL, NULL, note);
        return err ? err_wrap(note, "send point %s", vault_name_format(&point->name).s) : ERR_NONE;
}
