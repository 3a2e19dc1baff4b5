// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include <assert.h>

#include "keyring_inside.h"

/* Of a master, for what the text says; `more` bytes behind it. */
static void derive(const struct keyring *keyring, unsigned epoch, const char *what, const void *more,
                   size_t n, struct crypt_key *ret) {
        struct crypt_info info;

        crypt_info_text(&info, what);
        crypt_info_add(&info, more, n);
        crypt_derive(keyring->payload.masters[epoch], crypt_span(keyring->vault.b, sizeof keyring->vault.b),
                     &info, ret);
}

static void derive_seal(struct keyring *keyring, unsigned epoch) {
        be32 number = be32_put(epoch);

        derive(keyring, epoch, "catena vault seal", number.b, sizeof number.b, &keyring->seals[epoch]);
}

static void derive_all(struct keyring *keyring) {
        for (unsigned epoch = 0; epoch < keyring->payload.n_masters; epoch++)
                derive_seal(keyring, epoch);
        /* The first master's for ever: what was known before a rotation is known after it. */
        derive(keyring, 0, "catena vault id", NULL, 0, &keyring->id);
        derive(keyring, 0, "catena vault config", NULL, 0, &keyring->config);
        if (keyring->payload.has_writer)
                crypt_public_of(keyring->payload.writer, keyring->writer_public);
}

struct keyring *keyring_new_plain(const struct vault_name *vault) {
        struct keyring *keyring = mem_new(struct keyring);

        keyring->vault = *vault;
        keyring->is_plain = true;
        return keyring;
}

enum err keyring_new(const struct vault_name *vault, const struct vault_payload *payload,
                     struct keyring **ret, struct err_note *note) {
        AUTO(keyring_free) struct keyring *keyring = NULL;
        uint8_t public[VAULT_KEY_SIZE];

        if (payload->n_masters == 0 || payload->n_masters > VAULT_EPOCHS_MAX)
                return err_set(note, ERR_CORRUPT, "a vault's keys have %u masters", payload->n_masters);
        if (payload->has_admin) {
                crypt_public_of(payload->admin, public);
                if (!crypt_equal(public, payload->admin_public, sizeof public))
                        return err_set(note, ERR_CORRUPT, "the admin's two keys do not belong together");
        }
        keyring = mem_new(struct keyring);
        keyring->vault = *vault;
        keyring->payload = *payload;
        derive_all(keyring);
        *ret = TAKE(keyring);
        return ERR_NONE;
}

void keyring_first_master(const struct vault_name *vault, const uint8_t recovery[VAULT_KEY_SIZE],
                          uint8_t ret[VAULT_KEY_SIZE]) {
        AUTO(crypt_key_fini) struct crypt_key master = {0};
        struct crypt_info info;

        crypt_info_text(&info, "catena vault master");
        crypt_derive(recovery, crypt_span(vault->b, sizeof vault->b), &info, &master);
        memcpy(ret, master.b, sizeof master.b);
}

struct keyring *keyring_new_random(struct io *dice, const struct vault_name *vault,
                                   uint8_t ret_recovery[VAULT_KEY_SIZE]) {
        struct keyring *keyring = mem_new(struct keyring);

        keyring->vault = *vault;
        io_random(dice, ret_recovery, VAULT_KEY_SIZE);
        keyring->payload.n_masters = 1;
        keyring_first_master(vault, ret_recovery, keyring->payload.masters[0]);
        keyring->payload.has_admin = true;
        io_random(dice, keyring->payload.admin, VAULT_KEY_SIZE);
        crypt_public_of(keyring->payload.admin, keyring->payload.admin_public);
        derive_all(keyring);
        return keyring;
}

void keyring_free(struct keyring *keyring) {
        crypt_wipe(keyring, sizeof *keyring);
        free(keyring);
}

bool keyring_is_plain(const struct keyring *keyring) {
        return keyring->is_plain;
}

const struct vault_payload *keyring_payload(const struct keyring *keyring) {
        return keyring->is_plain ? NULL : &keyring->payload;
}

bool keyring_can_write(const struct keyring *keyring) {
        return keyring->is_plain || keyring->payload.has_writer;
}

bool keyring_can_admin(const struct keyring *keyring) {
        return keyring->is_plain || keyring->payload.has_admin;
}

unsigned keyring_epoch(const struct keyring *keyring) {
        return keyring->is_plain ? 0 : keyring->payload.n_masters - 1;
}

enum err keyring_rotate(struct keyring *keyring, const uint8_t master[VAULT_KEY_SIZE],
                        struct err_note *note) {
        struct vault_payload *payload = &keyring->payload;

        assert(!keyring->is_plain);
        if (payload->n_masters == VAULT_EPOCHS_MAX)
                return err_set(note, ERR_TOO_LARGE, "a vault's keys can be rotated %d times, and were",
                               VAULT_EPOCHS_MAX - 1);
        memcpy(payload->masters[payload->n_masters], master, VAULT_KEY_SIZE);
        derive_seal(keyring, payload->n_masters++);
        return ERR_NONE;
}

bool keyring_writer_public(const struct keyring *keyring, uint8_t ret[VAULT_KEY_SIZE]) {
        if (!keyring->payload.has_writer)
                return false;
        memcpy(ret, keyring->writer_public, VAULT_KEY_SIZE);
        return true;
}

bool keyring_admin_public(const struct keyring *keyring, uint8_t ret[VAULT_KEY_SIZE]) {
        if (keyring->is_plain)
                return false;
        memcpy(ret, keyring->payload.admin_public, VAULT_KEY_SIZE);
        return true;
}
