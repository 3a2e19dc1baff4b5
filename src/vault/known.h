// SPDX-License-Identifier: Apache-2.0
/* What a run need not store: what the vault has, and what the run itself has come upon.
 *
 * The ids of the run's own are kept in memory until their packs are known to the vault's blobs, which find
 * them from then on.
 *
 * Errors: none.  Threads: known_has: any, at once; the rest: one at a time.
 * Memory: 64 bytes for each id of a pack on its way.
 */
#ifndef VAULT_KNOWN_H
#define VAULT_KNOWN_H

#include "blobs.h"

struct known;
struct known *known_new(struct blobs *); /* borrowed, outlives it */
void known_free(struct known *);
DEFINE_AUTO(struct known *, known_free);

bool known_has(struct known *, const struct vault_id *);
/* It will be stored; false where it is known already. */
MUST_USE bool known_add(struct known *, const struct vault_id *);
/* This pack was put: blobs are told, and its ids forgotten. */
void known_settle(struct known *, const struct vault_index_pack *, const struct vault_pack_entry *,
                  unsigned n);
size_t known_pending(struct known *); /* ids in memory */

#endif
