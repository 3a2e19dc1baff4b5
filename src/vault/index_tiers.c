// SPDX-License-Identifier: Apache-2.0
#include "index_tiers.h"

#include <stdlib.h>

void index_sizes_fini(struct index_sizes *sizes) {
        vec_fini(&sizes->list);
}

/* INDEX_TIERS: full. */
static unsigned tier_of(uint64_t n_entries) {
        uint64_t limit = INDEX_TIER_FIRST;
        unsigned tier = 0;

        while (tier < INDEX_TIERS && n_entries >= limit) {
                tier++;
                limit *= INDEX_TIER_FAN;
        }
        return tier;
}

_Static_assert(INDEX_TIER_FIRST *INDEX_TIER_FAN *INDEX_TIER_FAN == INDEX_ENTRIES_MAX / 2,
               "two that are not full always fit into one");

static int compare_sizes(const void *a, const void *b) {
        const struct index_size *x = a, *y = b;

        if (x->n_entries != y->n_entries)
                return x->n_entries < y->n_entries ? -1 : 1;
        return vault_name_compare(&x->name, &y->name);
}

/* The highest that has so many; INDEX_TIERS: none. */
static unsigned crowded_tier(const struct index_sizes *sizes) {
        unsigned n[INDEX_TIERS + 1] = {0}, found = INDEX_TIERS;

        VEC_EACH (&sizes->list, each)
                n[tier_of(each->n_entries)]++;
        for (unsigned tier = 0; tier < INDEX_TIERS; tier++)
                if (n[tier] >= INDEX_TIER_FAN)
                        found = tier;
        return found;
}

void index_tiers_pick(const struct index_sizes *sizes, struct index_sizes *ret) {
        unsigned crowded = crowded_tier(sizes);
        uint64_t sum = 0;

        ret->list.n = 0;
        if (crowded == INDEX_TIERS)
                return;
        VEC_EACH (&sizes->list, each)
                if (tier_of(each->n_entries) <= crowded)
                        *vec_add(&ret->list) = *each;
        qsort(ret->list.data, ret->list.n, sizeof *ret->list.data, compare_sizes);
        for (size_t i = 0; i < ret->list.n; i++) {
                sum += ret->list.data[i].n_entries;
                if (sum > INDEX_ENTRIES_MAX)
                        ret->list.n = i;
        }
}
