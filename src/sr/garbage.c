// SPDX-License-Identifier: Apache-2.0
#include "garbage.h"

#include <stdarg.h>
#include <stdio.h>

#include "adopt.h"
#include "changes.h"
#include "coalesce.h"
#include "vhd_meta.h"

struct collection {
        struct sr *sr;              /* borrowed */
        struct leases leases;       /* owned */
        struct sr_notices *waiting; /* borrowed; or NULL */
        struct map settled;         /* uuid -> node, borrowed: gone, or known not to go */
        VEC(struct node *) going;   /* owned array; borrowed, of the tree: unlinked, not yet durably */
        unsigned n;
        uint64_t bytes;
};

static void collection_fini(struct collection *collection) {
        leases_fini(&collection->leases);
        map_fini(&collection->settled);
        vec_fini(&collection->going);
}
DEFINE_AUTO_IN_PLACE(struct collection, collection_fini);

static void say_waiting(struct collection *collection, const struct node *node, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
static void say_waiting(struct collection *collection, const struct node *node, const char *fmt, ...) {
        struct sr_notice *notice;
        va_list args;

        if (!collection->waiting)
                return;
        notice = vec_add(&collection->waiting->list);
        notice->uuid = node->uuid;
        va_start(args, fmt);
        (void)vsnprintf(notice->text, sizeof notice->text, fmt, args);
        va_end(args);
}

/* ---- may it go? ---- */

static bool is_leased(struct collection *collection, const struct node *node) {
        VEC_EACH (&collection->leases.list, each) {
                if (!uuid_equal(&each->node, &node->uuid))
                        continue;
                say_waiting(collection, node, "leased by %s (%s)", each->holder, each->kind);
                return true;
        }
        return false;
}

static bool is_named_by_intent(struct collection *collection, const struct node *node) {
        VEC_EACH (&collection->sr->unfinished.list, each) {
                if (!intent_names(each, &node->uuid))
                        continue;
                say_waiting(collection, node, "%s",
                            intent_is_of_coalesce(each) ? "being coalesced"
                                                        : "a change that names it is not finished");
                return true;
        }
        return false;
}

static bool is_free(struct collection *collection, const struct node *node) {
        struct sr *sr = collection->sr;

        if (node->error.code) {
                say_waiting(collection, node, "not deleted while its chain is broken: %s", node->error.text);
                return false;
        }
        if (node->links > 1) {
                say_waiting(collection, node, "its file has another name");
                return false;
        }
        if (sr->tree.n_unknown > 0) {
                say_waiting(collection, node,
                            "%s is damaged and may be its child: repair it, or take it away",
                            sr->tree.unknown_name);
                return false;
        }
        /* Before "open": what is claimed is also open. */
        if (is_named_by_intent(collection, node))
                return false;
        if (map_get(&sr->images.open, (struct map_key){node->device, node->inode})) {
                say_waiting(collection, node, "open");
                return false;
        }
        return !is_leased(collection, node);
}

/* ---- it goes ---- */

/* Looked at again under the lock: what is deleted must be what was judged. */
static enum err check_file(const struct node *node, struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;
        struct io_stat stat;

        if (io_lock(file, IO_EXCLUSIVE, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.device != node->device || stat.inode != node->inode || stat.links != 1)
                return err_set(note, ERR_BUSY, "%s was changed meanwhile", node->name);
        if (node->kind == IMAGE_RAW)
                return ERR_NONE;
        if (vhd_meta_read_footers(file, 0, &meta, note))
                return note->code;
        if (meta.copy_state == VHD_PART_VALID && meta.end_state == VHD_PART_VALID && meta.footer.is_hidden)
                return ERR_NONE;
        return err_set(note, ERR_BUSY, "%s is not hidden in both footers", node->name);
}

static enum err remove_node(struct collection *collection, struct node *node, struct err_note *note) {
        struct sr *sr = collection->sr;
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;
        enum err err;

        /* A hide that was cut short between the two footers: finished first. */
        if (!node->is_hidden_in_both && place_set_hidden(sr->place, &name, true, note))
                return note->code;
        if (io_open(sr->io, path, IO_WRITE, &file, note))
                return note->code;
        err = check_file(node, file, note);
        if (err)
                return err;
        return place_remove(sr->place, &name, note);
}

static enum err check_empty(const struct node *node, struct io_file *file, struct err_note *note) {
        struct vhd_meta meta;
        bool is_empty;

        if (vhd_meta_read(file, 0, &meta, note) || sr_file_is_empty(file, &meta, &is_empty, note))
                return note->code;
        return is_empty ? ERR_NONE : err_set(note, ERR_BUSY, "%s holds blocks still", node->name);
}

static enum err remove_unread(struct sr *sr, const struct node *node, bool must_be_empty,
                              struct err_note *note) {
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, IO_WRITE, &file, note) || check_file(node, file, note) ||
            (must_be_empty && check_empty(node, file, note)))
                return err_wrap(note, "remove %s", node->name);
        return place_remove(sr->place, &name, note);
}

enum err garbage_remove_emptied(struct sr *sr, const struct node *node, struct err_note *note) {
        return remove_unread(sr, node, true, note);
}

enum err garbage_remove_pulled(struct sr *sr, const struct node *node, struct err_note *note) {
        return remove_unread(sr, node, false, note);
}

static enum err try_remove(struct collection *collection, struct node *node, struct err_note *note) {
        enum err err = remove_node(collection, node, note);

        if (err == ERR_BUSY || err == ERR_CORRUPT || err == ERR_NOT_FOUND) {
                say_waiting(collection, node, "%s", note->text);
                return ERR_NONE;
        }
        if (err)
                return err_wrap(note, "remove %s", node->name);
        *vec_add(&collection->going) = node;
        collection->n++;
        collection->bytes += node->allocated;
        return ERR_NONE;
}

/* The names are gone durably: what they named has a claim less. */
static enum err settle(struct collection *collection, struct err_note *note) {
        struct sr *sr = collection->sr;
        AUTO(store_abort) struct store_change *change = NULL;

        if (sr_sync_names(sr, note))
                return note->code;
        VEC_EACH (&collection->going, each) {
                VEC_EACH (&(*each)->claims, claimed) {
                        (*claimed)->n_claims--;
                }
                if ((*each)->kind == IMAGE_RAW && !change && catalog_begin(sr->catalog, &change, note))
                        return note->code;
                if ((*each)->kind == IMAGE_RAW && catalog_set_hidden(change, &(*each)->uuid, false, note))
                        return note->code;
        }
        collection->going.n = 0;
        return change ? store_commit(TAKE(change), note) : ERR_NONE;
}

/* All that nothing names now. */
static enum err collect_layer(struct collection *collection, struct err_note *note) {
        VEC_EACH (&collection->sr->tree.nodes, each) {
                struct map_key key = map_key_u64((uint64_t)(uintptr_t)*each);

                /* A raw node that others are made upon is hidden, but whether it may go only the catalog
                 * says. */
                bool is_hidden = (*each)->kind == IMAGE_RAW ? (*each)->is_hidden_in_both : (*each)->is_hidden;

                if (!is_hidden || (*each)->n_claims > 0 || map_get(&collection->settled, key))
                        continue;
                map_put(&collection->settled, key, *each);
                if (is_free(collection, *each) && try_remove(collection, *each, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err collect(struct sr *sr, unsigned *n, uint64_t *bytes, struct sr_notices *waiting,
                        struct err_note *note) {
        AUTO(collection_fini) struct collection collection = {.sr = sr, .waiting = waiting};
        enum err err;

        if (catalog_leases(sr->catalog, &collection.leases, note))
                return note->code;
        do {
                err = collect_layer(&collection, note);
                if (!err && collection.going.n == 0)
                        break;
                if (!err)
                        err = settle(&collection, note);
        } while (!err);
        if ((err || collection.n) && sr_refresh_after(sr, err, note))
                return note->code;
        *n += collection.n;
        *bytes += collection.bytes;
        return ERR_NONE;
}

enum err garbage_collect(struct sr *sr, unsigned *ret_n, uint64_t *ret_bytes, struct sr_notices *waiting,
                         struct err_note *note) {
        size_t n_waiting = waiting ? waiting->list.n : 0;
        bool is_more = true;

        *ret_n = 0;
        *ret_bytes = 0;
        /* What was above a run may be gone now: then the run goes too, and its coalesce has nothing to do. */
        while (is_more) {
                if (waiting)
                        waiting->list.n = n_waiting;
                if (collect(sr, ret_n, ret_bytes, waiting, note) || coalesce_end_unneeded(sr, &is_more, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err garbage_collect_quietly(struct sr *sr, struct err_note *note) {
        unsigned n;
        uint64_t bytes;

        return garbage_collect(sr, &n, &bytes, NULL, note);
}

enum err sr_garbage(struct sr *sr, unsigned *ret_n, uint64_t *ret_bytes, struct sr_notices *waiting,
                    struct err_note *note) {
        bool did_change;

        if (sr_begin_change(sr, note) || sr_refresh(sr, note) || adopt_collect_old(sr, &did_change, note) ||
            (did_change && sr_refresh(sr, note)) || changes_settle(sr, NULL, note) ||
            garbage_collect(sr, ret_n, ret_bytes, waiting, note))
                return err_wrap(note, "delete garbage of SR %s", sr->place->where);
        return ERR_NONE;
}
