// SPDX-License-Identifier: Apache-2.0
/* What get.c and get_all.c share; nobody else includes this.
 *
 * Errors: ERR_CORRUPT, ERR_NOT_FOUND; those of blobs.h.  Threads: one at a time each.
 */
#ifndef VAULT_GET_INSIDE_H
#define VAULT_GET_INSIDE_H

#include "get.h"

struct node_reader;

struct get_tree {
        struct node_reader *reader; /* owned */
        struct id_walk *walk;       /* owned */
};
/* The disk's id binds its size to its root: it is looked at here. */
MUST_USE enum err get_tree_open(struct vault *, const struct vault_disk *, struct get_tree *ret,
                                struct err_note *);
void get_tree_close(struct get_tree *);
DEFINE_AUTO_IN_PLACE(struct get_tree, get_tree_close);

struct get_want {
        struct vault_id id;
        uint64_t at; /* of the disk; for messages */
        uint32_t chunk;
        bool checks_id;
};
MUST_USE enum err get_chunk(struct blobs *, struct blob_reader *, const struct get_want *, void *ret,
                            struct err_note *);

#endif
