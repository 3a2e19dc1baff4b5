// SPDX-License-Identifier: Apache-2.0
#include "vhd_children.h"

#include "mem.h"
#include "parent_search.h"
#include "vhd_meta.h"

struct look {
        const struct vhd_children *all; /* borrowed */
        const char *folder;             /* borrowed; with a slash at its end */
        const char *path;               /* borrowed; of the file that is looked at */
};

static const struct image *file_of_run(const struct vhd_children *all, const struct io_stat *stat, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (all->run[i]->device == stat->device && all->run[i]->inode == stat->inode)
                        return all->run[i];
        return NULL;
}

static enum err refuse(const struct look *look, const struct image *parent, struct err_note *note) {
        return err_set(note, ERR_BUSY, "%s names %s as its parent too, and would read something else",
                       look->path, parent->path);
}

static enum err refuse_unknown(const struct look *look, const struct err_note *why, struct err_note *note) {
        struct err_note reason = *why;

        if (look->all->ignores_unreadable)
                return ERR_NONE;
        return err_set(note, ERR_BUSY, "%s may be a child of %s, and cannot be read: %s", look->path,
                       look->all->run[0]->path, reason.text);
}

/* ---- what a header says ---- */

static enum err check_name(const struct look *look, const char *name, struct err_note *note) {
        AUTO_FREE char *path = name[0] == '/' ? mem_text(name) : mem_format("%s%s", look->folder, name);
        const struct image *parent;
        struct err_note unused;
        struct io_stat stat;

        if (io_stat_path(look->all->io, path, &stat, &unused))
                return ERR_NONE;
        parent = file_of_run(look->all, &stat, look->all->n - 1);
        return parent ? refuse(look, parent, note) : ERR_NONE;
}

static enum err check_locator(const struct look *look, struct io_file *file,
                              const struct vhd_locator *locator, struct err_note *note) {
        AUTO_FREE char *name = NULL;

        return parent_search_locator(file, locator, &name) ? check_name(look, name, note) : ERR_NONE;
}

static enum err check_header(const struct look *look, struct io_file *file, const struct vhd_header *header,
                             struct err_note *note) {
        AUTO_FREE char *name = NULL;
        struct err_note unused;

        for (size_t i = 0; i + 1 < look->all->n; i++) {
                const struct image *parent = look->all->run[i];

                if (!uuid_is_null(&parent->uuid) && uuid_equal(&parent->uuid, &header->parent_uuid))
                        return refuse(look, parent, note);
        }
        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                if (check_locator(look, file, &header->locator[i], note))
                        return note->code;
        if (vhd_header_name(header, &name, &unused) || !*name)
                return ERR_NONE;
        return check_name(look, name, note);
}

/* ---- one file ---- */

static enum err check_damaged(const struct look *look, struct io_file *file, const struct err_note *why,
                              struct err_note *note) {
        struct vhd_meta meta = {0};
        struct vhd_header_disk disk;
        struct vhd_header header;
        struct err_note unused;
        bool has_footer = vhd_meta_read_footers(file, VHD_META_REPAIR, &meta, &unused) == ERR_NONE;
        enum err err;

        if (has_footer && meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        err = io_read(file, &disk, sizeof disk, has_footer ? meta.footer.data_offset : VHD_HEADER_AT,
                      &unused);
        if (!err && memcmp(disk.cookie, "cxsparse", sizeof disk.cookie) == 0) {
                vhd_header_salvage(&disk, &header);
                return check_header(look, file, &header, note);
        }
        /* Neither footer nor header: not a VHD at all, and nobody's child. */
        if (!has_footer && (!err || err == ERR_CUT_SHORT))
                return ERR_NONE;
        return refuse_unknown(look, why, note);
}

static enum err check_open(const struct look *look, struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;
        struct err_note why;

        if (vhd_meta_read_footers(file, 0, &meta, &why))
                return check_damaged(look, file, &why, note);
        if (meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        if (vhd_meta_read_header(file, &meta, &why))
                return check_damaged(look, file, &why, note);
        return check_header(look, file, &meta.header, note);
}

/* A name that is gone by now, or leads nowhere, is nobody's. */
static enum err check_path(const struct look *look, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note why;
        struct io_stat stat;
        enum err err = io_stat_path(look->all->io, look->path, &stat, &why);

        if (!err &&
            (stat.is_directory || stat.is_block_device || file_of_run(look->all, &stat, look->all->n)))
                return ERR_NONE;
        if (!err)
                err = io_open(look->all->io, look->path, IO_READ, &file, &why);
        if (err == ERR_NOT_FOUND || err == ERR_INVALID) /* the latter: a pipe or such */
                return ERR_NONE;
        if (!err)
                return check_open(look, file, note);
        /* Of files with other names a VHD is one of thousands. */
        return image_kind_of_path(look->path) == IMAGE_VHD ? refuse_unknown(look, &why, note) : ERR_NONE;
}

enum err vhd_children_look(const struct vhd_children *all, const char *folder, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};
        AUTO_FREE char *slashed = mem_format("%s%s", folder, folder[1] ? "/" : "");

        if (io_list(all->io, folder, &names, note))
                return err_wrap(note, "look for other children");
        VEC_EACH (&names.names, name) {
                AUTO_FREE char *path = mem_format("%s%s", slashed, *name);
                const struct look look = {all, slashed, path};

                if (check_path(&look, note))
                        return note->code;
        }
        return ERR_NONE;
}
