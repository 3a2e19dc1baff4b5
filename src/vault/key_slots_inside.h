// SPDX-License-Identifier: Apache-2.0
/* What the files that change slots share.
 *
 * Errors: as key_slots.h.  Threads: as key_slots.h.
 */
#ifndef VAULT_KEY_SLOTS_INSIDE_H
#define VAULT_KEY_SLOTS_INSIDE_H

#include "key_slot.h"
#include "key_slots.h"
#include "keyring_inside.h"

struct slot_path {
        char s[TARGET_NAME_MAX + 1];
};
struct slot_path slot_path_of(const struct vault_name *);

/* The slots, for one who may change them. */
MUST_USE enum err key_slots_look(struct target *, const struct vault_config *, const struct keyring *admin,
                                 struct vault_slot_rows *ret, unsigned *ret_damaged, struct err_note *);
MUST_USE enum err key_slots_put(struct target *, const struct keyring *admin, const struct vault_name *,
                                const struct vault_slot *, struct err_note *);

#endif
