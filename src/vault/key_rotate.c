// SPDX-License-Identifier: Apache-2.0
/* Rotation: why an admin can give everybody the new master, and whom it keeps out, is in
 * docs/why/030-rotation-reaches-the-absent.md. */
#include "key_slots_inside.h"

static enum err open_row(const struct keyring *admin, const struct vault_slot_row *row,
                         struct crypt_key *ret_key, struct vault_payload *ret, struct err_note *note) {
        if (!slot_open_by_admin(&row->slot, &admin->vault, admin->payload.admin, ret_key))
                return err_set(note, ERR_CORRUPT, "key slot %s: it does not open for the admin",
                               vault_name_format(&row->name).s);
        if (slot_unwrap(&row->slot, (struct slot_place){&admin->vault, &row->name}, ret_key, ret, note))
                return err_wrap(note, "key slot %s", vault_name_format(&row->name).s);
        return ERR_NONE;
}

/* Of two lists of masters one must be the beginning of the other. */
static bool agree(const struct vault_payload *a, const struct vault_payload *b) {
        unsigned n = a->n_masters < b->n_masters ? a->n_masters : b->n_masters;

        return crypt_equal(a->masters, b->masters, (size_t)n * VAULT_KEY_SIZE);
}

/* The longest list that any slot has.  Nothing is changed before each of them was opened. */
static enum err longest(const struct keyring *admin, const struct vault_slot_rows *rows,
                        struct vault_payload *ret, struct err_note *note) {
        *ret = admin->payload;
        VEC_EACH (&rows->rows, row) {
                AUTO(vault_payload_fini) struct vault_payload payload = {0};
                AUTO(crypt_key_fini) struct crypt_key key = {0};

                if (row->slot.kind == VAULT_SLOT_RETIRED)
                        continue;
                if (open_row(admin, row, &key, &payload, note))
                        return note->code;
                if (!agree(&payload, ret))
                        return err_set(note, ERR_CORRUPT, "key slot %s: it has other masters than this key",
                                       vault_name_format(&row->name).s);
                if (payload.n_masters > ret->n_masters)
                        *ret = payload;
        }
        return ERR_NONE;
}

static bool has_newer(const struct vault_slot_rows *rows, const struct vault_slot_row *old,
                      const bool *is_newest) {
        VEC_EACH (&rows->rows, row)
                if (is_newest[row - rows->rows.data] && row->slot.kind != VAULT_SLOT_RETIRED &&
                    memcmp(row->slot.salt, old->slot.salt, sizeof old->slot.salt) == 0)
                        return true;
        return false;
}

/* Puts the slot once more, with all masters, under a new name. */
static enum err rewrap(struct target *target, struct io *io, const struct keyring *admin,
                       struct vault_slot_row *row, const struct vault_payload *newest,
                       struct err_note *note) {
        AUTO(vault_payload_fini) struct vault_payload payload = {0};
        AUTO(crypt_key_fini) struct crypt_key key = {0};
        struct vault_name name;

        if (open_row(admin, row, &key, &payload, note))
                return note->code;
        payload.n_masters = newest->n_masters;
        memcpy(payload.masters, newest->masters, sizeof payload.masters);
        io_random(io, name.b, sizeof name.b);
        slot_wrap(&row->slot, (struct slot_place){&admin->vault, &name}, &key, &payload);
        return key_slots_put(target, admin, &name, &row->slot, note);
}

/* Which have all masters already: those of a rotation that was broken off. */
static enum err find_newest(const struct keyring *admin, const struct vault_slot_rows *rows,
                            unsigned n_masters, bool *ret, struct err_note *note) {
        VEC_EACH (&rows->rows, row) {
                AUTO(vault_payload_fini) struct vault_payload payload = {0};
                AUTO(crypt_key_fini) struct crypt_key key = {0};
                bool *is_newest = &ret[row - rows->rows.data];

                *is_newest = row->slot.kind == VAULT_SLOT_RETIRED;
                if (*is_newest)
                        continue;
                if (open_row(admin, row, &key, &payload, note))
                        return note->code;
                *is_newest = payload.n_masters == n_masters;
        }
        return ERR_NONE;
}

static enum err rewrap_all(struct target *target, struct io *io, const struct keyring *admin,
                           struct vault_slot_rows *rows, const struct vault_payload *newest,
                           struct err_note *note) {
        AUTO_FREE bool *is_newest = mem_zero(rows->rows.n + 1);

        if (find_newest(admin, rows, newest->n_masters, is_newest, note))
                return note->code;
        VEC_EACH (&rows->rows, row) {
                struct slot_path old = slot_path_of(&row->name);

                if (is_newest[row - rows->rows.data])
                        continue;
                /* The new one is there before the old one goes: the holder can always open one. */
                if (!has_newer(rows, row, is_newest) && rewrap(target, io, admin, row, newest, note))
                        return note->code;
                if (target_remove(target, old.s, note))
                        return note->code;
        }
        return ERR_NONE;
}

static bool some_are_behind(const struct vault_slot_rows *rows, const bool *is_newest) {
        for (size_t i = 0; i < rows->rows.n; i++)
                if (!is_newest[i])
                        return true;
        return false;
}

/* All masters that there will be: those of a rotation that was broken off, or one more. */
static enum err decide(const struct keyring *admin, struct io *dice, const struct vault_slot_rows *rows,
                       struct vault_payload *ret, struct err_note *note) {
        AUTO_FREE bool *is_newest = mem_zero(rows->rows.n + 1);

        if (longest(admin, rows, ret, note) || find_newest(admin, rows, ret->n_masters, is_newest, note))
                return note->code;
        if (some_are_behind(rows, is_newest) || ret->n_masters > admin->payload.n_masters)
                return ERR_NONE;
        if (ret->n_masters == VAULT_EPOCHS_MAX)
                return err_set(note, ERR_TOO_LARGE, "a vault's keys can be rotated %d times, and were",
                               VAULT_EPOCHS_MAX - 1);
        io_random(dice, ret->masters[ret->n_masters++], VAULT_KEY_SIZE);
        return ERR_NONE;
}

enum err key_slots_rotate(struct target *target, struct io *io, const struct vault_config *config,
                          struct keyring *admin, struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        AUTO(vault_payload_fini) struct vault_payload newest = {0};
        unsigned damaged;

        if (key_slots_look(target, config, admin, &rows, &damaged, note))
                return note->code;
        if (damaged)
                return err_set(
                        note, ERR_CORRUPT,
                        "%u key slots are damaged, and their holders would be left behind: remove them "
                        "first",
                        damaged);
        if (decide(admin, io, &rows, &newest, note) || rewrap_all(target, io, admin, &rows, &newest, note))
                return err_wrap(note, "rotate the keys");
        for (unsigned epoch = admin->payload.n_masters; epoch < newest.n_masters; epoch++)
                if (keyring_rotate(admin, newest.masters[epoch], note))
                        return err_wrap(note, "rotate the keys");
        return ERR_NONE;
}
