// SPDX-License-Identifier: Apache-2.0
#include "xo_export.h"

#include <string.h>

#include "diff.h"
#include "get.h"
#include "json_text.h"
#include "mem.h"
#include "new_file.h"
#include "text.h"
#include "vhd.h"
#include "xo_export_names.h"
#include "xo_lock.h"
#include "xo_points.h"
#include "xo_vhd_file.h"

#define VMS "xo-vm-backups"

struct exporting {
        const struct xo_export *export; /* borrowed */
        const struct point *point;      /* borrowed */
        struct xo_names names;
        struct xo_remote remote;
        struct xo_lock lock;
        struct xo_points there; /* owned; of the VM, in the remote */
        char *folder;           /* owned; the VM's, from the remote's directory */
        char *when, *before;    /* owned; the point's name, and that of the one it follows; NULL: none */
        struct point parent;    /* owned; where before is set */
        bool *are_children;     /* owned; of each disk */
        struct get *get;        /* owned; of the disk at hand; NULL: none */
        uint64_t done;          /* bytes written */
};

static void exporting_fini(struct exporting *exporting) {
        if (exporting->get)
                get_close(exporting->get);
        xo_lock_release(&exporting->lock);
        xo_points_fini(&exporting->there);
        xo_remote_fini(&exporting->remote);
        point_fini(&exporting->parent);
        free(exporting->folder);
        free(exporting->when);
        free(exporting->before);
        free(exporting->are_children);
}
DEFINE_AUTO_IN_PLACE(struct exporting, exporting_fini);

void xo_exported_fini(struct xo_exported *exported) {
        free(exported->path);
        exported->path = NULL;
}

/* ---- what is there --------------------------------------------------------------------------- */

/* Its name is made durable also where it was there: whoever made it may have died before he could. */
static enum err make_folder(const struct exporting *exporting, const char *path, struct err_note *note) {
        AUTO_FREE char *whole = xo_remote_path(&exporting->remote, path);
        AUTO_FREE char *above = mem_text(whole);
        struct io *io = exporting->export->io;
        enum err err = io_make_dir(io, whole, note);

        *strrchr(above, '/') = '\0';
        if (err && err != ERR_EXISTS)
                return err_wrap(note, "make %s", whole);
        return io_sync_dir(io, above, note);
}

/* With those above it, from the remote's directory on. */
static enum err make_folders(const struct exporting *exporting, const char *path, struct err_note *note) {
        AUTO_FREE char *part = mem_text(path);

        for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (make_folder(exporting, part, note))
                        return note->code;
                *slash = '/';
        }
        return make_folder(exporting, part, note);
}

static enum err open_remote(struct exporting *exporting, struct err_note *note) {
        const struct xo_export *export = exporting->export;
        AUTO_FREE char *lock = NULL;
        enum err err;

        exporting->remote.io = export->io;
        exporting->remote.dir = mem_text(export->dir);
        if (make_folders(exporting, VMS, note))
                return note->code;
        xo_remote_fini(&exporting->remote);
        err = xo_remote_open(export->io, export->dir, NULL, &exporting->remote, note);
        if (err == ERR_DENIED)
                return err_set(note, ERR_UNSUPPORTED,
                               "%s is encrypted: points are only exported to plain ones", export->dir);
        if (err)
                return err;
        exporting->folder = mem_format(VMS "/%s", uuid_format(&exporting->names.vm).s);
        lock = mem_format("%s/%s.lock", export->dir, exporting->folder);
        return xo_lock_take(export->io, lock, &exporting->lock, note);
}

static bool is_name_taken(const struct exporting *exporting, const char *when) {
        VEC_EACH (&exporting->there.list, each)
                if (strcmp(each->name, when) == 0)
                        return true;
        return false;
}

/* Whether all its disks lie in the folders that our exports have. */
static bool is_ours(const struct exporting *exporting, const struct xo_point *point) {
        AUTO_FREE char *start = mem_format("vdis/%s/", uuid_format(&exporting->names.job).s);

        VEC_EACH (&point->meta.disks, each)
                if (!text_starts_with(each->vhd, start))
                        return false;
        return point->meta.origin != NULL;
}

/* [X4] Only the newest one of ours has no child yet. */
static const struct xo_point *newest_of_ours(const struct exporting *exporting) {
        const struct xo_point *newest = NULL;

        VEC_EACH (&exporting->there.list, each)
                if (is_ours(exporting, each) && (!newest || strcmp(each->name, newest->name) > 0))
                        newest = each;
        return newest;
}

/* Two of one second: the later one is told a second later. */
static void choose_name(struct exporting *exporting) {
        for (int64_t time = exporting->point->manifest.time;; time++) {
                exporting->when = xo_names_time(time);
                if (!is_name_taken(exporting, exporting->when))
                        return;
                free(TAKE(exporting->when));
        }
}

static enum err choose_parent(struct exporting *exporting, struct err_note *note) {
        const struct vault *vault = exporting->export->vault;
        const struct vault_name *parent = &exporting->point->manifest.parent;
        const struct xo_point *newest = newest_of_ours(exporting);
        AUTO_FREE char *origin = xo_names_origin(vault, parent);
        enum err err;

        if (exporting->export->is_full || vault_name_is_null(parent) || !newest ||
            strcmp(newest->meta.origin, origin) != 0 || strcmp(newest->name, exporting->when) >= 0)
                return ERR_NONE;
        err = points_get(exporting->export->vault, parent, &exporting->parent, note);
        if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
                return ERR_NONE;
        if (!err)
                exporting->before = mem_text(newest->name);
        return err;
}

/* ---- a disk ---------------------------------------------------------------------------------- */

static const struct vault_disk *disk_before(const struct exporting *exporting,
                                            const struct vault_disk *disk) {
        AUTO_FREE char *path = NULL;
        AUTO_FREE char *whole = NULL;
        struct err_note unused;
        struct io_stat stat;

        if (!exporting->before)
                return NULL;
        path = xo_names_path(&exporting->names, disk, exporting->before);
        whole = mem_format("%s/%s/%s", exporting->export->dir, exporting->folder, path);
        if (io_stat_path(exporting->export->io, whole, &stat, &unused))
                return NULL;
        VEC_EACH (&exporting->parent.manifest.disks, each)
                if (strcmp(each->name, disk->name) == 0 && each->size <= disk->size &&
                    each->chunk == disk->chunk)
                        return each;
        return NULL;
}

static void add_blocks(struct xo_vhd_file *vhd, uint64_t at, uint64_t end) {
        uint64_t block = at / VHD_BLOCK_SIZE;

        end = min_u64(end, vhd->size);
        if (vhd->blocks.n > 0 && vhd->blocks.data[vhd->blocks.n - 1] >= block)
                block = vhd->blocks.data[vhd->blocks.n - 1] + UINT64_C(1);
        for (; block * VHD_BLOCK_SIZE < end; block++)
                *vec_add(&vhd->blocks) = (uint32_t)block;
}

static enum err list_changed(struct exporting *exporting, const struct vault_disk *before,
                             const struct vault_disk *disk, struct xo_vhd_file *vhd, struct err_note *note) {
        AUTO(diff_fini) struct diff diff = {0};

        if (diff_disks(exporting->export->vault, before, disk, &diff, note))
                return note->code;
        VEC_EACH (&diff.extents, each)
                add_blocks(vhd, each->at, each->at + each->n);
        return ERR_NONE;
}

static enum err list_data(struct exporting *exporting, struct xo_vhd_file *vhd, struct err_note *note) {
        uint64_t start, end;

        for (uint64_t at = 0; at < vhd->size; at = end) {
                if (get_next_data(exporting->get, at, &start, &end, note))
                        return note->code;
                if (start >= vhd->size)
                        break;
                add_blocks(vhd, start, end);
        }
        return ERR_NONE;
}

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        return get_read(((struct exporting *)user)->get, ret, n, at, note);
}

static enum err tick(void *user, struct err_note *note) {
        struct exporting *exporting = user;

        exporting->done += VHD_BLOCK_SIZE;
        if (xo_lock_keep(&exporting->lock, note))
                return note->code;
        return exporting->export->step
                       ? exporting->export->step(exporting->export->user, exporting->done, note)
                       : ERR_NONE;
}

static enum err write_vhd(struct exporting *exporting, const char *path, const struct xo_vhd_file *vhd,
                          struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};

        if (new_file_begin(exporting->export->io, path, NEW_FILE_REPLACE, &made, note) ||
            xo_vhd_file_write(exporting->export->io, made.temporary, vhd, note))
                return note->code;
        return new_file_commit(&made, note);
}

static enum err export_disk(struct exporting *exporting, size_t i, struct err_note *note) {
        const struct get_options options = {0};
        const struct vault_disk *disk = &exporting->point->manifest.disks.data[i];
        const struct vault_disk *before = disk_before(exporting, disk);
        AUTO_FREE char *path = xo_names_path(&exporting->names, disk, exporting->when);
        AUTO_FREE char *folder = mem_format("%s/%s", exporting->folder, path);
        AUTO_FREE char *whole = mem_format("%s/%s", exporting->export->dir, folder);
        AUTO_FREE char *name = before ? mem_format("%s.vhd", exporting->before) : NULL;
        struct xo_vhd_file vhd = {.size = disk->size,
                                  .uuid = xo_names_vhd(exporting->export->vault, exporting->point, disk),
                                  .parent_name = name,
                                  .time = exporting->point->manifest.time,
                                  .read = read_disk,
                                  .tick = tick,
                                  .user = exporting};
        enum err err;

        if (before)
                vhd.parent = xo_names_vhd(exporting->export->vault, &exporting->parent, before);
        exporting->are_children[i] = before != NULL;
        *strrchr(folder, '/') = '\0';
        if (make_folders(exporting, folder, note) ||
            get_open(exporting->export->vault, disk, &options, &exporting->get, note))
                return note->code;
        err = before ? list_changed(exporting, before, disk, &vhd, note) : list_data(exporting, &vhd, note);
        if (!err)
                err = write_vhd(exporting, whole, &vhd, note);
        vec_fini(&vhd.blocks);
        get_close(TAKE(exporting->get));
        return err ? err_wrap(note, "disk %s", disk->name) : ERR_NONE;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static enum err write_text(struct io *io, const char *path, const struct buf *text, struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;

        if (new_file_begin(io, path, 0, &made, note) || io_open(io, made.temporary, IO_CREATE, &file, note) ||
            io_write(file, text->data, text->n, 0, note) || io_sync(file, note))
                return note->code;
        io_close(TAKE(file));
        return new_file_commit(&made, note);
}

/* [X3] Whoever reads it while we work may make it again without this point, hence before and after. */
static enum err remove_cache(const struct exporting *exporting, struct err_note *note) {
        AUTO_FREE char *path = mem_format("%s/%s/cache.json.gz", exporting->export->dir, exporting->folder);
        enum err err = io_unlink(exporting->export->io, path, note);

        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err write_meta(struct exporting *exporting, struct xo_exported *ret, struct err_note *note) {
        const struct xo_export_meta meta = {.vault = exporting->export->vault,
                                            .point = exporting->point,
                                            .names = exporting->names,
                                            .when = exporting->when,
                                            .are_children = exporting->are_children,
                                            .size = exporting->done};
        AUTO(json_decref) json_t *json = xo_export_meta(&meta);
        AUTO(buf_fini) struct buf text = {0};
        AUTO_FREE char *path =
                mem_format("%s/%s/%s.json", exporting->export->dir, exporting->folder, exporting->when);

        if (json_text_encode(json, JSON_COMPACT, &text, note) || xo_lock_keep(&exporting->lock, note) ||
            remove_cache(exporting, note) || write_text(exporting->export->io, path, &text, note) ||
            remove_cache(exporting, note))
                return err_wrap(note, "write %s", path);
        ret->path = mem_format("%s/%s.json", exporting->folder, exporting->when);
        return ERR_NONE;
}

/* ---- a point --------------------------------------------------------------------------------- */

static bool is_there(const struct exporting *exporting, struct xo_exported *ret) {
        AUTO_FREE char *origin = xo_names_origin(exporting->export->vault, &exporting->point->name);

        VEC_EACH (&exporting->there.list, each)
                if (each->meta.origin && strcmp(each->meta.origin, origin) == 0) {
                        ret->was_there = true;
                        ret->path = mem_format("%s/%s.json", exporting->folder, each->name);
                }
        return ret->was_there;
}

static enum err export_disks(struct exporting *exporting, struct xo_exported *ret, struct err_note *note) {
        size_t n = exporting->point->manifest.disks.n;

        exporting->are_children = mem_zero(max_u64(n, 1) * sizeof *exporting->are_children);
        for (size_t i = 0; i < n; i++) {
                if (export_disk(exporting, i, note))
                        return note->code;
                ret->n_deltas += exporting->are_children[i];
        }
        ret->bytes = exporting->done;
        return ERR_NONE;
}

/* Before anything is made there. */
static enum err check_sizes(const struct point *point, struct err_note *note) {
        VEC_EACH (&point->manifest.disks, disk)
                if (disk->size > VHD_MAX_SIZE || disk->size == 0)
                        return err_set(note, disk->size ? ERR_TOO_LARGE : ERR_INVALID,
                                       "disk %s: a VHD has at most %llu GiB, and no less than a sector",
                                       disk->name, (unsigned long long)(VHD_MAX_SIZE >> 30));
        return ERR_NONE;
}

static enum err run(struct exporting *exporting, struct xo_exported *ret, struct err_note *note) {
        if (check_sizes(exporting->point, note) || open_remote(exporting, note) ||
            xo_points_of_vm(&exporting->remote, uuid_format(&exporting->names.vm).s, &exporting->there, note))
                return note->code;
        if (is_there(exporting, ret))
                return ERR_NONE;
        choose_name(exporting);
        if (choose_parent(exporting, note) || make_folders(exporting, exporting->folder, note) ||
            export_disks(exporting, ret, note))
                return note->code;
        return write_meta(exporting, ret, note);
}

enum err xo_export_point(const struct xo_export *export, const struct point *point, struct xo_exported *ret,
                         struct err_note *note) {
        AUTO(exporting_fini) struct exporting exporting = {.export = export, .point = point};

        *ret = (struct xo_exported){0};
        xo_names_of(export->vault, point, &exporting.names);
        if (run(&exporting, ret, note))
                return err_wrap(note, "export point %s", vault_name_format(&point->name).s);
        return ERR_NONE;
}
