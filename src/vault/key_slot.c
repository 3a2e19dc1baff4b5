// SPDX-License-Identifier: Apache-2.0
#include "key_slot.h"

#include <argon2.h>

void slot_holder_fini(struct slot_holder *holder) {
        crypt_wipe(holder, sizeof *holder);
}

static enum err stretch(const struct vault_slot *slot, const char *passphrase, struct crypt_key *ret,
                        struct err_note *note) {
        struct vault_argon2id how = slot->argon2id;
        int error = argon2id_hash_raw(how.passes, how.memory_kib, how.lanes, passphrase, strlen(passphrase),
                                      slot->salt, sizeof slot->salt, ret->b, sizeof ret->b);
        if (error == ARGON2_MEMORY_ALLOCATION_ERROR)
                return err_set(note, ERR_NO_MEMORY, "the passphrase's slot asks for %u KiB of memory",
                               how.memory_kib);
        if (error)
                return err_set(note, ERR_CORRUPT, "the passphrase's slot: %s", argon2_error_message(error));
        return ERR_NONE;
}

/* What the holder has, as 32 bytes. */
static enum err know(struct slot_holder *holder, const struct vault_slot *slot, struct err_note *note) {
        if (holder->key->kind != VAULT_SLOT_PASSPHRASE) {
                memcpy(holder->secret.b, holder->key->bytes, sizeof holder->secret.b);
                return ERR_NONE;
        }
        if (holder->is_known && memcmp(holder->salt, slot->salt, sizeof slot->salt) == 0 &&
            memcmp(&holder->argon2id, &slot->argon2id, sizeof slot->argon2id) == 0)
                return ERR_NONE;
        holder->is_known = false;
        if (stretch(slot, holder->key->passphrase, &holder->secret, note))
                return note->code;
        memcpy(holder->salt, slot->salt, sizeof slot->salt);
        holder->argon2id = slot->argon2id;
        holder->is_known = true;
        return ERR_NONE;
}

/* Of a secret and the slot's salt, for one use in one vault; name NULL: whatever the slot's is. */
static void key_for(const uint8_t secret[VAULT_KEY_SIZE], const struct vault_slot *slot, const char *use,
                    struct slot_place place, struct crypt_key *ret) {
        struct crypt_info info;

        crypt_info_text(&info, use);
        crypt_info_add(&info, place.vault->b, sizeof place.vault->b);
        if (place.name)
                crypt_info_add(&info, place.name->b, sizeof place.name->b);
        crypt_derive(secret, crypt_span(slot->salt, sizeof slot->salt), &info, ret);
}

static const char for_holder[] = "catena vault slot", for_admin[] = "catena vault slot admin",
                  for_payload[] = "catena vault payload";

enum err slot_begin(struct vault_slot *slot, struct io *dice, const struct vault_name *vault,
                    struct slot_holder *holder, const uint8_t admin[VAULT_KEY_SIZE], struct crypt_key *ret,
                    struct err_note *note) {
        AUTO(crypt_key_fini) struct crypt_key wrapping = {0};
        struct slot_place place = {.vault = vault};
        struct span nothing = crypt_span("", 0);

        io_random(dice, slot->salt, sizeof slot->salt);
        io_random(dice, ret->b, sizeof ret->b);
        if (know(holder, slot, note))
                return note->code;
        key_for(holder->secret.b, slot, for_holder, place, &wrapping);
        crypt_seal_once(&wrapping, nothing, ret->b, sizeof ret->b, slot->for_holder);
        key_for(admin, slot, for_admin, place, &wrapping);
        crypt_seal_once(&wrapping, nothing, ret->b, sizeof ret->b, slot->for_admin);
        return ERR_NONE;
}

void slot_wrap(struct vault_slot *slot, struct slot_place place, const struct crypt_key *slot_key,
               const struct vault_payload *payload) {
        AUTO(crypt_key_fini) struct crypt_key key = {0};
        AUTO(buf_fini) struct buf bytes = {0};

        /* The slot's name is new each time, and so this key: it seals one payload. */
        key_for(slot_key->b, slot, for_payload, place, &key);
        vault_payload_encode(payload, &bytes);
        slot->wrapped.n = 0;
        crypt_seal_once(&key, crypt_span(place.name->b, sizeof place.name->b), bytes.data, bytes.n,
                        buf_extend(&slot->wrapped, bytes.n + VAULT_TAG_SIZE));
        crypt_wipe(bytes.data, bytes.n);
}

enum err slot_open_by_holder(const struct vault_slot *slot, const struct vault_name *vault,
                             struct slot_holder *holder, struct crypt_key *ret, bool *ret_opens,
                             struct err_note *note) {
        AUTO(crypt_key_fini) struct crypt_key wrapping = {0};

        *ret_opens = false;
        if (slot->kind != holder->key->kind)
                return ERR_NONE;
        if (know(holder, slot, note))
                return note->code;
        key_for(holder->secret.b, slot, for_holder, (struct slot_place){.vault = vault}, &wrapping);
        *ret_opens = crypt_open_once(&wrapping, crypt_span("", 0), slot->for_holder, sizeof slot->for_holder,
                                     ret->b);
        return ERR_NONE;
}

bool slot_open_by_admin(const struct vault_slot *slot, const struct vault_name *vault,
                        const uint8_t admin[VAULT_KEY_SIZE], struct crypt_key *ret) {
        AUTO(crypt_key_fini) struct crypt_key wrapping = {0};

        key_for(admin, slot, for_admin, (struct slot_place){.vault = vault}, &wrapping);
        return crypt_open_once(&wrapping, crypt_span("", 0), slot->for_admin, sizeof slot->for_admin, ret->b);
}

enum err slot_unwrap(const struct vault_slot *slot, struct slot_place place, const struct crypt_key *slot_key,
                     struct vault_payload *ret, struct err_note *note) {
        AUTO(crypt_key_fini) struct crypt_key key = {0};
        uint8_t bytes[VAULT_PAYLOAD_MAX + VAULT_TAG_SIZE];
        enum err err;

        if (slot->wrapped.n < VAULT_TAG_SIZE || slot->wrapped.n > sizeof bytes)
                return err_set(note, ERR_CORRUPT, "%zu bytes are no payload", slot->wrapped.n);
        key_for(slot_key->b, slot, for_payload, place, &key);
        if (!crypt_open_once(&key, crypt_span(place.name->b, sizeof place.name->b), slot->wrapped.data,
                             slot->wrapped.n, bytes))
                return err_set(note, ERR_CORRUPT, "the payload does not open: it is not of this slot");
        err = vault_payload_decode(crypt_span(bytes, slot->wrapped.n - VAULT_TAG_SIZE), ret, note);
        crypt_wipe(bytes, sizeof bytes);
        return err;
}
