// SPDX-License-Identifier: Apache-2.0
#include "relink.h"

#include "claim.h"
#include "vhd_edit.h"
#include "vhd_relink.h"

struct heir {
        const struct node *node; /* borrowed */
        char *path;              /* owned */
        int64_t modified_seconds;
};

static void heir_fini(struct heir *heir) {
        free(heir->path);
}
DEFINE_AUTO_IN_PLACE(struct heir, heir_fini);

static enum err heir_fill(struct sr *sr, const struct node *node, struct heir *ret, struct err_note *note) {
        struct place_name name = node_place_name(node);
        struct io_stat stat;

        ret->node = node;
        ret->path = place_path(sr->place, &name);
        if (io_stat_path(sr->io, ret->path, &stat, note))
                return note->code;
        ret->modified_seconds = stat.modified_ns / 1000000000;
        return ERR_NONE;
}

static enum err heir_of(struct sr *sr, const struct tree *tree, const struct intent *intent, struct heir *ret,
                        struct err_note *note) {
        const struct node *node = tree_find(tree, &intent->other);

        if (!node)
                return err_set(note, ERR_NOT_FOUND,
                               "%s, which children are to be given as their parent, is gone",
                               uuid_format(&intent->other).s);
        return heir_fill(sr, node, ret, note);
}

static struct vhd_parent link_to(const struct heir *heir, const char *name_from) {
        return (struct vhd_parent){.path = heir->path,
                                   .name_from = name_from,
                                   .uuid = heir->node->footer_uuid,
                                   .is_raw = heir->node->kind == IMAGE_RAW,
                                   .modified_seconds = heir->modified_seconds};
}

/* link NULL: it needs no parent any more. */
static enum err relink_closed(struct sr *sr, const char *path, const struct vhd_parent *link,
                              struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, IO_WRITE, &file, note) || io_lock(file, IO_SHARED, note))
                return err_wrap(note, "open %s", path);
        return link ? vhd_edit_set_parent(sr->io, file, link, note) : vhd_edit_drop_parent(file, note);
}

static enum err relink_node(struct sr *sr, const struct node *child, const struct heir *heir,
                            struct err_note *note) {
        struct image *open = map_get(&sr->images.open, (struct map_key){child->device, child->inode});
        struct place_name name = node_place_name(child);
        AUTO_FREE char *path = place_path(sr->place, &name);
        struct vhd_parent link;

        if (!heir)
                return open ? vhd_unlink_image(open, note) : relink_closed(sr, path, NULL, note);
        link = link_to(heir, path);
        return open ? vhd_relink_image(open, &link, note) : relink_closed(sr, path, &link, note);
}

/* What is being imported lies under a temporary name, in no tree. */
static enum err relink_imports(struct sr *sr, const struct node *top, const struct heir *heir,
                               struct err_note *note) {
        VEC_EACH (&sr->imports, each) {
                struct chain *chain = sr_import_chain(*each);
                struct image *leaf = chain ? (struct image *)chain_layer(chain, 0) : NULL;
                struct vhd_parent link = link_to(heir, NULL);

                if (!leaf || !leaf->has_parent || leaf->parent_is_raw ||
                    !uuid_equal(&leaf->parent_uuid, &top->footer_uuid))
                        continue;
                if (vhd_relink_image(leaf, &link, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err relink_child(struct sr *sr, const struct intent *intent, bool *ret_did, struct err_note *note) {
        const struct node *top = tree_find(&sr->tree, &intent->vdi);
        AUTO(heir_fini) struct heir heir = {0};

        *ret_did = false;
        if (!top)
                return ERR_NONE;
        if (heir_of(sr, &sr->tree, intent, &heir, note))
                return note->code;
        *ret_did = top->first_child != NULL;
        if (!*ret_did)
                return relink_imports(sr, top, &heir, note);
        return relink_node(sr, top->first_child, &heir, note);
}

/* Of what was emptied. */
static bool is_going(const struct intent *intent, const struct node *node) {
        for (size_t i = 1; i < intent->nodes.n; i++)
                if (uuid_equal(&intent->nodes.data[i], &node->uuid) && node->is_hidden)
                        return true;
        return false;
}

/* Those that have their new parent already, too: nobody lived to sync them, perhaps. */
static enum err relink_children(struct sr *sr, const struct intent *intent, const struct node *parent,
                                const struct heir *heir, struct err_note *note) {
        for (const struct node *child = parent->first_child; child; child = child->next_sibling) {
                enum err err = is_going(intent, child) ? ERR_NONE : relink_node(sr, child, heir, note);

                /* One that was damaged meanwhile keeps its parent, which it names, and the SR its other
                 * disks. */
                if (err && err != ERR_CORRUPT)
                        return err;
        }
        return ERR_NONE;
}

static enum err relink_all(struct sr *sr, const struct intent *intent, struct err_note *note) {
        AUTO(tree_fini) struct tree tree = {0};
        AUTO(heir_fini) struct heir heir = {0};
        const struct node *top;

        if (tree_scan(sr->place, &tree, note))
                return note->code;
        top = tree_find(&tree, &intent->vdi);
        /* Gone meanwhile, by whatever hand: there is nothing to be finished. */
        if (!top || !tree_find(&tree, &intent->other))
                return ERR_NONE;
        if (heir_of(sr, &tree, intent, &heir, note))
                return note->code;
        if (relink_children(sr, intent, top, &heir, note) ||
            relink_children(sr, intent, heir.node, &heir, note))
                return note->code;
        return relink_imports(sr, top, &heir, note);
}

/* ---- after a pull ---- */

static enum err relink_top_in(struct sr *sr, const struct tree *tree, const struct intent *intent,
                              struct err_note *note) {
        const struct node *top = tree_find(tree, &intent->vdi), *lowest = tree_find(tree, &intent->other);
        AUTO(heir_fini) struct heir heir = {0};

        /* Gone meanwhile, or damaged, by whatever hand: the top leads where it leads. */
        if (!top || !lowest || lowest->error.code)
                return ERR_NONE;
        if (!lowest->parent)
                return relink_node(sr, top, NULL, note);
        return heir_fill(sr, lowest->parent, &heir, note) ? note->code : relink_node(sr, top, &heir, note);
}

enum err relink_top(struct sr *sr, const struct intent *intent, struct err_note *note) {
        return relink_top_in(sr, &sr->tree, intent, note);
}

static enum err scan_and_relink_top(struct sr *sr, const struct intent *intent, struct err_note *note) {
        AUTO(tree_fini) struct tree tree = {0};
        enum err err = tree_scan(sr->place, &tree, note);

        if (!err)
                err = relink_top_in(sr, &tree, intent, note);
        /* One that was damaged meanwhile keeps its parent, which it names, and the SR its other disks. */
        return err == ERR_CORRUPT ? ERR_NONE : err;
}

/* ---- recovery of either ---- */

enum err relink_recover(struct sr *sr, const struct intent *intent, struct err_note *note) {
        bool is_pull = intent->kind == INTENT_RELINK_TOP;

        if (claim_mend(sr, intent, note) ||
            (is_pull ? scan_and_relink_top(sr, intent, note) : relink_all(sr, intent, note)))
                return err_wrap(note, "finish a coalesce");
        return sr_note_change(sr, NULL, NULL, &intent->uuid, note);
}
