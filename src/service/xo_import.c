// SPDX-License-Identifier: Apache-2.0
#include "xo_import.h"

#include <stdatomic.h>
#include <string.h>

#include "json_text.h"
#include "mem.h"
#include "put.h"
#include "taints.h"
#include "xo_disk.h"
#include "xo_folder.h"
#include "xo_import_known.h"
#include "xo_xva.h"

struct xo_import {
        struct vault *vault;            /* borrowed */
        const struct xo_remote *remote; /* borrowed */
        struct xo_import_options options;
        struct io *io; /* owned; with the remote's directories as files */
        struct images images;
        struct xo_points points;       /* owned */
        struct xo_known known;         /* owned; what the vault has */
        VEC(struct xo_folder) folders; /* owned, and each; that were loaded */
        VEC(struct xo_left) left;      /* owned, and each */
        struct xo_import_count count;
        size_t next;           /* the point that todo told of */
        struct xo_disk *disks; /* owned, and each; of it, open; NULL: none */
        size_t n_disks;
        struct xo_xva *xva; /* owned; whose disks they are, if the point is a whole VM in one; NULL */
        const struct xo_known_point *parent; /* borrowed; of it; NULL: none */
        atomic_bool is_of_source;            /* the last error is what the remote's bytes gave */
};

/* ---- the point that is next ------------------------------------------------------------------ */

static const struct xo_point *point_now(const struct xo_import *import) {
        return &import->points.list.data[import->next];
}

static void close_disks(struct xo_import *import) {
        for (size_t i = 0; i < import->n_disks; i++)
                xo_disk_fini(&import->disks[i]);
        free(TAKE(import->disks));
        import->n_disks = 0;
        xo_xva_free(TAKE(import->xva));
        import->parent = NULL;
}

static void leave(struct xo_import *import, const char *why) {
        const struct xo_point *point = point_now(import);

        *vec_add(&import->left) =
                (struct xo_left){mem_format("%s/%s.json", point->folder, point->name), mem_text(why)};
}

static enum err folder_at(struct xo_import *import, const char *path, const struct xo_folder **ret,
                          struct err_note *note) {
        struct xo_folder folder;

        VEC_EACH (&import->folders, each)
                if (strcmp(each->path, path) == 0) {
                        *ret = each;
                        return ERR_NONE;
                }
        if (xo_folder_load(import->remote, import->io, path, &folder, note))
                return note->code;
        *vec_add(&import->folders) = folder;
        *ret = &import->folders.data[import->folders.n - 1];
        return ERR_NONE;
}

static enum err open_disk(struct xo_import *import, const struct xo_meta_disk *disk, struct xo_disk *ret,
                          struct err_note *note) {
        AUTO_FREE char *folder = mem_format("%s/%s", point_now(import)->folder, disk->vhd);
        AUTO_FREE char *path = NULL;
        const struct xo_folder *loaded = NULL;
        char *slash = strrchr(folder, '/');

        *slash = '\0';
        if (folder_at(import, folder, &loaded, note) || xo_folder_find(loaded, slash + 1, &path, note))
                return note->code;
        return xo_disk_open(&import->images, path, ret, note);
}

/* The archive says which disks it has. */
static enum err open_xva(struct xo_import *import, struct err_note *note) {
        struct xo_point *point = &import->points.list.data[import->next];
        AUTO_FREE char *path = mem_format("%s/%s/%s", import->remote->dir, point->folder, point->meta.xva);
        size_t n;

        if (import->remote->cipher != XO_PLAIN)
                return err_set(note, ERR_UNSUPPORTED,
                               "an encrypted XVA is not read: restore it with Xen Orchestra");
        if (xo_xva_open(import->remote->io, path, &import->xva, note))
                return note->code;
        n = xo_xva_n_disks(import->xva);
        import->disks = mem_zero(max_u64(1, n) * sizeof *import->disks);
        for (size_t i = 0; i < n; i++) {
                const struct xo_xva_disk disk = xo_xva_disk(import->xva, i);

                *vec_add(&point->meta.disks) = (struct xo_meta_disk){
                        mem_text(point->meta.xva), mem_text(uuid_format(&disk.uuid).s), mem_text(disk.label)};
                import->disks[i] =
                        (struct xo_disk){.uuid = disk.uuid, .source = xo_xva_source(import->xva, i)};
                import->n_disks++;
        }
        return ERR_NONE;
}

static enum err open_disks(struct xo_import *import, struct err_note *note) {
        const struct xo_point *point = point_now(import);

        if (point->meta.xva)
                return open_xva(import, note);
        import->disks = mem_zero(max_u64(1, point->meta.disks.n) * sizeof *import->disks);
        VEC_EACH (&point->meta.disks, each) {
                if (open_disk(import, each, &import->disks[import->n_disks], note))
                        return err_wrap(note, "disk %s", each->vdi);
                import->n_disks++;
        }
        return ERR_NONE;
}

/* The newest that the vault has of which one of the disks is a child. */
static const struct xo_known_point *find_parent(const struct xo_import *import) {
        const struct xo_point *point = point_now(import);

        for (size_t i = import->known.list.n; i-- > 0;) {
                const struct xo_known_point *known = &import->known.list.data[i];

                for (size_t j = 0; j < import->n_disks && !known->is_damaged; j++)
                        if (xo_known_has(known, &point->meta.vm_uuid, point->meta.disks.data[j].vdi,
                                         &import->disks[j].parent))
                                return known;
        }
        return NULL;
}

static bool goes_on(const struct xo_import *import, const struct xo_known_point *parent, size_t i) {
        return parent && xo_known_has(parent, &point_now(import)->meta.vm_uuid,
                                      point_now(import)->meta.disks.data[i].vdi, &import->disks[i].parent);
}

static uint64_t bytes_to_read(const struct xo_import *import) {
        uint64_t n = 0;

        for (size_t i = 0; i < import->n_disks; i++) {
                const struct xo_disk *disk = &import->disks[i];

                if (!goes_on(import, import->parent, i))
                        n += disk->source.size;
                else
                        VEC_EACH (&disk->changed, each)
                                n += each->n;
        }
        return n;
}

/* ---- putting it ------------------------------------------------------------------------------ */

/* Whether the remote's bytes are to blame, or the vault. */
static enum err of_source(struct xo_import *import, enum err err) {
        if (err)
                import->is_of_source = true;
        return err;
}

struct reader {
        struct xo_import *import; /* borrowed */
        struct xo_disk *disk;     /* borrowed */
};

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct reader *reader = user;

        return of_source(reader->import,
                         reader->disk->source.read(reader->disk->source.user, ret, n, at, note));
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        struct reader *reader = user;

        return of_source(reader->import, reader->disk->source.next_data(reader->disk->source.user, at,
                                                                        ret_start, ret_end, note));
}

static const struct vault_disk *disk_named(const struct vault_manifest *manifest, const char *name) {
        if (manifest)
                VEC_EACH (&manifest->disks, each)
                        if (strcmp(each->name, name) == 0)
                                return each;
        return NULL;
}

static enum err put_one(struct xo_import *import, struct put *put, size_t i,
                        const struct xo_known_point *parent, struct err_note *note) {
        static const struct put_extent nothing;
        const struct xo_point *point = point_now(import);
        const struct xo_meta_disk *meta = &point->meta.disks.data[i];
        struct xo_disk *disk = &import->disks[i];
        struct reader reader = {import, disk};
        AUTO(json_decref) json_t *about = xo_known_about(point, meta, &disk->uuid);
        struct put_disk putting = {.name = meta->vdi, .about = about};

        putting.source = (struct put_source){
                .size = disk->source.size, .read = read_disk, .next_data = next_data, .user = &reader};
        putting.parent = disk_named(put_parent(put), meta->vdi);
        if (putting.parent && goes_on(import, parent, i)) {
                putting.changed = disk->changed.n ? disk->changed.data : &nothing;
                putting.n_changed = disk->changed.n;
        }
        return put_disk(put, &putting, note) ? err_wrap(note, "disk %s", meta->vdi) : ERR_NONE;
}

static enum err put_after(struct xo_import *import, const struct xo_known_point *parent,
                          struct vault_name *ret, struct err_note *note) {
        const struct xo_meta *meta = &point_now(import)->meta;
        const struct put_options options = {.name = meta->vm_name[0] ? meta->vm_name
                                                                     : uuid_format(&meta->vm_uuid).s,
                                            .time = meta->time / 1000,
                                            .parent = parent ? &parent->name : NULL,
                                            .vm = meta->vm,
                                            .n_threads = import->options.n_threads,
                                            .step = import->options.step,
                                            .user = import->options.user};
        AUTO(put_abort) struct put *put = NULL;
        struct put_count count;

        if (put_begin(import->vault, &options, &put, note))
                return note->code;
        for (size_t i = 0; i < import->n_disks; i++)
                if (put_one(import, put, i, parent, note))
                        return note->code;
        if (put_commit(TAKE(put), ret, &count, note))
                return note->code;
        import->count.read += count.read;
        import->count.stored += count.stored;
        return ERR_NONE;
}

/* What the vault has of the parent may be gone or damaged by now: then all of it is read. */
static enum err put_point(struct xo_import *import, struct vault_name *ret, struct err_note *note) {
        enum err err = put_after(import, import->parent, ret, note);

        if (import->parent && !import->is_of_source && (err == ERR_NOT_FOUND || err == ERR_CORRUPT))
                err = put_after(import, NULL, ret, note);
        return err;
}

static void remember(struct xo_import *import, const struct vault_name *name) {
        const struct xo_point *point = point_now(import);
        struct xo_known_point *known = xo_known_add(&import->known, &point->meta.vm_uuid, point->name, name);

        for (size_t i = 0; i < import->n_disks; i++)
                xo_known_add_disk(known, point->meta.disks.data[i].vdi, &import->disks[i].uuid);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static bool is_wanted(const struct xo_import *import, const struct xo_point *point) {
        for (size_t i = 0; i < import->options.n_vms; i++) {
                struct uuid uuid;

                if (uuid_parse(import->options.vms[i], &uuid) && uuid_equal(&uuid, &point->meta.vm_uuid))
                        return true;
        }
        return import->options.n_vms == 0;
}

enum err xo_import_begin(struct vault *vault, const struct xo_remote *remote,
                         const struct xo_import_options *options, struct xo_import **ret,
                         struct err_note *note) {
        AUTO(xo_import_free) struct xo_import *import = mem_new(struct xo_import);

        import->vault = vault;
        import->remote = remote;
        import->options = *options;
        import->io = xo_io_new(remote->io);
        images_init(&import->images, import->io, &(struct images_options){.is_read_only = true});
        if (xo_points_list(remote, &import->points, note) || xo_known_read(vault, &import->known, note))
                return note->code;
        VEC_EACH (&import->points.left, each)
                *vec_add(&import->left) = (struct xo_left){mem_text(each->path), mem_text(each->why)};
        import->count.n_points = import->left.n;
        VEC_EACH (&import->points.list, each)
                import->count.n_points += is_wanted(import, each);
        *ret = TAKE(import);
        return ERR_NONE;
}

void xo_import_free(struct xo_import *import) {
        if (!import)
                return;
        close_disks(import);
        VEC_EACH (&import->folders, each)
                xo_folder_fini(each);
        vec_fini(&import->folders);
        VEC_EACH (&import->left, each) {
                free(each->path);
                free(each->why);
        }
        vec_fini(&import->left);
        xo_points_fini(&import->points);
        xo_known_fini(&import->known);
        images_fini(&import->images);
        io_free(import->io);
        free(import);
}

/* Whether it is to be put: wanted, not there, and its disks can be read. */
static bool is_to_be_put(struct xo_import *import) {
        const struct xo_point *point = point_now(import);
        struct err_note note;

        if (!is_wanted(import, point))
                return false;
        if (xo_known_find(&import->known, &point->meta.vm_uuid, point->name)) {
                import->count.n_there++;
                return false;
        }
        if (open_disks(import, &note) == ERR_NONE)
                return true;
        leave(import, note.text);
        close_disks(import);
        return false;
}

bool xo_import_todo(struct xo_import *import, struct xo_import_todo *ret) {
        while (import->next < import->points.list.n && !is_to_be_put(import))
                import->next++;
        if (import->next == import->points.list.n)
                return false;
        import->parent = find_parent(import);
        *ret = (struct xo_import_todo){.point = point_now(import), .bytes = bytes_to_read(import)};
        return true;
}

enum err xo_import_step(struct xo_import *import, struct err_note *note) {
        struct vault_name name;

        import->is_of_source = false;
        if (put_point(import, &name, note)) {
                if (!import->is_of_source || note->code == ERR_CANCELLED)
                        return err_wrap(note, "put %s/%s", point_now(import)->folder,
                                        point_now(import)->name);
                leave(import, note->text);
        } else {
                remember(import, &name);
                import->count.n_put++;
        }
        close_disks(import);
        import->next++;
        return ERR_NONE;
}

void xo_import_pass(struct xo_import *import) {
        const struct vault_name none = {0};

        remember(import, &none);
        close_disks(import);
        import->next++;
}

struct xo_import_count xo_import_count(const struct xo_import *import) {
        return import->count;
}

const struct xo_left *xo_import_left(const struct xo_import *import, size_t *ret_n) {
        *ret_n = import->left.n;
        return import->left.data;
}
