// SPDX-License-Identifier: Apache-2.0
/* Which indexes of a vault to make one of, so that few are left: a pure decision.
 *
 * Indexes are of a tier by their entries, each tier eight times as large as the one below.  Where a tier has
 * eight, those and all smaller ones become one.  So there are at most seven of a tier, and an entry is
 * written again once a tier.  None is made larger than INDEX_ENTRIES_MAX, since whoever makes or opens one
 * has it in memory; indexes of half of that are left alone (docs/why/029).
 *
 * Errors: none.  Threads: any.
 */
#ifndef VAULT_INDEX_TIERS_H
#define VAULT_INDEX_TIERS_H

#include "vault_name.h"
#include "vec.h"

enum {
        INDEX_ENTRIES_MAX = 512 * 1024,
        INDEX_TIER_FIRST = 4096, /* entries that are too many for the lowest tier */
        INDEX_TIER_FAN = 8,
        INDEX_TIERS = 3,
};

struct index_size {
        struct vault_name name;
        uint64_t n_entries;
};
struct index_sizes {
        VEC(struct index_size) list; /* owned */
};
void index_sizes_fini(struct index_sizes *);
DEFINE_AUTO_IN_PLACE(struct index_sizes, index_sizes_fini);

/* Those to become one now, smallest first: none, or at least two.  When that is done, ask again. */
void index_tiers_pick(const struct index_sizes *, struct index_sizes *ret);

#endif
