// SPDX-License-Identifier: Apache-2.0
/* What is in a pack, by its own word: its head, and the entries of its trailer.
 *
 * Errors: ERR_CORRUPT, ERR_CUT_SHORT of a pack that is damaged, torn, or lies under another's name; those of
 * target.h.  Threads: any.
 */
#ifndef VAULT_PACK_TRAILER_H
#define VAULT_PACK_TRAILER_H

#include "keyring.h"
#include "target.h"

/* size: of the object. */
MUST_USE enum err pack_trailer_read(struct target *, const struct keyring *, const struct vault_name *,
                                    uint64_t size, struct vault_index_pack *ret,
                                    struct vault_pack_entries *ret_entries, struct err_note *);

#endif
