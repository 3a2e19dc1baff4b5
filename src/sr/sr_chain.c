// SPDX-License-Identifier: Apache-2.0
/* Chains of VDIs, and who has which open. */
#include "coalesce.h"
#include "logbook.h"
#include "sr_move.h"
#include "sr_state.h"

static enum err need_unwanted(const struct sr_open_chain *open, const struct vdi *vdi, const char *verb,
                              struct err_note *note) {
        char who[ERR_TEXT_SIZE / 2] = "";

        if (!open->opener.is_wanted)
                return err_set(note, ERR_BUSY, "VDI %s is open for %s: close it before you %s it",
                               vdi->row.name, open->mode == CHAIN_WRITE ? "writing" : "reading", verb);
        if (open->opener.is_wanted(open->opener.user, who, sizeof who))
                return err_set(note, ERR_BUSY, "VDI %s is in use: %s; disconnect before you %s it",
                               vdi->row.name, who, verb);
        return ERR_NONE;
}

static bool can_follow(const struct sr_open_chain *open, const struct sr *to) {
        return to && open->opener.step_over && open->opener.may_follow(open->opener.user, to);
}

enum err sr_need_closed(struct sr *sr, const struct vdi *vdi, const char *verb, struct err_note *note) {
        return sr_need_closed_but(sr, vdi, verb, NULL, note);
}

enum err sr_need_closed_but(struct sr *sr, const struct vdi *vdi, const char *verb, const struct sr *to,
                            struct err_note *note) {
        for (size_t i = sr->chains.n; i-- > 0;) {
                const struct sr_open_chain open = sr->chains.data[i];

                if (uuid_equal(&open.vdi, &vdi->row.uuid) && !can_follow(&open, to) &&
                    need_unwanted(&open, vdi, verb, note))
                        return note->code;
        }
        VEC_EACH (&sr->imports, each) {
                if (sr_import_is_onto(*each, &vdi->row.uuid))
                        return err_set(note, ERR_BUSY,
                                       "VDI %s is being imported onto: wait for that before you %s it",
                                       vdi->row.name, verb);
        }
        return ERR_NONE;
}

enum err sr_vdi_need_closed(struct sr *sr, const struct uuid *uuid, const char *verb, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_need_vdi(sr, uuid, &vdi, note))
                return note->code;
        return sr_need_closed(sr, vdi, verb, note);
}

/* From the first write on it is not what it gave out or took in last. */
static enum err forget_stream(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        struct vdi_row row;
        enum err err;

        if (uuid_is_null(&vdi->row.stream_uuid))
                return ERR_NONE;
        vdi_row_copy(&vdi->row, &row);
        row.stream_uuid = (struct uuid){0};
        err = sr_note_change(sr, &row, NULL, NULL, note);
        vdi_row_fini(&row);
        if (err == ERR_NONE)
                ((struct vdi *)vdi)->row.stream_uuid = (struct uuid){0};
        return err;
}

static enum err prepare_write(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        if (vdi->row.is_snapshot)
                return err_set(note, ERR_READ_ONLY, "VDI %s is a snapshot: clone it, or revert its VDI to it",
                               vdi->row.name);
        if (vdi->is_read_only)
                return err_set(note, ERR_READ_ONLY,
                               "VDI %s has children that read through it: snapshot or clone it",
                               vdi->row.name);
        if (vdi->node->is_alias)
                return err_set(note, ERR_BUSY,
                               "%s is one of two names of the same file: find out which to remove",
                               vdi->node->name);
        if (sr_need_closed(sr, vdi, "write", note) || logbook_drop_stale(sr, vdi, note))
                return note->code;
        return forget_stream(sr, vdi, note);
}

enum err sr_check_layers(const struct chain *chain, unsigned first, const struct node *node,
                         struct err_note *note) {
        for (unsigned i = first; i < chain_depth(chain); i++, node = node->parent) {
                const struct image *layer = chain_layer(chain, i);

                if (!node || layer->device != node->device || layer->inode != node->inode)
                        return err_set(
                                note, ERR_MISMATCH,
                                "%s is not %s%s: a locator above it leads out of the SR, or it was replaced",
                                layer->path, node ? "the node " : "a node of this SR",
                                node ? node->name : "");
        }
        return ERR_NONE;
}

static bool is_in_change(const struct sr *sr, const struct uuid *vdi) {
        VEC_EACH (&sr->unfinished.list, each) {
                if (intent_names(each, vdi))
                        return true;
        }
        return false;
}

/* Whoever reads a disk holds its files: a change of it that was cut short could not be finished until he has
 * gone, and with it no other change of the SR. */
static enum err finish_changes(struct sr *sr, const struct uuid *vdi, enum chain_mode mode,
                               struct err_note *note) {
        if (mode == CHAIN_WRITE)
                return sr_begin_change(sr, note);
        if (sr->must_recover && sr_begin_change(sr, note) && is_in_change(sr, vdi))
                return note->code;
        return ERR_NONE;
}

enum err sr_open_layers(struct sr *sr, const struct vdi *vdi, enum chain_mode mode, struct chain **ret,
                        struct err_note *note) {
        struct place_name name = node_place_name(vdi->node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(chain_abandon) struct chain *chain = NULL;

        if (chain_open(&sr->images, path, mode, &chain, note) || sr_check_layers(chain, 0, vdi->node, note))
                return note->code;
        *vec_add(&sr->chains) = (struct sr_open_chain){.vdi = vdi->row.uuid, .mode = mode, .chain = chain};
        ((struct vdi *)vdi)->is_open = true;
        *ret = TAKE(chain);
        return ERR_NONE;
}

enum err sr_open_chain(struct sr *sr, const struct uuid *uuid, enum chain_mode mode, struct chain **ret,
                       struct err_note *note) {
        const struct vdi *vdi;

        if (finish_changes(sr, uuid, mode, note) || sr_move_need_here(sr, uuid, note) ||
            coalesce_make_way(sr, uuid, "open", note) || sr_need_vdi(sr, uuid, &vdi, note) ||
            (mode == CHAIN_WRITE && prepare_write(sr, vdi, note)) || sr_open_layers(sr, vdi, mode, ret, note))
                return err_wrap(note, "open VDI %s", uuid_format(uuid).s);
        return ERR_NONE;
}

enum err sr_share_chain(struct sr *sr, const struct uuid *vdi, struct chain **ret, struct err_note *note) {
        VEC_EACH (&sr->chains, each) {
                if (!each->is_shared || !uuid_equal(&each->vdi, vdi))
                        continue;
                each->n_more++;
                *ret = each->chain;
                return ERR_NONE;
        }
        if (sr_open_chain(sr, vdi, CHAIN_READ, ret, note))
                return note->code;
        sr->chains.data[sr->chains.n - 1].is_shared = true;
        return ERR_NONE;
}

bool sr_is_written(const struct sr *sr, const struct uuid *vdi) {
        return sr_writer_of((struct sr *)sr, vdi) != NULL;
}

void sr_set_opener(struct sr *sr, struct chain *chain, const struct sr_opener *opener) {
        VEC_EACH (&sr->chains, each) {
                if (each->chain == chain)
                        each->opener = *opener;
        }
}

enum err sr_ask_aside(struct sr *sr, bool (*has)(const struct sr_open_chain *, const void *what),
                      const void *what, struct sr_aside *aside, struct err_note *note) {
        for (size_t i = sr->chains.n; i-- > 0;) {
                const struct sr_open_chain open = sr->chains.data[i];

                if (!open.opener.step_aside || !has(&open, what))
                        continue;
                if (open.opener.step_aside(open.opener.user, note))
                        return note->code;
                *vec_add(&aside->all) = open.opener;
        }
        return ERR_NONE;
}

void sr_step_back(struct sr_aside *aside) {
        VEC_EACH (&aside->all, each)
                each->step_back(each->user);
        vec_fini(&aside->all);
}

static void forget_chain(struct sr *sr, const struct chain *chain) {
        struct latency_counts latency;
        struct uuid uuid = {0};
        bool is_open = false;

        for (size_t i = 0; i < sr->chains.n; i++) {
                if (sr->chains.data[i].chain != chain)
                        continue;
                uuid = sr->chains.data[i].vdi;
                chain_latency(chain, &latency);
                latency_counts_add(&sr->latency, &latency);
                vec_remove_at(&sr->chains, i);
                break;
        }
        VEC_EACH (&sr->chains, each) {
                is_open |= uuid_equal(&each->vdi, &uuid);
        }
        VEC_EACH (&sr->vdis, each) {
                if (uuid_equal(&each->row.uuid, &uuid))
                        each->is_open = is_open;
        }
}

/* A coalesce that works on its leaf ends first. */
static void end_live_coalesce(struct sr *sr, const struct chain *chain) {
        struct err_note unused;

        for (size_t i = 0; i < sr->chains.n; i++)
                if (sr->chains.data[i].chain == chain) {
                        struct uuid vdi = sr->chains.data[i].vdi;

                        (void)!coalesce_make_way(sr, &vdi, "close", &unused);
                        return;
                }
}

/* Whether others have it yet. */
static bool leave_shared(struct sr *sr, const struct chain *chain) {
        VEC_EACH (&sr->chains, each) {
                if (each->chain == chain && each->n_more > 0) {
                        each->n_more--;
                        return true;
                }
        }
        return false;
}

enum err sr_close_chain(struct sr *sr, struct chain *chain, struct err_note *note) {
        if (leave_shared(sr, chain))
                return ERR_NONE;
        end_live_coalesce(sr, chain);
        forget_chain(sr, chain);
        return chain_close(chain, note);
}

void sr_abandon_chain(struct sr *sr, struct chain *chain) {
        end_live_coalesce(sr, chain);
        forget_chain(sr, chain);
        chain_abandon(chain);
}

void sr_latency(const struct sr *sr, struct latency_counts *ret) {
        *ret = sr->latency;
        VEC_EACH (&sr->chains, each) {
                struct latency_counts latency;

                chain_latency(each->chain, &latency);
                latency_counts_add(ret, &latency);
        }
}

enum err sr_vdi_set_stream(struct sr *sr, const struct uuid *uuid, const struct uuid *stream,
                           struct err_note *note) {
        const struct vdi *vdi;
        struct vdi_row row;
        enum err err;

        if (sr_begin_change(sr, note) || sr_need_vdi(sr, uuid, &vdi, note))
                return note->code;
        if (sr_writer_of(sr, uuid) || uuid_equal(&vdi->row.stream_uuid, stream))
                return ERR_NONE;
        vdi_row_copy(&vdi->row, &row);
        row.stream_uuid = *stream;
        err = sr_note_change(sr, &row, NULL, NULL, note);
        vdi_row_fini(&row);
        if (err)
                return err_wrap(note, "remember what VDI %s gave out", vdi->row.name);
        ((struct vdi *)vdi)->row.stream_uuid = *stream;
        return ERR_NONE;
}
