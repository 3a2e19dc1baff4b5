// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdlib.h>

#include "history_sr.h"

enum { META_SIZE = 256 * 1024 };

struct model_vdi *model_vdi_find(struct world *w, const struct uuid *uuid) {
        VEC_EACH (&w->vdis, each)
                if (uuid_equal(&(*each)->uuid, uuid))
                        return *each;
        return NULL;
}

struct model_vdi *model_vdi_add(struct world *w, const struct model_vdi *vdi) {
        struct model_vdi *added = mem_new(struct model_vdi);

        *added = *vdi;
        *vec_add(&w->vdis) = added;
        return added;
}

void model_vdi_drop(struct world *w, struct model_vdi *vdi) {
        for (size_t i = 0; i < w->vdis.n; i++)
                if (w->vdis.data[i] == vdi) {
                        vec_remove_at(&w->vdis, i);
                        break;
                }
        model_fini(&vdi->disk);
        free(vdi);
}

void pending_end(struct world *w) {
        model_fini(&w->pending.vdi.disk);
        w->pending = (struct pending){0};
}

/* ---- which VDIs there are ---- */

static bool is_pending(const struct world *w, enum pending_kind kind, const struct uuid *uuid) {
        return w->pending.kind == kind && uuid_equal(&w->pending.vdi.uuid, uuid);
}

/* One that the model lacks: what a verb that did not return had made. */
static enum err take_new(struct world *w, const struct vdi *vdi, struct err_note *note) {
        struct model_vdi made = w->pending.vdi;

        if (w->pending.kind != PENDING_NEW || strcmp(vdi->row.name, made.name) != 0)
                return err_set(note, ERR_MISMATCH, "a VDI %s that nobody made", vdi->row.name);
        made.uuid = vdi->row.uuid;
        w->pending.vdi.disk = (struct model_disk){0};
        pending_end(w);
        (void)model_vdi_add(w, &made);
        return ERR_NONE;
}

static enum err check_row(struct world *w, const struct vdi *vdi, struct model_vdi *model,
                          struct err_note *note) {
        if (vdi->node->error.code)
                return err_set(note, ERR_MISMATCH, "VDI %s is broken: %s", model->name,
                               vdi->node->error.text);
        if (is_pending(w, PENDING_RENAME, &model->uuid) && strcmp(vdi->row.name, w->pending.vdi.name) == 0)
                memcpy(model->name, w->pending.vdi.name, VDI_NAME_SIZE);
        if (is_pending(w, PENDING_RESIZE, &model->uuid) && vdi->node->size == w->pending.size)
                model_grow(&model->disk, w->pending.size);
        if (strcmp(vdi->row.name, model->name) != 0)
                return err_set(note, ERR_MISMATCH, "VDI %s is named %s", model->name, vdi->row.name);
        if (vdi->row.is_snapshot != model->is_snapshot ||
            !uuid_equal(&vdi->row.snapshot_of, &model->snapshot_of))
                return err_set(note, ERR_MISMATCH, "VDI %s is a snapshot of another, or of none",
                               model->name);
        return ERR_NONE;
}

/* Whole: old or new, and nothing between. */
static enum err settle_revert(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = model_vdi_find(w, &w->pending.vdi.uuid);
        struct model_vdi *snapshot = model_vdi_find(w, &w->pending.snapshot);
        struct err_note unused;
        struct chain *chain;
        bool is_new;

        if (!vdi || !snapshot)
                return err_set(note, ERR_MISMATCH, "a VDI or snapshot of a revert is gone");
        if (sr_open_chain(w->sr, &vdi->uuid, CHAIN_READ, &chain, note))
                return note->code;
        is_new = history_look_at_all(chain, &snapshot->disk, MODEL_STRICT, &unused) == ERR_NONE;
        if (sr_close_chain(w->sr, chain, note))
                return note->code;
        if (is_new) {
                model_fini(&vdi->disk);
                model_copy(&snapshot->disk, &vdi->disk);
        }
        return ERR_NONE;
}

static enum err find_gone(struct world *w, struct err_note *note) {
        for (size_t i = w->vdis.n; i-- > 0;) {
                struct model_vdi *vdi = w->vdis.data[i];

                if (sr_get_vdi(w->sr, &vdi->uuid))
                        continue;
                if (!is_pending(w, PENDING_DELETE, &vdi->uuid))
                        return err_set(note, ERR_MISMATCH, "VDI %s is gone", vdi->name);
                model_vdi_drop(w, vdi);
        }
        return ERR_NONE;
}

enum err model_settle(struct world *w, struct err_note *note) {
        for (size_t i = 0; i < sr_n_vdis(w->sr); i++) {
                const struct vdi *vdi = sr_vdi_at(w->sr, i);
                struct model_vdi *model = model_vdi_find(w, &vdi->row.uuid);

                if (model ? check_row(w, vdi, model, note) : take_new(w, vdi, note))
                        return note->code;
        }
        if (find_gone(w, note) || (w->pending.kind == PENDING_REVERT && settle_revert(w, note)))
                return note->code;
        pending_end(w);
        return ERR_NONE;
}

/* ---- leases ---- */

static bool is_listed(const struct leases *leases, const struct uuid *lease) {
        VEC_EACH (&leases->list, each)
                if (uuid_equal(&each->uuid, lease))
                        return true;
        return false;
}

enum err model_settle_leases(struct world *w, struct err_note *note) {
        AUTO(leases_fini) struct leases leases = {0};

        if (sr_leases(w->sr, &leases, note))
                return note->code;
        VEC_EACH (&w->vdis, each) {
                struct uuid *lease = &(*each)->lease;

                if (uuid_is_null(lease) || is_listed(&leases, lease))
                        continue;
                if (!uuid_equal(lease, &w->ending))
                        return err_set(note, ERR_MISMATCH, "the lease of VDI %s is gone", (*each)->name);
                *lease = (struct uuid){0};
        }
        w->ending = (struct uuid){0};
        VEC_EACH (&leases.list, each) {
                struct model_vdi *vdi = model_vdi_find(w, &each->node);

                if (!vdi)
                        return err_set(note, ERR_MISMATCH, "a lease of no VDI");
                vdi->lease = each->uuid;
        }
        return ERR_NONE;
}

/* ---- what they read as ---- */

static enum err look_at_vdi(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        const struct vdi *found = sr_get_vdi(w->sr, &vdi->uuid);
        bool is_durable = found->is_read_only; /* a writer's open also mends what a growth left */
        struct chain *chain;
        enum err e;

        if (sr_open_chain(w->sr, &vdi->uuid, is_durable ? CHAIN_READ : CHAIN_WRITE, &chain, note))
                return err_wrap(note, "VDI %s", vdi->name);
        e = history_look_at_all(chain, &vdi->disk, is_durable ? MODEL_STRICT : MODEL_RESTARTED, note);
        if (e)
                sr_abandon_chain(w->sr, chain);
        else
                e = sr_close_chain(w->sr, chain, note);
        return e ? err_wrap(note, "VDI %s", vdi->name) : ERR_NONE;
}

enum err model_look_at_vdis(struct world *w, struct err_note *note) {
        VEC_EACH (&w->vdis, each)
                if (!(*each)->chain && look_at_vdi(w, *each, note))
                        return note->code;
        w->h->count.verified++;
        return ERR_NONE;
}

/* ---- files ---- */

/* What a coalesce emptied that then ended is a layer of open chains until these close. */
static bool is_open(struct world *w, const struct node *node) {
        return map_get(&w->sr->images.open, (struct map_key){node->device, node->inode});
}

static enum err check_node(struct world *w, const struct node *node, struct err_note *note) {
        uint64_t n_blocks = div_up(node->size, MODEL_BLOCK);

        if (node->is_hidden && node->n_children == 0 && !is_open(w, node))
                return err_set(note, ERR_MISMATCH, "%s is garbage that was not collected", node->name);
        /* What a trim let go of while it is open goes with the next flush. */
        if (!is_open(w, node) && node->allocated > META_SIZE + n_blocks * (MODEL_BLOCK + 8192))
                return err_set(note, ERR_MISMATCH, "%s takes %" PRIu64 " bytes", node->name, node->allocated);
        return ERR_NONE;
}

enum err model_list_files(struct world *w, struct buf *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(w->h->io, sr_where(w->sr), &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", sr_where(w->sr), *each);
                struct io_stat stat;

                if (io_stat_path(w->h->io, path, &stat, note))
                        return note->code;
                if (!stat.is_directory)
                        buf_print(ret, "%s %" PRIu64 " %" PRIu64 "\n", *each, stat.size, stat.inode);
        }
        return ERR_NONE;
}

static bool is_explained(const struct tree *tree, const char *name) {
        VEC_EACH (&tree->nodes, each)
                if (strcmp((*each)->name, name) == 0)
                        return true;
        return strcmp(name, ".catena") == 0;
}

enum err model_check_files(struct world *w, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};
        const struct tree *tree = sr_tree(w->sr);

        VEC_EACH (&tree->nodes, each)
                if (check_node(w, *each, note))
                        return note->code;
        if (io_list(w->h->io, sr_where(w->sr), &names, note))
                return note->code;
        VEC_EACH (&names.names, each)
                if (!is_explained(tree, *each))
                        return err_set(note, ERR_MISMATCH, "nothing explains the file %s", *each);
        if (w->vdis.n == 0 && tree->nodes.n > 0)
                return err_set(note, ERR_MISMATCH, "%zu files are left of no VDI", tree->nodes.n);
        return ERR_NONE;
}
