// SPDX-License-Identifier: Apache-2.0
#define XXH_STATIC_LINKING_ONLY /* its state may then lie on the stack: nothing is allocated for a blob */
#include <xxhash.h>

#include "keyring_inside.h"

struct pack_key {
        struct vault_pack_head head;
        struct crypt_cipher *cipher; /* owned; NULL: the vault is plain */
};

static struct crypt_cipher *cipher_of(const struct keyring *keyring, const struct vault_pack_head *head) {
        AUTO(crypt_key_fini) struct crypt_key key = {0};
        struct crypt_info info;

        crypt_info_text(&info, "catena vault pack");
        crypt_info_add(&info, head->name.b, sizeof head->name.b);
        crypt_info_add(&info, head->session.b, sizeof head->session.b);
        crypt_derive(keyring->seals[head->epoch].b, crypt_span(head->salt, sizeof head->salt), &info, &key);
        return crypt_cipher_new(&key);
}

enum err pack_key_new(const struct keyring *keyring, const struct vault_pack_head *head,
                      struct pack_key **ret, struct err_note *note) {
        struct pack_key *key;

        if (keyring->is_plain && head->is_sealed)
                return err_set(note, ERR_DENIED, "pack %s: it is sealed, and there is no key",
                               vault_name_format(&head->name).s);
        if (!keyring->is_plain && !head->is_sealed)
                return err_set(note, ERR_CORRUPT, "pack %s: it is not sealed, in an encrypted vault",
                               vault_name_format(&head->name).s);
        if (head->epoch > keyring_epoch(keyring))
                return err_set(note, ERR_DENIED,
                               "pack %s: sealed after rotation %u of the keys, and this key is from before: "
                               "open the vault again",
                               vault_name_format(&head->name).s, head->epoch);
        key = mem_new(struct pack_key);
        key->head = *head;
        key->cipher = keyring->is_plain ? NULL : cipher_of(keyring, head);
        *ret = key;
        return ERR_NONE;
}

void pack_key_free(struct pack_key *key) {
        if (key->cipher)
                crypt_cipher_free(key->cipher);
        free(key);
}

static void plain_tag(struct span bound, struct span data, uint8_t ret[VAULT_TAG_SIZE]) {
        XXH3_state_t state;
        XXH128_canonical_t tag;

        _Static_assert(sizeof tag.digest == VAULT_TAG_SIZE, "a tag is a tag");
        XXH3_128bits_reset(&state);
        XXH3_128bits_update(&state, bound.data, bound.n);
        XXH3_128bits_update(&state, data.data, data.n);
        XXH128_canonicalFromHash(&tag, XXH3_128bits_digest(&state));
        memcpy(ret, tag.digest, sizeof tag.digest);
}

void pack_key_seal(const struct pack_key *key, uint32_t number, const struct vault_pack_entry *entry,
                   const void *data, size_t n, void *ret) {
        struct crypt_nonce nonce = crypt_nonce_of(number);
        uint8_t bytes[VAULT_PACK_BOUND];
        struct span bound = crypt_span(bytes, vault_pack_bind(&key->head, entry, bytes));

        if (key->cipher) {
                crypt_cipher_seal(key->cipher, &nonce, bound, data, n, ret);
                return;
        }
        memmove(ret, data, n);
        plain_tag(bound, crypt_span(ret, n), (uint8_t *)ret + n);
}

static bool fits(const struct pack_key *key, uint32_t number, struct span bound, const uint8_t *data,
                 size_t n, void *ret) {
        struct crypt_nonce nonce = crypt_nonce_of(number);
        uint8_t tag[VAULT_TAG_SIZE];

        if (n < VAULT_TAG_SIZE)
                return false;
        if (key->cipher)
                return crypt_cipher_open(key->cipher, &nonce, bound, data, n, ret);
        n -= VAULT_TAG_SIZE;
        plain_tag(bound, crypt_span(data, n), tag);
        if (memcmp(tag, data + n, sizeof tag) != 0)
                return false;
        memmove(ret, data, n);
        return true;
}

enum err pack_key_open(const struct pack_key *key, uint32_t number, const struct vault_pack_entry *entry,
                       const void *data, size_t n, void *ret, struct err_note *note) {
        uint8_t bytes[VAULT_PACK_BOUND];
        struct span bound = crypt_span(bytes, vault_pack_bind(&key->head, entry, bytes));

        if (fits(key, number, bound, data, n, ret))
                return ERR_NONE;
        if (!entry)
                return err_set(note, ERR_CORRUPT, "pack %s: its trailer is damaged",
                               vault_name_format(&key->head.name).s);
        return err_set(note, ERR_CORRUPT, "pack %s: blob %u is damaged", vault_name_format(&key->head.name).s,
                       number);
}
