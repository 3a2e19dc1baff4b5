// SPDX-License-Identifier: Apache-2.0
/* In which ranges two disks of a vault differ, found by their trees of ids: equal subtrees are passed over,
 * so it takes as long as what differs.
 *
 * Ranges are whole chunks, joined where they touch, cut at the larger disk's end.  What lies behind the end
 * of the smaller one counts as zeros: of two sizes only what is not zeros there differs.
 *
 * Errors: ERR_UNSUPPORTED, chunks of two sizes; those of blobs.h.  Threads: one at a time.
 */
#ifndef VAULT_DIFF_H
#define VAULT_DIFF_H

#include "put.h"
#include "vault.h"

struct diff {
        VEC(struct put_extent) extents; /* owned; ascending, apart */
        uint64_t bytes;                 /* of them all */
};
void diff_fini(struct diff *);
DEFINE_AUTO_IN_PLACE(struct diff, diff_fini);

MUST_USE enum err diff_disks(struct vault *, const struct vault_disk *, const struct vault_disk *other,
                             struct diff *ret, struct err_note *);

#endif
