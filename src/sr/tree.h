// SPDX-License-Identifier: Apache-2.0
/* What lies in an SR, by its files alone: which nodes there are, and which is whose parent.
 *
 * A scan reads each file's footers, header and locators, never its BAT.  A file that cannot be read, whose
 * parent is missing, is another than it was made for, or is its own ancestor carries that as its error: so do
 * all above it, and nobody else.  A damaged file's claim on a parent still counts (n_claims), so that no
 * collector takes away what a repair will need.
 *
 * Promises: a scan changes nothing.  Nodes are in the order of their uuids.
 * Errors: of tree_scan: only that the place cannot be listed.
 * Threads: the owner of the SR.  Ownership: nodes live as long as their tree.
 */
#ifndef SR_TREE_H
#define SR_TREE_H

#include "place.h"

struct node {
        struct uuid uuid; /* by which the file is named */
        enum image_kind kind;
        char *name;              /* owned; of the file: "<uuid>.vhd" */
        struct uuid footer_uuid; /* null for raw */
        bool has_parent;         /* it is a differencing image */
        bool parent_is_raw;
        struct uuid parent_footer_uuid; /* that it was made for */
        struct node *parent;            /* borrowed, of this tree; NULL: none, or see error */
        struct node *first_child;       /* borrowed, of this tree */
        struct node *next_sibling;      /* borrowed, of this tree */
        unsigned n_children;
        unsigned n_claims; /* files that name it as a parent in any way: children, damaged and unfinished ones
                            */
        VEC(struct node *)
        claims;                 /* owned array; borrowed, of this tree: the nodes that this file names so */
        unsigned depth;         /* layers from here down, itself counted; 0 where that is unknown */
        bool is_hidden;         /* as the footer that counts says; of a raw node: as the catalog says */
        bool is_hidden_in_both; /* may be collected, as far as its own footers go [C2] */
        bool footers_differ;    /* both are valid: a change of them was cut short */
        bool is_alias;          /* another name of the same bytes is there as well */
        uint64_t size;          /* of the disk */
        uint64_t file_size;
        uint64_t allocated; /* bytes the file takes in the file system */
        int64_t modified_ns;
        uint64_t device, inode, links;
        struct err_note error; /* code ERR_NONE: fine, and all below it */
        bool is_own_error;     /* the error is of this very file, not of one below */
};

struct tree {
        VEC(struct node *) nodes; /* owned; ordered by uuid */
        struct map by_uuid;       /* uuid -> struct node, borrowed */
        struct place_listing listing;
        unsigned n_unknown; /* files whose parent cannot be told by any means: nothing is garbage while there
                               are such */
        char unknown_name[64]; /* the first of these */
};

MUST_USE enum err tree_scan(struct place *, struct tree *ret, struct err_note *);
void tree_fini(struct tree *);
DEFINE_AUTO_IN_PLACE(struct tree, tree_fini);

struct node *tree_find(const struct tree *, const struct uuid *); /* or NULL */
static inline struct place_name node_place_name(const struct node *node) {
        return place_name_of(&node->uuid, node->kind);
}
/* Whether this node or one below it is `below`. */
bool node_is_above(const struct node *, const struct node *below);

#endif
