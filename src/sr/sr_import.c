// SPDX-License-Identifier: Apache-2.0
/* Imports: written under a temporary name, and seen by one rename or pivot. */
#include "coalesce.h"
#include "garbage.h"
#include "sr_fork.h"
#include "sr_new.h"
#include "sr_state.h"

struct sr_import {
        struct sr *sr;      /* borrowed, outlives us */
        struct vdi_row row; /* as it will be put */
        enum image_kind kind;
        bool is_onto;
        struct chain *chain; /* owned */
};

bool sr_import_is_onto(const struct sr_import *import, const struct uuid *vdi) {
        return import->is_onto && uuid_equal(&import->row.uuid, vdi);
}

bool sr_import_makes(const struct sr_import *import, const struct uuid *vdi) {
        return !import->is_onto && uuid_equal(&import->row.uuid, vdi);
}

struct chain *sr_import_chain(struct sr_import *import) {
        return import->chain;
}

struct uuid sr_import_vdi(const struct sr_import *import) {
        return import->row.uuid;
}

void sr_import_say(struct sr_import *import, const struct vdi_row *like) {
        struct vdi_row row = {0};

        vdi_row_copy(like, &row);
        row.uuid = import->row.uuid;
        row.created = import->row.created;
        vdi_row_fini(&import->row);
        import->row = row;
}

/* base: what it is made upon; NULL: nothing. */
static enum err open_chain(struct sr_import *import, const struct node *base, struct err_note *note) {
        struct place_name temporary = place_name_new(&import->row.uuid, import->kind);
        AUTO_FREE char *path = place_path(import->sr->place, &temporary);

        if (chain_open(&import->sr->images, path, CHAIN_WRITE, &import->chain, note))
                return note->code;
        return sr_check_layers(import->chain, 1, base, note);
}

static void forget(struct sr_import *import) {
        struct sr *sr = import->sr;

        for (size_t i = 0; i < sr->imports.n; i++) {
                if (sr->imports.data[i] != import)
                        continue;
                vec_remove_at(&sr->imports, i);
                break;
        }
        if (import->chain)
                chain_abandon(import->chain);
        vdi_row_fini(&import->row);
        free(import);
}

static struct sr_import *import_new(struct sr *sr) {
        struct sr_import *import = mem_new(struct sr_import);

        import->sr = sr;
        *vec_add(&sr->imports) = import;
        return import;
}

void sr_import_abort(struct sr_import *import) {
        if (import->chain)
                chain_abandon(TAKE(import->chain));
        sr_new_discard(import->sr, &import->row.uuid, import->kind);
        forget(import);
}

enum err sr_import_begin(struct sr *sr, const struct vdi_options *options, struct sr_import **ret,
                         struct err_note *note) {
        AUTO(sr_import_abort) struct sr_import *import = NULL;

        if (sr_begin_change(sr, note))
                return err_wrap(note, "begin an import");
        import = import_new(sr);
        import->kind = options->kind;
        if (sr_new_row(sr, options, &import->row, note) ||
            sr_new_disk(sr, &import->row.uuid, options, note) || open_chain(import, NULL, note))
                return err_wrap(note, "begin an import");
        *ret = TAKE(import);
        return ERR_NONE;
}

static enum err begin_onto(struct sr *sr, const struct uuid *uuid, uint64_t size, struct sr_import **ret,
                           struct err_note *note) {
        AUTO(sr_import_abort) struct sr_import *import = NULL;
        const struct vdi *vdi;
        const struct node *base;
        struct place_name base_name;
        struct uuid base_uuid;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "import onto", note) ||
            sr_need_vdi(sr, uuid, &vdi, note) || sr_vdi_need_replaceable(sr, vdi, "import onto", note))
                return note->code;
        if (size < vdi->node->size)
                return err_set(note, ERR_INVALID, "it has %llu bytes, and what is imported only %llu",
                               (unsigned long long)vdi->node->size, (unsigned long long)size);
        if (sr_fork_base(sr, uuid, &base_uuid, note) || sr_need_vdi(sr, uuid, &vdi, note))
                return note->code;
        base = tree_find(&sr->tree, &base_uuid);
        if (!base)
                return err_set(note, ERR_NOT_FOUND, "the base %s that was just made is gone",
                               uuid_format(&base_uuid).s);
        base_name = node_place_name(base);
        import = import_new(sr);
        import->kind = IMAGE_VHD;
        import->is_onto = true;
        vdi_row_copy(&vdi->row, &import->row);
        if (sr_new_child(sr, uuid, &base_name, base, size, note) || open_chain(import, base, note))
                return note->code;
        *ret = TAKE(import);
        return ERR_NONE;
}

enum err sr_import_begin_onto(struct sr *sr, const struct uuid *uuid, uint64_t size, struct sr_import **ret,
                              struct err_note *note) {
        if (begin_onto(sr, uuid, size, ret, note))
                return err_wrap(note, "begin an import onto VDI %s", uuid_format(uuid).s);
        return ERR_NONE;
}

/* The chain is durable. */
static enum err commit_onto(struct sr_import *import, struct err_note *note) {
        struct sr *sr = import->sr;
        const struct vdi *vdi;

        import->is_onto = false; /* from here on it is not in our own way */
        if (sr_begin_change(sr, note) || sr_need_vdi(sr, &import->row.uuid, &vdi, note) ||
            sr_vdi_need_replaceable(sr, vdi, "import onto", note))
                return note->code;
        return sr_vdi_replace(sr, vdi, &import->row, note);
}

static enum err commit(struct sr_import *import, struct err_note *note) {
        struct sr *sr = import->sr;
        bool is_onto = import->is_onto;
        enum err err = chain_close(TAKE(import->chain), note);

        if (!err)
                err = is_onto ? commit_onto(import, note) : sr_begin_change(sr, note);
        if (!err && !is_onto)
                err = sr_new_publish(sr, &import->row, import->kind, note);
        if (err && !sr->must_recover)
                sr_new_discard(sr, &import->row.uuid, import->kind);
        if (sr_refresh_after(sr, err, note))
                return note->code;
        return is_onto ? garbage_collect_quietly(sr, note) : ERR_NONE;
}

enum err sr_import_commit(struct sr_import *import, const struct uuid *stream, struct uuid *ret_vdi,
                          struct err_note *note) {
        enum err err;

        import->row.stream_uuid = *stream;
        err = commit(import, note);
        if (!err)
                *ret_vdi = import->row.uuid;
        forget(import);
        return err ? err_wrap(note, "end an import") : ERR_NONE;
}
