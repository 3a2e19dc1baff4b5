// SPDX-License-Identifier: Apache-2.0
/* SHA-256 as a vault's objects and packs end with it: of bytes that lie in several places, one behind the
 * other.  It tells damage, not malice.
 *
 * Errors: none.  Threads: any.
 */
#ifndef FORMAT_VAULT_SUM_H
#define FORMAT_VAULT_SUM_H

#include "bytes.h"

enum { VAULT_SUM_SIZE = 32 };

void vault_sum(const struct span *parts, unsigned n, uint8_t ret[VAULT_SUM_SIZE]);

#endif
