// SPDX-License-Identifier: Apache-2.0
/* Several indexes of a vault become one: a new object that names those that it replaces.  Nothing is removed:
 * whoever reads leaves the replaced ones out, and a prune takes them away.  So a crash, or somebody who does
 * the same at the same time, costs a copy and nothing else.
 *
 * Errors: those of blobs.h, keyring.h.
 * Threads: one at a time.  Memory: 250 bytes an entry.
 */
#ifndef VAULT_INDEX_MERGE_H
#define VAULT_INDEX_MERGE_H

#include "blobs.h"
#include "index_tiers.h"

/* What is in use now. */
void index_merge_sizes(struct blobs *, struct index_sizes *ret);
/* These become one, without what they have of the packs left out (sorted; none: an empty list). */
MUST_USE enum err index_merge(struct blobs *, const struct index_sizes *,
                              const struct blobs_excluded *left_out, struct vault_name *ret,
                              struct err_note *);
/* As index_tiers.h decides, until nothing is left to do; how many were made. */
MUST_USE enum err index_merge_tiers(struct blobs *, unsigned *ret_made, struct err_note *);

#endif
