// SPDX-License-Identifier: Apache-2.0
#include "key_slots_inside.h"

/* The one of two that can do more; after a rotation that was broken off a holder has two slots. */
static bool is_better(const struct vault_payload *a, const struct vault_payload *b) {
        if (a->n_masters != b->n_masters)
                return a->n_masters > b->n_masters;
        if (a->has_admin != b->has_admin)
                return a->has_admin;
        return a->has_writer && !b->has_writer;
}

static enum err try_slot(const struct vault_config *config, const struct vault_slot_row *row,
                         struct slot_holder *holder, struct vault_payload *best, struct err_note *note) {
        AUTO(crypt_key_fini) struct crypt_key slot_key = {0};
        AUTO(vault_payload_fini) struct vault_payload payload = {0};
        bool opens;

        if (slot_open_by_holder(&row->slot, &config->id, holder, &slot_key, &opens, note))
                return note->code;
        if (!opens)
                return ERR_NONE;
        if (slot_unwrap(&row->slot, (struct slot_place){&config->id, &row->name}, &slot_key, &payload, note))
                return err_wrap(note, "key slot %s", vault_name_format(&row->name).s);
        if (best->n_masters == 0 || is_better(&payload, best))
                *best = payload;
        return ERR_NONE;
}

static unsigned count(const struct vault_slot_rows *rows, enum vault_slot_kind kind) {
        unsigned n = 0;

        VEC_EACH (&rows->rows, row)
                n += row->slot.kind == kind;
        return n;
}

static enum err say_why(const struct vault_slot_rows *rows, unsigned damaged, enum vault_slot_kind kind,
                        struct err_note *note) {
        if (rows->rows.n == 0 && damaged == 0)
                return err_set(note, ERR_NOT_FOUND, "the vault has no key slots");
        if (rows->rows.n == 0)
                return err_set(
                        note, ERR_CORRUPT,
                        "%u key slots are damaged, or not signed by the admin that the configuration names",
                        damaged);
        return err_set(
                note, ERR_DENIED,
                "the key opens none of the vault's %zu key slots, of which %u are of its kind (%s); %u "
                "others are damaged",
                rows->rows.n, count(rows, kind), vault_slot_kind_text(kind), damaged);
}

/* Without a slot of its own a recovery key reads what the first master sealed. */
static void take_first_master(const struct vault_config *config, const struct vault_key *key,
                              struct vault_payload *ret) {
        *ret = (struct vault_payload){.n_masters = 1};
        keyring_first_master(&config->id, key->bytes, ret->masters[0]);
        memcpy(ret->admin_public, config->admin, sizeof ret->admin_public);
}

enum err key_open(struct target *target, const struct vault_config *config, const struct vault_key *key,
                  struct keyring **ret, struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        AUTO(slot_holder_fini) struct slot_holder holder = {.key = key};
        AUTO(vault_payload_fini) struct vault_payload best = {0};
        unsigned damaged;

        if (!config->is_encrypted)
                return err_set(note, ERR_DENIED, "the vault is not encrypted, and a key was given for it");
        if (key_slots_list(target, config, &rows, &damaged, note))
                return note->code;
        VEC_EACH (&rows.rows, row)
                if (try_slot(config, row, &holder, &best, note))
                        return note->code;
        if (best.n_masters == 0 && key->kind == VAULT_SLOT_RECOVERY && count(&rows, VAULT_SLOT_RECOVERY) == 0)
                take_first_master(config, key, &best);
        if (best.n_masters == 0)
                return say_why(&rows, damaged, key->kind, note);
        if (!crypt_equal(best.admin_public, config->admin, sizeof config->admin))
                return err_set(note, ERR_CORRUPT,
                               "the configuration names another admin than the key's slot: it was altered");
        return keyring_new(&config->id, &best, ret, note);
}
