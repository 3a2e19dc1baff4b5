// SPDX-License-Identifier: Apache-2.0
/* One key slot: what it wraps, and for whom.  docs/format/vault.md "Keys".
 *
 * A slot has a key of its own, random, which wraps the payload.  It is wrapped twice: for the holder, and for
 * whoever has the admin's key, so that an admin can wrap another payload in the holder's absence.
 *
 * Errors: ERR_NO_MEMORY, of a passphrase; ERR_CORRUPT.  Threads: any.
 */
#ifndef VAULT_KEY_SLOT_H
#define VAULT_KEY_SLOT_H

#include "crypt.h"
#include "vault_key.h"

/* Which slot of which vault. */
struct slot_place {
        const struct vault_name *vault, *name; /* borrowed */
};

/* What a holder's wrapping key is made of, kept for slots that have the same salt: a passphrase is slow. */
struct slot_holder {
        const struct vault_key *key; /* borrowed */
        bool is_known;
        uint8_t salt[VAULT_SALT_SIZE];
        struct vault_argon2id argon2id;
        struct crypt_key secret;
};
void slot_holder_fini(struct slot_holder *);
DEFINE_AUTO_IN_PLACE(struct slot_holder, slot_holder_fini);

/* Salt, slot key and both of its wrappings, of a new slot, whose argon2id is set. */
MUST_USE enum err slot_begin(struct vault_slot *, struct io *dice, const struct vault_name *vault,
                             struct slot_holder *, const uint8_t admin[VAULT_KEY_SIZE], struct crypt_key *ret,
                             struct err_note *);
void slot_wrap(struct vault_slot *, struct slot_place, const struct crypt_key *slot_key,
               const struct vault_payload *);

/* The slot's key, by who holds it; false in ret_opens: another's. */
MUST_USE enum err slot_open_by_holder(const struct vault_slot *, const struct vault_name *vault,
                                      struct slot_holder *, struct crypt_key *ret, bool *ret_opens,
                                      struct err_note *);
MUST_USE bool slot_open_by_admin(const struct vault_slot *, const struct vault_name *vault,
                                 const uint8_t admin[VAULT_KEY_SIZE], struct crypt_key *ret);
MUST_USE enum err slot_unwrap(const struct vault_slot *, struct slot_place, const struct crypt_key *slot_key,
                              struct vault_payload *ret, struct err_note *);

#endif
