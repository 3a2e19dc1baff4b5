// SPDX-License-Identifier: Apache-2.0
/* Keyrings for tests: always the same, so that what comes of them can be written down. */
#ifndef TEST_VAULT_KEYS_KIT_H
#define TEST_VAULT_KEYS_KIT_H

#include "check.h"
#include "crypt.h"
#include "keyring.h"

static const struct vault_name kit_vault = {{0xc1, 2, 3, 4}};

static inline void kit_seed(uint8_t first, uint8_t ret[VAULT_KEY_SIZE]) {
        for (unsigned i = 0; i < VAULT_KEY_SIZE; i++)
                ret[i] = (uint8_t)(first + i);
}

/* Of a role, with n masters; every keyring of the kit has the same admin and the same masters. */
static inline struct vault_payload *kit_payload(enum vault_role role, unsigned n) {
        struct vault_payload *payload = mem_new(struct vault_payload);

        payload->n_masters = n;
        for (unsigned i = 0; i < n; i++)
                kit_seed((uint8_t)(10 + i), payload->masters[i]);
        kit_seed(100, payload->admin);
        crypt_public_of(payload->admin, payload->admin_public);
        payload->has_admin = role == VAULT_ADMIN;
        payload->has_writer = role != VAULT_READER;
        if (payload->has_writer)
                kit_seed((uint8_t)(150 + role), payload->writer);
        if (!payload->has_admin)
                memset(payload->admin, 0, VAULT_KEY_SIZE);
        return payload;
}

static inline struct keyring *kit_keyring(enum vault_role role, unsigned n) {
        AUTO_FREE struct vault_payload *payload = kit_payload(role, n);
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        assert_ok(keyring_new(&kit_vault, payload, &keyring, &note));
        return keyring;
}

#endif
