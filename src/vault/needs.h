// SPDX-License-Identifier: Apache-2.0
/* What the points of a vault need: all manifests, with a seal or without, and all nodes and chunks of their
 * trees.  What two trees share is walked once.
 *
 *      needs_add(needs, &manifest, &name, note)     for each
 *      … needs_marks(needs): blob_marks.h says of each pack how much of it is needed
 *
 * Errors: ERR_NOT_FOUND, ERR_CORRUPT: a tree that cannot be walked, with the point's name; what was found by
 * then is marked.  Those of the target.
 * Threads: one at a time.  Ownership: the vault outlives it, and its blobs are not refreshed meanwhile.
 * Memory: that of marks, and 8 KiB for each level of a tree.
 */
#ifndef VAULT_NEEDS_H
#define VAULT_NEEDS_H

#include "blob_marks.h"
#include "vault.h"

struct needs;
struct needs *needs_new(struct vault *);
void needs_free(struct needs *);
DEFINE_AUTO(struct needs *, needs_free);

/* tolerant: of one that will never be read any more what is there is marked, and what lacks is no error. */
MUST_USE enum err needs_add(struct needs *, const struct vault_manifest *, const struct vault_name *,
                            bool tolerant, struct err_note *);
struct blob_marks *needs_marks(struct needs *);

struct needs_count {
        uint64_t n_nodes, n_chunks; /* marked; each once */
};
struct needs_count needs_count(const struct needs *);

#endif
