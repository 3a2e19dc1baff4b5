// SPDX-License-Identifier: Apache-2.0
#include "claim.h"

#include <stdarg.h>
#include <stdio.h>

#include "sr_resize.h"
#include "text.h"

struct claim {
        struct sr *sr;                  /* borrowed */
        const struct coalesce_run *run; /* borrowed */
        VEC(const struct node *) nodes; /* owned array; borrowed, of the tree; from the target up */
        struct leases leases;           /* owned */
};

static void claim_fini(struct claim *claim) {
        vec_fini(&claim->nodes);
        leases_fini(&claim->leases);
}
DEFINE_AUTO_IN_PLACE(struct claim, claim_fini);

const struct intent *claim_of(const struct sr *sr, const struct uuid *node) {
        VEC_EACH (&sr->unfinished.list, each) {
                if (intent_is_of_coalesce(each) && intent_names(each, node))
                        return each;
        }
        return NULL;
}

/* ---- which nodes ---- */

static enum err find_nodes(struct claim *claim, struct err_note *note) {
        const struct coalesce_run *run = claim->run;
        const struct node *node = tree_find(&claim->sr->tree, &run->top);

        if (run->n < 2)
                return err_set(note, ERR_INVALID, "a run has two nodes or more");
        for (unsigned i = 0; i < run->n && node; i++, node = node->parent) {
                *vec_add(&claim->nodes) = node;
                if (node->error.code) {
                        *note = node->error;
                        return note->code;
                }
        }
        if (claim->nodes.n == 0)
                return err_set(note, ERR_NOT_FOUND, "no node %s in SR %s", uuid_format(&run->top).s,
                               claim->sr->place->where);
        if (claim->nodes.n < run->n || !uuid_equal(&claim->nodes.data[run->n - 1]->uuid, &run->target))
                return err_set(note, ERR_INVALID, "node %s is not %u layers below %s",
                               uuid_format(&run->target).s, run->n - 1, uuid_format(&run->top).s);
        for (unsigned i = 0, j = run->n - 1; i < j; i++, j--) {
                const struct node *swap = claim->nodes.data[i];

                claim->nodes.data[i] = claim->nodes.data[j];
                claim->nodes.data[j] = swap;
        }
        return ERR_NONE;
}

/* ---- each by itself ---- */

static bool is_top(const struct claim *claim, const struct node *node) {
        return node == claim->nodes.data[claim->nodes.n - 1];
}

static bool is_leaf(const struct claim *claim, const struct node *node) {
        return claim->run->is_leaf && is_top(claim, node);
}

static enum err check_lease(struct claim *claim, const struct node *node, struct err_note *note) {
        VEC_EACH (&claim->leases.list, each) {
                if (uuid_equal(&each->node, &node->uuid))
                        return err_set(note, ERR_BUSY, "%s is leased by %s (%s)", node->name, each->holder,
                                       each->kind);
        }
        return ERR_NONE;
}

static enum err check_intents(struct claim *claim, const struct node *node, struct err_note *note) {
        VEC_EACH (&claim->sr->unfinished.list, each) {
                if (intent_names(each, &node->uuid))
                        return err_set(note, ERR_BUSY, "%s is %s", node->name,
                                       intent_is_of_coalesce(each)
                                               ? "being coalesced already"
                                               : "named by a change that is not finished");
        }
        return ERR_NONE;
}

/* A leaf may be written to while it is emptied: then one chain has it. */
static enum err check_open(struct claim *claim, const struct node *node, struct err_note *note) {
        VEC_EACH (&claim->sr->chains, each) {
                if (uuid_equal(&each->vdi, &node->uuid) &&
                    !(is_leaf(claim, node) && each->mode == CHAIN_WRITE))
                        return err_set(note, ERR_BUSY, "%s is open", node->name);
                /* It says that it holds what a failed sync lost; what is below it does hold it. */
                if (uuid_equal(&each->vdi, &node->uuid) &&
                    atomic_load(&chain_layer(each->chain, 0)->has_failed))
                        return err_set(note, ERR_BUSY,
                                       "%s is open, and a sync of it failed: it must be closed", node->name);
        }
        VEC_EACH (&claim->sr->imports, each) {
                if (sr_import_is_onto(*each, &node->uuid))
                        return err_set(note, ERR_BUSY, "%s is being imported onto", node->name);
        }
        return ERR_NONE;
}

static enum err check_hidden(struct claim *claim, const struct node *node, struct err_note *note) {
        if (is_leaf(claim, node)) {
                if (node->is_hidden || !sr_get_vdi(claim->sr, &node->uuid))
                        return err_set(note, ERR_INVALID, "%s is no VDI", node->name);
                return ERR_NONE;
        }
        if (!node->is_hidden || (node->kind == IMAGE_VHD && !node->is_hidden_in_both))
                return err_set(note, ERR_INVALID, "%s is not hidden: it is a VDI by itself", node->name);
        return ERR_NONE;
}

/* Imports that write to a file which names this node. */
static unsigned n_imports_onto(const struct sr *sr, const struct node *node) {
        unsigned n = 0;

        VEC_EACH (&sr->imports, each) {
                const struct chain *chain = sr_import_chain(*each);

                if (chain && chain_depth(chain) > 1 && chain_layer(chain, 1)->device == node->device &&
                    chain_layer(chain, 1)->inode == node->inode)
                        n++;
        }
        return n;
}

static enum err check_children(struct claim *claim, const struct node *node, struct err_note *note) {
        unsigned n = node->n_children;

        if (claim->sr->tree.n_unknown > 0)
                return err_set(note, ERR_BUSY, "%s is damaged and may be a child of %s: repair it first",
                               claim->sr->tree.unknown_name, node->name);
        if (is_leaf(claim, node) ? n > 0 && !claim->run->is_pull : n == 0)
                return err_set(note, ERR_INVALID, "%s has %s", node->name,
                               n ? "children: it is no leaf" : "no children: it is garbage");
        if (!is_top(claim, node) && n > 1)
                return err_set(note, ERR_INVALID, "%s has %u children", node->name, n);
        if (is_top(claim, node))
                n += n_imports_onto(claim->sr, node);
        if (node->n_claims != n)
                return err_set(note, ERR_BUSY, "%u files name %s as their parent, and %u of them are whole",
                               node->n_claims, node->name, n);
        return ERR_NONE;
}

static enum err check_file(struct claim *claim, const struct node *node, struct err_note *note) {
        bool is_target = node == claim->nodes.data[0] && !claim->run->is_pull;

        if (node->links > 1 || node->is_alias)
                return err_set(note, ERR_BUSY, "%s has another name", node->name);
        if (node->kind == IMAGE_RAW && !is_target)
                return err_set(note, ERR_UNSUPPORTED, "%s is raw: only what others are pushed into can be",
                               node->name);
        if (node->kind == IMAGE_RAW && claim->run->is_leaf)
                return err_set(note, ERR_UNSUPPORTED, "%s is raw, and cannot take the name of a VHD",
                               node->name);
        return ERR_NONE;
}

static enum err check_node(struct claim *claim, const struct node *node, struct err_note *note) {
        if (check_file(claim, node, note) || check_hidden(claim, node, note) ||
            check_children(claim, node, note) || check_intents(claim, node, note) ||
            check_lease(claim, node, note) || check_open(claim, node, note))
                return note->code;
        return ERR_NONE;
}

/* ---- all together ---- */

static enum err check_neighbour(struct claim *claim, const struct node *node, struct err_note *note) {
        if (!claim_of(claim->sr, &node->uuid))
                return ERR_NONE;
        return err_set(note, ERR_BUSY, "%s, next to the run, is being coalesced", node->name);
}

static enum err check_neighbours(struct claim *claim, struct err_note *note) {
        const struct node *target = claim->nodes.data[0], *top = claim->nodes.data[claim->nodes.n - 1];

        if (target->parent && check_neighbour(claim, target->parent, note))
                return note->code;
        for (const struct node *child = top->first_child; child; child = child->next_sibling)
                if (check_neighbour(claim, child, note))
                        return note->code;
        return ERR_NONE;
}

static enum err check_sizes(struct claim *claim, struct err_note *note) {
        const struct node *top = claim->nodes.data[claim->nodes.n - 1];

        VEC_EACH (&claim->nodes, each) {
                if ((*each)->size > top->size)
                        return err_set(note, ERR_UNSUPPORTED, "%s, %s, is larger than %s above it, %s",
                                       (*each)->name, text_size((*each)->size).s, top->name,
                                       text_size(top->size).s);
                if ((*each)->size == top->size)
                        continue;
                for (const struct node *below = (*each)->parent; below; below = below->parent)
                        if (below->size > (*each)->size)
                                return err_set(note, ERR_UNSUPPORTED,
                                               "%s would have to grow, and %s below it is larger: what it "
                                               "holds there would show",
                                               (*each)->name, below->name);
        }
        return ERR_NONE;
}

enum err claim_check(struct sr *sr, const struct coalesce_run *run, struct intent *ret,
                     struct err_note *note) {
        AUTO(claim_fini) struct claim claim = {.sr = sr, .run = run};

        if (catalog_leases(sr->catalog, &claim.leases, note) || find_nodes(&claim, note))
                return note->code;
        VEC_EACH (&claim.nodes, each) {
                if (check_node(&claim, *each, note))
                        return note->code;
        }
        if (check_neighbours(&claim, note) || check_sizes(&claim, note))
                return note->code;
        *ret = (struct intent){.uuid = sr_fresh_uuid(sr),
                               .kind = run->is_pull ? INTENT_PULL : INTENT_COALESCE,
                               .vdi = run->top,
                               .vdi_kind = IMAGE_VHD,
                               .other = run->target};
        VEC_EACH (&claim.nodes, each) {
                *vec_add(&ret->nodes) = (*each)->uuid;
        }
        return ERR_NONE;
}

/* ---- after it ---- */

/* A VDI's footers are mended when it is opened to be written; nobody opens a hidden one. */
static enum err mend_top(struct sr *sr, const struct intent *intent, struct err_note *note) {
        AUTO(tree_fini) struct tree tree = {0};
        const struct node *top;
        struct place_name name;
        enum err err;

        if (tree_scan(sr->place, &tree, note))
                return note->code;
        top = tree_find(&tree, &intent->vdi);
        if (!top || !top->is_hidden)
                return ERR_NONE;
        name = node_place_name(top);
        err = place_set_hidden(sr->place, &name, true, note);
        return err == ERR_CORRUPT ? ERR_NONE : err;
}

/* What a guest wrote while the run moved lies in any of its nodes.  Whoever opens the disk anew syncs its
 * leaf alone: after a kill what is seen of the others must not go with the next crash. */
static enum err sync_run(struct sr *sr, const struct intent *intent, struct err_note *note) {
        VEC_EACH (&intent->nodes, each) {
                struct place_name name = place_name_of(each, IMAGE_VHD);
                AUTO_FREE char *path = place_path(sr->place, &name);
                AUTO(io_close) struct io_file *file = NULL;
                enum err err = io_open(sr->io, path, IO_WRITE, &file, note);

                if (err == ERR_NOT_FOUND)
                        continue; /* taken out, or raw: no leaf's run has one */
                if (err || io_sync(file, note))
                        return err_wrap(note, "sync %s", path);
        }
        return ERR_NONE;
}

enum err claim_mend(struct sr *sr, const struct intent *intent, struct err_note *note) {
        struct place_name name = place_name_of(&intent->other, IMAGE_VHD);
        struct io_stat stat;
        bool is_there;
        enum err err;

        if (sync_run(sr, intent, note))
                return note->code;
        if (intent->kind == INTENT_PULL || intent->kind == INTENT_RELINK_TOP)
                return mend_top(sr, intent, note);
        if (place_find(sr->place, &name, &is_there, &stat, note))
                return note->code;
        err = is_there ? place_set_hidden(sr->place, &name, true, note) : ERR_NONE;
        /* One that was damaged meanwhile is its own tree's trouble, not the SR's. */
        return err == ERR_CORRUPT ? ERR_NONE : err;
}

enum err claim_recover(struct sr *sr, const struct intent *intent, struct err_note *note) {
        if (claim_mend(sr, intent, note))
                return note->code;
        return sr_note_change(sr, NULL, NULL, &intent->uuid, note);
}

/* ---- sizes ---- */

/* NULL: nobody has it open. */
static const struct image *image_of(const struct sr *sr, const struct node *node) {
        return map_get(&sr->images.open, (struct map_key){node->device, node->inode});
}

static enum err grow_node(struct sr *sr, const struct node *node, uint64_t size, struct err_note *note) {
        /* Its blocks may have to make room for a larger table, under the maps of chains that read them. */
        if (image_of(sr, node))
                return err_set(note, ERR_BUSY,
                               "%s must be grown from %s to %s first, and is read by a disk that is open",
                               node->name, text_size(node->size).s, text_size(size).s);
        return sr_resize_node(sr, node, size, note);
}

static bool passes(const struct sr_open_chain *open, const void *image) {
        return chain_passes(open->chain, image);
}

static bool can_all_step_aside(const struct sr *sr, const struct image *image) {
        VEC_EACH (&sr->chains, each) {
                if (passes(each, image) && !each->opener.step_aside)
                        return false;
        }
        return true;
}

enum err claim_ask_aside(struct sr *sr, const struct intent *intent, struct sr_aside *aside,
                         struct err_note *note) {
        uint64_t size = tree_find(&sr->tree, &intent->vdi)->size;

        for (unsigned asks = 0; asks < 2; asks++) {
                VEC_EACH (&intent->nodes, each) {
                        const struct node *node = tree_find(&sr->tree, each);
                        const struct image *image = image_of(sr, node);

                        if (node->size == size || !image)
                                continue;
                        if (!asks && !can_all_step_aside(sr, image))
                                return ERR_NONE;
                        if (asks && sr_ask_aside(sr, passes, image, aside, note))
                                return note->code;
                }
        }
        return ERR_NONE;
}

enum err claim_grow(struct sr *sr, const struct intent *intent, bool *ret_did_grow, struct err_note *note) {
        uint64_t size = tree_find(&sr->tree, &intent->vdi)->size;

        *ret_did_grow = false;
        VEC_EACH (&intent->nodes, each) {
                const struct node *node = tree_find(&sr->tree, each);

                if (node->size == size)
                        continue;
                *ret_did_grow = true;
                if (grow_node(sr, node, size, note))
                        return note->code;
        }
        return ERR_NONE;
}
