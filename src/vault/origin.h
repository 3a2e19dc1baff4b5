// SPDX-License-Identifier: Apache-2.0
/* What is the same of a point and all its copies: the vault and the name that the first one had.  A copy's
 * disks say it in their `source`.
 *
 * Errors: none.  Threads: any.
 */
#ifndef VAULT_ORIGIN_H
#define VAULT_ORIGIN_H

#include "points.h"

struct origin {
        char vault[33], point[33];
};
void origin_of(const struct vault *, const struct point *, struct origin *ret);
bool origin_equal(const struct origin *, const struct origin *);

#endif
