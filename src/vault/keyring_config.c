// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include "keyring_inside.h"

static enum err mac_of(const struct keyring *keyring, struct span body, uint8_t ret[32],
                       struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};

        if (vault_config_mac_text(body, &text, note))
                return note->code;
        keyring_config_mac(keyring, crypt_span(text.data, text.n), ret);
        return ERR_NONE;
}

enum err keyring_seal_config(const struct keyring *keyring, struct vault_config *config, struct buf *ret,
                             struct err_note *note) {
        const struct vault_payload *keys = &keyring->payload;
        struct vault_object_head head = {.kind = VAULT_CONFIG, .name = keyring->vault};
        AUTO(buf_fini) struct buf body = {0};

        if (!keyring_can_admin(keyring))
                return err_set(note, ERR_DENIED, "only an admin's key may change the configuration");
        config->id = keyring->vault;
        config->is_encrypted = !keyring->is_plain;
        if (keyring->is_plain) {
                vault_config_encode(config, &body);
                vault_object_begin(&head, crypt_span(body.data, body.n), ret);
                vault_object_end(ret);
                return ERR_NONE;
        }
        memcpy(config->admin, keys->admin_public, sizeof config->admin);
        vault_config_encode(config, &body);
        if (mac_of(keyring, crypt_span(body.data, body.n), config->mac, note))
                return note->code;
        body.n = 0;
        vault_config_encode(config, &body);
        object_put_signed(&head, crypt_span(body.data, body.n), keys->admin, keys->admin_public, ret);
        return ERR_NONE;
}

static enum err open_config(struct span bytes, struct vault_object *ret_object, struct vault_config *ret,
                            struct err_note *note) {
        struct vault_object object;
        struct vault_config config;

        if (vault_object_decode(bytes, VAULT_CONFIG, NULL, &object, note))
                return note->code;
        if (object.head.is_sealed)
                return err_set(note, ERR_CORRUPT, "configuration: it is sealed");
        if (vault_config_decode(object.body, &config, note))
                return err_wrap(note, "configuration");
        config.id = object.head.name;
        if (config.is_encrypted && object_check_signed(&object, config.admin, note))
                return note->code;
        *ret_object = object;
        *ret = config;
        return ERR_NONE;
}

enum err config_open(struct span bytes, struct vault_config *ret, struct err_note *note) {
        struct vault_object object;

        return open_config(bytes, &object, ret, note);
}

enum err keyring_check_config(const struct keyring *keyring, struct span bytes, struct err_note *note) {
        struct vault_object object;
        struct vault_config config;
        uint8_t mac[32];

        if (open_config(bytes, &object, &config, note))
                return note->code;
        if (keyring->is_plain && config.is_encrypted)
                return err_set(note, ERR_DENIED, "the vault is encrypted: it needs a key");
        /* Whoever has a key expects that what he writes is sealed: another vault in its place is not his. */
        if (!keyring->is_plain && !config.is_encrypted)
                return err_set(note, ERR_DENIED, "the vault is not encrypted, and a key was given for it");
        if (vault_name_compare(&config.id, &keyring->vault) != 0)
                return err_set(note, ERR_MISMATCH, "the configuration is that of vault %s",
                               vault_name_format(&config.id).s);
        if (keyring->is_plain)
                return ERR_NONE;
        if (!crypt_equal(config.admin, keyring->payload.admin_public, VAULT_KEY_SIZE))
                return err_set(note, ERR_CORRUPT, "the configuration is not by the vault's admin");
        if (mac_of(keyring, object.body, mac, note))
                return err_wrap(note, "configuration");
        if (!crypt_equal(mac, config.mac, sizeof mac))
                return err_set(note, ERR_CORRUPT,
                               "the configuration was altered, or the key is another vault's");
        return ERR_NONE;
}
