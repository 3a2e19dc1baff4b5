// SPDX-License-Identifier: Apache-2.0
/* What a keyring is, for the files that are its parts, and for those that open one.
 *
 * Errors: as keyring.h.  Threads: as keyring.h.
 */
#ifndef VAULT_KEYRING_INSIDE_H
#define VAULT_KEYRING_INSIDE_H

#include "crypt.h"
#include "keyring.h"

struct keyring {
        struct vault_name vault;
        bool is_plain;
        struct vault_payload payload;
        struct crypt_key id, config;
        struct crypt_key seals[VAULT_EPOCHS_MAX]; /* of each master */
        uint8_t writer_public[VAULT_KEY_SIZE];
};

/* H of docs/format/vault.md. */
void keyring_sum(const struct keyring *, const struct span *parts, unsigned n, uint8_t ret[32]);

/* Head and body signed, into an empty buf. */
void object_put_signed(struct vault_object_head *, struct span body, const uint8_t seed[VAULT_KEY_SIZE],
                       const uint8_t public[VAULT_KEY_SIZE], struct buf *ret);
/* That it is signed, by that one; NULL: by whomever it says. */
MUST_USE enum err object_check_signed(const struct vault_object *, const uint8_t by[VAULT_KEY_SIZE],
                                      struct err_note *);

#endif
