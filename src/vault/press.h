// SPDX-License-Identifier: Apache-2.0
/* Compressing one blob after the other, as a vault's configuration says.
 *
 * Errors: none; what does not get smaller stays as it is.  Threads: one at a time each.
 * Ownership: a press has its memory from the beginning; pressing allocates nothing.
 */
#ifndef VAULT_PRESS_H
#define VAULT_PRESS_H

#include "vault_docs.h"

struct press;
struct press *press_new(const struct vault_config *);
void press_free(struct press *);
DEFINE_AUTO(struct press *, press_free);

/* How many bytes of ret, which has room for n, hold the n of data as one zstd frame; 0: it is not shorter
 * so. */
MUST_USE size_t press_bytes(struct press *, const void *data, size_t n, void *ret);

#endif
