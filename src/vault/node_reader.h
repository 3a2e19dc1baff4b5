// SPDX-License-Identifier: Apache-2.0
/* The nodes of a vault, for whoever walks a tree of ids (id_tree.h):
 *
 *      struct id_nodes nodes = {node_reader_read, reader};
 *
 * Errors: ERR_NOT_FOUND, the vault lacks the node; ERR_CORRUPT, it is none, or of another level; those of
 * blobs.h.
 * Threads: one at a time each.  Ownership: blobs outlive it.
 */
#ifndef VAULT_NODE_READER_H
#define VAULT_NODE_READER_H

#include "blobs.h"
#include "id_tree.h"

struct node_reader;
struct node_reader *node_reader_new(struct blobs *);
void node_reader_free(struct node_reader *);
DEFINE_AUTO(struct node_reader *, node_reader_free);
MUST_USE enum err node_reader_read(void *reader, unsigned level, const struct vault_id *,
                                   struct vault_id ret[VAULT_NODE_IDS], struct err_note *);

#endif
