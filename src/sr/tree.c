// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "map.h"
#include "parent_search.h"
#include "vhd_meta.h"

/* A parent as a file names it; of the names that exist the first is followed, all are claims. */
struct claim {
        struct place_name name;
        struct uuid footer_uuid; /* a claim by uuid alone; null: by name */
        bool is_first;           /* the first that a reader would find, if it exists */
};

struct claims {
        VEC(struct claim) list; /* owned */
        struct buf tried;       /* owned; all names as they are written, for messages */
        bool is_unknown;        /* it has a parent, and nobody can tell which */
};

struct scanned {
        struct node *node; /* borrowed; NULL: a temporary file or a mark */
        struct claims claims;
        char *name; /* owned; of the file */
};

struct scan {
        struct place *place;       /* borrowed */
        struct tree *tree;         /* borrowed */
        VEC(struct scanned) files; /* owned, and what each holds */
};

static void claims_fini(struct claims *claims) {
        vec_fini(&claims->list);
        buf_fini(&claims->tried);
        *claims = (struct claims){0};
}

static void scan_fini(struct scan *scan) {
        VEC_EACH (&scan->files, each) {
                claims_fini(&each->claims);
                free(each->name);
        }
        vec_fini(&scan->files);
}
DEFINE_AUTO_IN_PLACE(struct scan, scan_fini);

/* ---- what one file says ---- */

static void add_claim(struct scan *scan, struct claims *claims, const char *path) {
        struct place_name name;

        buf_print(&claims->tried, "%s%s", claims->tried.n ? ", " : "", path);
        if (place_parse(scan->place, path, &name) && !name.is_new)
                vec_add(&claims->list)->name = name;
}

static void add_locator_claim(struct scan *scan, struct io_file *file, const struct vhd_locator *locator,
                              struct claims *claims) {
        AUTO_FREE char *path = NULL;

        if (parent_search_locator(file, locator, &path))
                add_claim(scan, claims, path);
}

static void add_header_claims(struct scan *scan, struct io_file *file, const struct vhd_header *header,
                              struct claims *claims) {
        AUTO_FREE char *name = NULL;
        struct err_note unused;

        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                add_locator_claim(scan, file, &header->locator[i], claims);
        if (vhd_header_name(header, &name, &unused) == ERR_NONE && *name)
                add_claim(scan, claims, name);
}

/* Whatever can still be seen of the parent of a file that is damaged: nothing of this is followed, but what
 * it may point at is not garbage. */
static void add_damaged_claims(struct scan *scan, struct io_file *file, struct claims *claims) {
        struct vhd_meta meta = {0};
        struct vhd_header_disk disk;
        struct err_note why;
        bool is_footer_valid = vhd_meta_read_footers(file, VHD_META_REPAIR, &meta, &why) == ERR_NONE;
        uint64_t at = is_footer_valid ? meta.footer.data_offset : VHD_HEADER_AT;
        enum err err;

        if (is_footer_valid && meta.footer.type != VHD_DIFFERENCING)
                return;
        err = io_read(file, &disk, sizeof disk, at, &why);
        if (err == ERR_NONE && memcmp(disk.cookie, "cxsparse", sizeof disk.cookie) == 0) {
                struct vhd_header header;

                vhd_header_salvage(&disk, &header);
                add_header_claims(scan, file, &header, claims);
                vec_add(&claims->list)->footer_uuid = header.parent_uuid;
                return;
        }
        /* No footer and no header: not a VHD at all, and nobody's child.  Else it has a parent that is not
         * told. */
        claims->is_unknown = is_footer_valid || (err && err != ERR_CUT_SHORT);
}

static enum err read_vhd(struct scan *scan, struct io_file *file, struct node *node, struct claims *claims,
                         struct err_note *note) {
        struct vhd_meta meta;

        if (vhd_meta_read_footers(file, 0, &meta, note))
                return note->code;
        node->size = meta.footer.size_bytes;
        node->footer_uuid = meta.footer.uuid;
        node->is_hidden = meta.footer.is_hidden;
        node->footers_differ = meta.copy_state == VHD_PART_DIFFERS;
        node->is_hidden_in_both =
                node->is_hidden && meta.copy_state == VHD_PART_VALID && meta.end_state == VHD_PART_VALID;
        if (meta.footer.type != VHD_FIXED && vhd_meta_read_header(file, &meta, note))
                return note->code;
        if (meta.footer.is_poisoned)
                return err_set(note, ERR_CORRUPT, "a resize by another tool was cut short (v_poison)");
        if (meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        node->has_parent = true;
        node->parent_is_raw = vhd_header_has_raw_parent(&meta.header, meta.footer.type);
        node->parent_footer_uuid = meta.header.parent_uuid;
        add_header_claims(scan, file, &meta.header, claims);
        return ERR_NONE;
}

static enum err read_node(struct scan *scan, const char *path, struct node *node, struct claims *claims,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(scan->place->io, path, IO_READ, &file, note) || io_stat(file, &stat, note)) {
                claims->is_unknown = note->code != ERR_NOT_FOUND;
                return note->code;
        }
        node->device = stat.device;
        node->inode = stat.inode;
        node->links = stat.links;
        node->file_size = stat.size;
        node->allocated = stat.allocated;
        node->modified_ns = stat.modified_ns;
        if (node->kind == IMAGE_RAW) {
                node->size = round_down(stat.size, SECTOR);
                return ERR_NONE;
        }
        if (read_vhd(scan, file, node, claims, note)) {
                add_damaged_claims(scan, file, claims);
                return note->code;
        }
        return ERR_NONE;
}

static void scan_node(struct scan *scan, const struct place_name *name) {
        AUTO_FREE char *path = place_path(scan->place, name);
        struct node *node = mem_new(struct node);
        struct scanned *scanned = vec_add(&scan->files);
        enum err err;

        node->uuid = name->uuid;
        node->kind = name->kind;
        node->name = mem_text(strrchr(path, '/') + 1);
        scanned->node = node;
        scanned->name = mem_text(node->name);
        err = read_node(scan, path, node, &scanned->claims, &node->error);
        if (err == ERR_IO) { /* it may pass, and what is said here is believed until the next scan */
                claims_fini(&scanned->claims);
                err = read_node(scan, path, node, &scanned->claims, &node->error);
        }
        if (err) {
                (void)err_wrap(&node->error, "%s", node->name);
                node->is_own_error = true;
        } else {
                node->error = (struct err_note){0};
        }
        *vec_add(&scan->tree->nodes) = node;
}

/* A file that is no node may be a child all the same: one that is being made, or that sm left. */
static void scan_claims_only(struct scan *scan, const char *path) {
        struct scanned *scanned = vec_add(&scan->files);
        struct node ignored = {.kind = IMAGE_VHD};
        struct err_note unused;

        scanned->name = mem_text(strrchr(path, '/') + 1);
        (void)!read_node(scan, path, &ignored, &scanned->claims, &unused);
}

/* ---- what they say together ---- */

static int compare_names(const struct uuid *a, enum image_kind a_kind, const struct uuid *b,
                         enum image_kind b_kind) {
        int order = uuid_compare(a, b);

        return order ? order : (int)a_kind - (int)b_kind;
}

static int compare_nodes(const void *a, const void *b) {
        const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

        return compare_names(&x->uuid, x->kind, &y->uuid, y->kind);
}

static struct node *find_name(const struct tree *tree, const struct place_name *name) {
        size_t low = 0, high = tree->nodes.n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                struct node *node = tree->nodes.data[mid];
                int order = compare_names(&name->uuid, name->kind, &node->uuid, node->kind);

                if (order == 0)
                        return node;
                if (order < 0)
                        high = mid;
                else
                        low = mid + 1;
        }
        return NULL;
}

struct named {
        VEC(struct node *) list; /* owned array; borrowed, of the tree */
};

static void count_claim(struct named *named, struct node *node) {
        VEC_EACH (&named->list, each) {
                if (*each == node)
                        return;
        }
        *vec_add(&named->list) = node;
        node->n_claims++;
}

/* Each node that a file names counts it once.  node is NULL for a file that is none. */
static void count_claims(struct tree *tree, struct node *node, const struct claims *claims) {
        struct named named = {0};

        VEC_EACH (&claims->list, each) {
                struct node *by_name = find_name(tree, &each->name);

                if (by_name)
                        count_claim(&named, by_name);
                if (uuid_is_null(&each->footer_uuid))
                        continue;
                VEC_EACH (&tree->nodes, other) {
                        if (uuid_equal(&(*other)->footer_uuid, &each->footer_uuid))
                                count_claim(&named, *other);
                }
        }
        VEC_EACH (&named.list, each) {
                if (node)
                        *vec_add(&node->claims) = *each;
        }
        vec_fini(&named.list);
}

static void fail(struct node *node, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void fail(struct node *node, enum err code, const char *fmt, ...) {
        AUTO_FREE char *text = NULL;
        va_list args;

        va_start(args, fmt);
        if (vasprintf(&text, fmt, args) < 0)
                text = NULL;
        va_end(args);
        (void)err_set(&node->error, code, "%s: %s", node->name, text ? text : "");
        node->is_own_error = true;
}

/* The first of the names that is there; but rather one that has the uuid too: a change of parents that was
 * cut short leaves the new one's path beside the old one's uuid and name. */
static struct node *named_parent(struct scan *scan, struct scanned *scanned) {
        const struct node *node = scanned->node;
        struct node *first = NULL;

        VEC_EACH (&scanned->claims.list, each) {
                struct node *found = find_name(scan->tree, &each->name);

                if (found && found->kind == IMAGE_VHD && !node->parent_is_raw &&
                    uuid_equal(&node->parent_footer_uuid, &found->footer_uuid))
                        return found;
                first = first ? first : found;
        }
        return first;
}

static void join(struct scan *scan, struct scanned *scanned) {
        struct node *node = scanned->node, *parent = named_parent(scan, scanned);

        if (!parent) {
                fail(node, ERR_NOT_FOUND, "its parent is missing: looked for %s in %s",
                     scanned->claims.tried.n ? buf_text(&scanned->claims.tried) : "no name at all",
                     scan->place->where);
                return;
        }
        if (node->parent_is_raw != (parent->kind == IMAGE_RAW)) {
                fail(node, ERR_MISMATCH, "was made for a %s parent, and %s is not one",
                     node->parent_is_raw ? "raw" : "VHD", parent->name);
                return;
        }
        /* A parent too damaged to say its uuid has an error of its own. */
        if (!node->parent_is_raw && !uuid_is_null(&parent->footer_uuid) &&
            !uuid_equal(&node->parent_footer_uuid, &parent->footer_uuid)) {
                fail(node, ERR_MISMATCH, "was made for a parent with uuid %s, and %s has %s",
                     uuid_format(&node->parent_footer_uuid).s, parent->name,
                     uuid_format(&parent->footer_uuid).s);
                return;
        }
        node->parent = parent;
        parent->n_children++;
}

/* From the root down, so that errors and depths come to all above: a node is done when its parent is.  Those
 * that are never done are their own ancestors. */
static void settle(struct node *node) {
        struct node *parent = node->parent;

        node->depth = 1;
        if (!parent)
                return;
        node->depth = parent->depth + 1;
        if (parent->error.code && !node->error.code) {
                node->error = parent->error;
                (void)err_wrap(&node->error, "%s", node->name);
        }
}

static void settle_all(struct tree *tree) {
        VEC(struct node *) path = {0};

        VEC_EACH (&tree->nodes, each) {
                struct node *node = *each;

                while (node && node->depth == 0 && path.n <= tree->nodes.n) {
                        *vec_add(&path) = node;
                        node = node->parent;
                }
                if (path.n > tree->nodes.n) {
                        /* It, and what lies above it, leads into a loop: cut here, so that each says so by
                         * itself. */
                        (*each)->parent->n_children--;
                        (*each)->parent = NULL;
                        fail(*each, ERR_MISMATCH, "is its own ancestor, or is made upon one that is");
                        (*each)->depth = 1;
                        path.n = 0;
                        continue;
                }
                while (path.n > 0)
                        settle(path.data[--path.n]);
        }
        vec_fini(&path);
        VEC_EACH (&tree->nodes, each) {
                if ((*each)->error.code)
                        (*each)->depth = 0;
        }
}

static void list_children(struct tree *tree) {
        for (size_t i = tree->nodes.n; i-- > 0;) {
                struct node *node = tree->nodes.data[i];

                if (!node->parent)
                        continue;
                node->next_sibling = node->parent->first_child;
                node->parent->first_child = node;
        }
}

static void find_aliases(struct tree *tree) {
        AUTO(map_fini) struct map by_inode = {0};

        VEC_EACH (&tree->nodes, each) {
                struct map_key key = {(*each)->device, (*each)->inode};
                struct node *other;

                if ((*each)->links < 2)
                        continue;
                other = map_get(&by_inode, key);
                if (other)
                        other->is_alias = (*each)->is_alias = true;
                else
                        map_put(&by_inode, key, *each);
        }
}

static void join_all(struct scan *scan) {
        struct tree *tree = scan->tree;

        if (tree->nodes.n)
                qsort(tree->nodes.data, tree->nodes.n, sizeof *tree->nodes.data, compare_nodes);
        for (size_t i = tree->nodes.n; i-- > 0;) /* of two kinds of one uuid the VHD is the one to find */
                map_put(&tree->by_uuid, map_key_uuid(&tree->nodes.data[i]->uuid), tree->nodes.data[i]);
        VEC_EACH (&scan->files, each) {
                count_claims(tree, each->node, &each->claims);
                if (each->claims.is_unknown && tree->n_unknown++ == 0)
                        (void)snprintf(tree->unknown_name, sizeof tree->unknown_name, "%s", each->name);
                if (each->node && each->node->has_parent && !each->node->is_own_error)
                        join(scan, each);
        }
        settle_all(tree);
        list_children(tree);
        find_aliases(tree);
        /* A raw disk that others are made upon cannot be written: it is a base, and has no footer to say so.
         */
        VEC_EACH (&tree->nodes, each) {
                if ((*each)->kind == IMAGE_RAW && (*each)->n_children > 0)
                        (*each)->is_hidden = true;
        }
}

enum err tree_scan(struct place *place, struct tree *ret, struct err_note *note) {
        AUTO(tree_fini) struct tree tree = {0};
        AUTO(scan_fini) struct scan scan = {.place = place, .tree = &tree};

        if (place_list(place, &tree.listing, note))
                return err_wrap(note, "scan %s", place->where);
        VEC_EACH (&tree.listing.nodes, each) {
                scan_node(&scan, each);
        }
        VEC_EACH (&tree.listing.temporary, each) {
                AUTO_FREE char *path = place_path(place, each);

                if (each->kind == IMAGE_VHD)
                        scan_claims_only(&scan, path);
        }
        VEC_EACH (&tree.listing.marked, each) {
                AUTO_FREE char *path = place_mark_path(place, each);

                if (each->mark == PLACE_OLD || each->mark == PLACE_UNDONE)
                        scan_claims_only(&scan, path);
        }
        join_all(&scan);
        *ret = tree;
        tree = (struct tree){0};
        return ERR_NONE;
}

void tree_fini(struct tree *tree) {
        VEC_EACH (&tree->nodes, each) {
                vec_fini(&(*each)->claims);
                free((*each)->name);
                free(*each);
        }
        vec_fini(&tree->nodes);
        map_fini(&tree->by_uuid);
        place_listing_fini(&tree->listing);
}

struct node *tree_find(const struct tree *tree, const struct uuid *uuid) {
        return map_get(&tree->by_uuid, map_key_uuid(uuid));
}

bool node_is_above(const struct node *node, const struct node *below) {
        while (node && node != below)
                node = node->parent;
        return node != NULL;
}
