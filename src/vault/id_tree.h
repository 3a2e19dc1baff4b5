// SPDX-License-Identifier: Apache-2.0
/* A disk as a tree of ids: leaves are chunks, inner nodes hold 256 ids.  docs/format/vault.md "Ids".
 *
 * Reading walks down with one node of each level in memory, so that going through a disk in order reads each
 * node once.  Writing takes the ids of chunks in ascending order; of a parent's tree only the ranges that
 * are said to have changed are walked, the rest is taken over node by node.
 *
 *      id_walk_new(&nodes, &shape, &root)   id_walk_chunk(walk, n, &id, note)   id_walk_next(…)
 *      id_write_new(&options)   id_write_chunk(write, n, &id, note)   id_write_end(write, &root, note)
 *
 * Errors: those of whoever reads or takes nodes.  Threads: one at a time each.
 */
#ifndef VAULT_ID_TREE_H
#define VAULT_ID_TREE_H

#include "keyring.h"

enum { ID_TREE_HEIGHT_MAX = VAULT_HEIGHT_MAX };

struct id_tree_shape {
        uint64_t size;  /* bytes of the disk */
        uint32_t chunk; /* bytes */
        uint64_t n_chunks;
        unsigned height;
};
void id_tree_shape_of(uint64_t size, uint32_t chunk, struct id_tree_shape *ret);

/* ---- reading ---- */

/* Where nodes come from: those of a vault, node_reader.h. */
struct id_nodes {
        enum err (*read)(void *user, unsigned level, const struct vault_id *,
                         struct vault_id ret[VAULT_NODE_IDS], struct err_note *); /* borrowed */
        void *user; /* borrowed; handed to read */
};

struct id_walk;
struct id_walk *id_walk_new(const struct id_nodes *, const struct id_tree_shape *,
                            const struct vault_id *root);
void id_walk_free(struct id_walk *);
DEFINE_AUTO(struct id_walk *, id_walk_free);
const struct id_tree_shape *id_walk_shape(const struct id_walk *);
/* The id of chunk n, null for zeros and for what lies behind the end. */
MUST_USE enum err id_walk_chunk(struct id_walk *, uint64_t n, struct vault_id *ret, struct err_note *);
/* The first chunk at or behind n that is not null, n_chunks where there is none. */
MUST_USE enum err id_walk_next(struct id_walk *, uint64_t n, uint64_t *ret, struct err_note *);
/* The first chunk at or behind n in which the two differ: subtrees of equal ids are passed over.  Both of
 * the same chunk size; what the shorter one lacks counts as null.  The longer one's n_chunks: none. */
MUST_USE enum err id_walk_differs(struct id_walk *, struct id_walk *other, uint64_t n, uint64_t *ret,
                                  struct err_note *);

/* ---- writing ---- */

/* Where finished nodes go: they are blobs as chunks are (put.h). */
typedef enum err (*id_write_put_fn)(void *user, unsigned level, const struct vault_id *,
                                    const struct vault_id ids[VAULT_NODE_IDS], struct err_note *);
struct id_write_options {
        const struct keyring *keyring; /* borrowed */
        struct id_tree_shape shape;
        struct id_walk *parent; /* borrowed; NULL: none.  Of any size, of the same chunk */
        id_write_put_fn put;    /* borrowed */
        void *user;             /* borrowed; handed to put */
};
struct id_write;
struct id_write *id_write_new(const struct id_write_options *);
void id_write_free(struct id_write *);
DEFINE_AUTO(struct id_write *, id_write_free);
/* Chunk n is this; between the last and n all is as in the parent (null without one).  Ascending. */
MUST_USE enum err id_write_chunk(struct id_write *, uint64_t n, const struct vault_id *, struct err_note *);
/* Chunks [n, n + count) are zeros. */
MUST_USE enum err id_write_zeros(struct id_write *, uint64_t n, uint64_t count, struct err_note *);
/* Behind the last chunk all is as in the parent.  Nothing may be written any more. */
MUST_USE enum err id_write_end(struct id_write *, struct vault_id *ret_root, struct err_note *);

#endif
