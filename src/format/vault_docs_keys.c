// SPDX-License-Identifier: Apache-2.0
/* Key slots of a vault, and what they wrap. */
#include "hex.h"
#include "mem.h"
#include "vault_member.h"

/* What anyone may ask of us before he has shown a key: bounded. */
enum { MEMORY_KIB_MAX = 4 << 20, PASSES_MAX = 100, LANES_MAX = 64, MEMORY_KIB_PER_LANE = 8 };
enum { HAS_WRITER = 1, HAS_ADMIN = 2 };

static const char *const slot_kinds[] = {"key-file", "passphrase", "recovery", "retired"};
static const char *const roles[] = {"admin", "writer", "reader"};

const char *vault_slot_kind_text(enum vault_slot_kind kind) {
        return slot_kinds[kind];
}

const char *vault_role_text(enum vault_role role) {
        return roles[role];
}

bool vault_role_parse(const char *text, enum vault_role *ret) {
        for (unsigned i = 0; i < sizeof roles / sizeof *roles; i++)
                if (strcmp(text, roles[i]) == 0) {
                        *ret = (enum vault_role)i;
                        return true;
                }
        return false;
}

/* ---- slots ----------------------------------------------------------------------------------- */

void vault_slot_fini(struct vault_slot *slot) {
        free(slot->label);
        buf_fini(&slot->wrapped);
        *slot = (struct vault_slot){0};
}

static json_t *argon2id_of(const struct vault_argon2id *argon2id) {
        json_t *json = json_object();

        vault_put_number(json, "memory", argon2id->memory_kib);
        vault_put_number(json, "passes", argon2id->passes);
        vault_put_number(json, "lanes", argon2id->lanes);
        return json;
}

static void put_keys(json_t *body, const struct vault_slot *slot) {
        vault_put_hex(body, "salt", slot->salt, sizeof slot->salt);
        if (slot->kind == VAULT_SLOT_PASSPHRASE)
                json_object_set_new(body, "argon2id", argon2id_of(&slot->argon2id));
        vault_put_hex(body, "for_holder", slot->for_holder, sizeof slot->for_holder);
        vault_put_hex(body, "for_admin", slot->for_admin, sizeof slot->for_admin);
        vault_put_hex(body, "wrapped", slot->wrapped.data, slot->wrapped.n);
}

void vault_slot_encode(const struct vault_slot *slot, struct buf *ret) {
        json_t *body = json_object();

        vault_put_text(body, "kind", vault_slot_kind_text(slot->kind));
        vault_put_text(body, "role", vault_role_text(slot->role));
        vault_put_text(body, "label", slot->label ? slot->label : "");
        vault_put_time(body, "created", slot->created);
        if (slot->has_public)
                vault_put_hex(body, "public", slot->public, sizeof slot->public);
        if (slot->kind != VAULT_SLOT_RETIRED)
                put_keys(body, slot);
        vault_body_add(body, ret);
}

static enum err take_kind(const json_t *body, struct vault_slot *ret, struct err_note *note) {
        const char *label;
        unsigned kind, role;

        if (vault_take_word(body, "kind", slot_kinds, 4, &kind, note) ||
            vault_take_word(body, "role", roles, 3, &role, note) ||
            vault_take_text(body, "label", &label, note) ||
            vault_take_time(body, "created", &ret->created, note))
                return note->code;
        ret->kind = (enum vault_slot_kind)kind;
        ret->role = (enum vault_role)role;
        ret->label = mem_text(label);
        return ERR_NONE;
}

static enum err take_argon2id(const json_t *body, struct vault_argon2id *ret, struct err_note *note) {
        uint64_t memory, passes, lanes;
        json_t *json;

        if (vault_take_object(body, "argon2id", &json, note) ||
            vault_take_number(json, "passes", 1, PASSES_MAX, &passes, note) ||
            vault_take_number(json, "lanes", 1, LANES_MAX, &lanes, note) ||
            vault_take_number(json, "memory", MEMORY_KIB_PER_LANE * lanes, MEMORY_KIB_MAX, &memory, note))
                return note->code;
        *ret = (struct vault_argon2id){(uint32_t)memory, (uint32_t)passes, (uint32_t)lanes};
        return ERR_NONE;
}

static enum err take_wrapped(const json_t *body, struct buf *ret, struct err_note *note) {
        const char *text;
        size_t n;

        if (vault_take_text(body, "wrapped", &text, note))
                return note->code;
        n = strlen(text) / 2;
        if (n < VAULT_TAG_SIZE || n > VAULT_PAYLOAD_MAX + VAULT_TAG_SIZE)
                return err_set(note, ERR_CORRUPT, "\"wrapped\" is of %zu bytes", n);
        return vault_take_hex(body, "wrapped", buf_extend(ret, n), n, note);
}

static enum err take_public(const json_t *body, struct vault_slot *ret, struct err_note *note) {
        ret->has_public = ret->kind == VAULT_SLOT_RETIRED || !vault_member_is_null(body, "public");
        if (!ret->has_public)
                return ERR_NONE;
        return vault_take_hex(body, "public", ret->public, sizeof ret->public, note);
}

static enum err take_keys(const json_t *body, struct vault_slot *ret, struct err_note *note) {
        if (ret->kind == VAULT_SLOT_RETIRED)
                return ERR_NONE;
        if (vault_take_hex(body, "salt", ret->salt, sizeof ret->salt, note) ||
            vault_take_hex(body, "for_holder", ret->for_holder, sizeof ret->for_holder, note) ||
            vault_take_hex(body, "for_admin", ret->for_admin, sizeof ret->for_admin, note))
                return note->code;
        if (ret->kind == VAULT_SLOT_PASSPHRASE && take_argon2id(body, &ret->argon2id, note))
                return note->code;
        return take_wrapped(body, &ret->wrapped, note);
}

enum err vault_slot_decode(struct span text, struct vault_slot *ret, struct err_note *note) {
        AUTO(vault_slot_fini) struct vault_slot slot = {0};
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note) || take_kind(body, &slot, note) ||
            take_public(body, &slot, note) || take_keys(body, &slot, note))
                return err_wrap(note, "key slot");
        *ret = slot;
        slot = (struct vault_slot){0};
        return ERR_NONE;
}

/* ---- payload --------------------------------------------------------------------------------- */

void vault_payload_fini(struct vault_payload *payload) {
        explicit_bzero(payload, sizeof *payload);
}

static size_t size_of(const struct vault_payload *payload) {
        return VAULT_PAYLOAD_HEAD +
               ((size_t)payload->n_masters + payload->has_writer + payload->has_admin) * VAULT_KEY_SIZE;
}

static uint8_t *add_key(uint8_t *at, const uint8_t key[VAULT_KEY_SIZE]) {
        memcpy(at, key, VAULT_KEY_SIZE);
        return at + VAULT_KEY_SIZE;
}

void vault_payload_encode(const struct vault_payload *payload, struct buf *ret) {
        uint8_t *at = buf_extend(ret, size_of(payload)); /* at once: growing would leave a copy behind */

        at[0] = (uint8_t)(payload->n_masters >> 8);
        at[1] = (uint8_t)payload->n_masters;
        at[2] = (uint8_t)((payload->has_writer ? HAS_WRITER : 0) | (payload->has_admin ? HAS_ADMIN : 0));
        at = add_key(at + 4, payload->admin_public);
        for (unsigned i = 0; i < payload->n_masters; i++)
                at = add_key(at, payload->masters[i]);
        if (payload->has_writer)
                at = add_key(at, payload->writer);
        if (payload->has_admin)
                add_key(at, payload->admin);
}

static const uint8_t *take_key(const uint8_t *at, uint8_t ret[VAULT_KEY_SIZE]) {
        memcpy(ret, at, VAULT_KEY_SIZE);
        return at + VAULT_KEY_SIZE;
}

enum err vault_payload_decode(struct span bytes, struct vault_payload *ret, struct err_note *note) {
        AUTO(vault_payload_fini) struct vault_payload payload = {0};
        const uint8_t *at = bytes.data;

        if (bytes.n < VAULT_PAYLOAD_HEAD || at[2] & ~(HAS_WRITER | HAS_ADMIN) || at[3])
                return err_set(note, ERR_CORRUPT, "keys of a slot: no payload");
        payload.n_masters = (unsigned)(at[0] << 8 | at[1]);
        payload.has_writer = at[2] & HAS_WRITER;
        payload.has_admin = at[2] & HAS_ADMIN;
        if (payload.n_masters == 0 || payload.n_masters > VAULT_EPOCHS_MAX || bytes.n != size_of(&payload))
                return err_set(note, ERR_CORRUPT, "keys of a slot: %u masters in %zu bytes",
                               payload.n_masters, bytes.n);
        at = take_key(at + 4, payload.admin_public);
        for (unsigned i = 0; i < payload.n_masters; i++)
                at = take_key(at, payload.masters[i]);
        if (payload.has_writer)
                at = take_key(at, payload.writer);
        if (payload.has_admin)
                take_key(at, payload.admin);
        *ret = payload;
        return ERR_NONE;
}
