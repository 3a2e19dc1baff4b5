// SPDX-License-Identifier: Apache-2.0
/* A list of what changed since a point, as a file says it:
 *
 *      {"since": "…", "extents": [{"offset": 0, "length": 65536}, …]}
 *
 * `since` is the point's id, or what was said of its content with --state when it was made.  Extents may
 * touch and overlap, and come in any order.
 *
 * Errors: ERR_CORRUPT, no such list, and what is wrong; ERR_TOO_LARGE, a million extents or 256 MiB;
 * ERR_MISMATCH, it is since another state.
 * Threads: any.
 */
#ifndef SERVICE_VAULT_CHANGED_H
#define SERVICE_VAULT_CHANGED_H

#include "points.h"
#include "put.h"

struct vault_changed {
        char *since;                    /* owned */
        VEC(struct put_extent) extents; /* owned; ascending, apart */
};
void vault_changed_fini(struct vault_changed *);
DEFINE_AUTO_IN_PLACE(struct vault_changed, vault_changed_fini);

MUST_USE enum err vault_changed_decode(struct span, struct vault_changed *ret, struct err_note *);
MUST_USE enum err vault_changed_read(struct io *, const char *path, struct vault_changed *ret,
                                     struct err_note *);
/* That it is since this disk of this point. */
MUST_USE enum err vault_changed_check(const struct vault_changed *, const struct vault_name *point,
                                      const struct vault_disk *, struct err_note *);

#endif
