// SPDX-License-Identifier: Apache-2.0
#include "key_slots.h"

#include "key_slots_inside.h"
#include "text.h"

static const char folder[] = "keys/";
enum { SLOT_MAX = 64 << 10 };

/* ---- reading --------------------------------------------------------------------------------- */

void vault_slot_rows_fini(struct vault_slot_rows *rows) {
        VEC_EACH (&rows->rows, row)
                vault_slot_fini(&row->slot);
        vec_fini(&rows->rows);
}

/* No error of what is wrong with the object itself: *ret_is_good says. */
static enum err read_slot(struct target *target, const struct vault_config *config, const char *path,
                          struct vault_slot_row *ret, bool *ret_is_good, struct err_note *note) {
        AUTO(buf_fini) struct buf bytes = {0};
        struct vault_object object;
        struct vault_slot_row row = {0};
        struct err_note unused;

        *ret_is_good = false;
        if (!vault_name_parse(path + sizeof folder - 1, &row.name))
                return ERR_NONE;
        if (target_get(target, path, SLOT_MAX, &bytes, note))
                return note->code == ERR_TOO_LARGE ? ERR_NONE : note->code;
        if (vault_object_decode(crypt_span(bytes.data, bytes.n), VAULT_KEY_SLOT, &row.name, &object,
                                &unused) ||
            object.head.is_sealed || object_check_signed(&object, config->admin, &unused) ||
            vault_slot_decode(object.body, &row.slot, &unused))
                return ERR_NONE;
        *ret = row;
        *ret_is_good = true;
        return ERR_NONE;
}

enum err key_slots_list(struct target *target, const struct vault_config *config, struct vault_slot_rows *ret,
                        unsigned *ret_damaged, struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        AUTO(target_list_fini) struct target_list list = {0};
        unsigned damaged = 0;

        if (target_list(target, folder, &list, note))
                return err_wrap(note, "key slots");
        VEC_EACH (&list.items, item) {
                struct vault_slot_row row;
                bool is_good;

                if (read_slot(target, config, item->name, &row, &is_good, note)) {
                        /* A listing may have what was just removed. */
                        if (note->code == ERR_NOT_FOUND)
                                continue;
                        return err_wrap(note, "key slots");
                }
                if (is_good)
                        *vec_add(&rows.rows) = row;
                else
                        damaged++;
        }
        *ret = rows;
        rows = (struct vault_slot_rows){0};
        *ret_damaged = damaged;
        return ERR_NONE;
}

static bool names(const struct vault_slot_row *row, const uint8_t public[VAULT_KEY_SIZE]) {
        return row->slot.has_public && memcmp(row->slot.public, public, VAULT_KEY_SIZE) == 0;
}

bool key_slots_might_write(const struct vault_slot_rows *rows, const struct vault_config *config,
                           const uint8_t public[VAULT_KEY_SIZE]) {
        VEC_EACH (&rows->rows, row)
                if (names(row, public))
                        return true;
        return memcmp(config->admin, public, VAULT_KEY_SIZE) == 0;
}

bool key_slots_may_write(const struct vault_slot_rows *rows, const struct vault_config *config,
                         const uint8_t public[VAULT_KEY_SIZE]) {
        VEC_EACH (&rows->rows, row)
                /* Also where his slot is there still, or again. */
                if (names(row, public) && row->slot.kind == VAULT_SLOT_RETIRED)
                        return false;
        return key_slots_might_write(rows, config, public);
}

/* ---- changing -------------------------------------------------------------------------------- */

enum err key_slots_look(struct target *target, const struct vault_config *config, const struct keyring *admin,
                        struct vault_slot_rows *ret, unsigned *ret_damaged, struct err_note *note) {
        if (keyring_is_plain(admin))
                return err_set(note, ERR_DENIED, "the vault is not encrypted: it has no keys");
        if (!keyring_can_admin(admin))
                return err_set(note, ERR_DENIED, "only an admin's key may change the vault's keys");
        return key_slots_list(target, config, ret, ret_damaged, note);
}

struct slot_path slot_path_of(const struct vault_name *name) {
        struct slot_path path;

        snprintf(path.s, sizeof path.s, "%s%s", folder, vault_name_format(name).s);
        return path;
}

enum err key_slots_put(struct target *target, const struct keyring *admin, const struct vault_name *name,
                       const struct vault_slot *slot, struct err_note *note) {
        struct vault_object_head head = {.kind = VAULT_KEY_SLOT, .name = *name};
        AUTO(buf_fini) struct buf body = {0};
        AUTO(buf_fini) struct buf object = {0};

        vault_slot_encode(slot, &body);
        object_put_signed(&head, crypt_span(body.data, body.n), admin->payload.admin,
                          admin->payload.admin_public, &object);
        return target_put(target, slot_path_of(name).s, object.data, object.n, note);
}

static enum err refuse_known_key(const struct vault_slot_rows *rows, const struct keyring *admin,
                                 struct slot_holder *holder, struct err_note *note) {
        VEC_EACH (&rows->rows, row) {
                AUTO(crypt_key_fini) struct crypt_key key = {0};
                bool opens;

                if (slot_open_by_holder(&row->slot, &admin->vault, holder, &key, &opens, note))
                        return note->code;
                if (opens)
                        return err_set(note, ERR_EXISTS, "this key has the slot %s already",
                                       vault_name_format(&row->name).s);
        }
        return ERR_NONE;
}

/* What a holder of the role gets; a writer's key of his own. */
static void fill_payload(const struct keyring *admin, struct io *dice, enum vault_role role,
                         struct vault_slot *slot, struct vault_payload *ret) {
        *ret = admin->payload;
        ret->has_admin = role == VAULT_ADMIN;
        ret->has_writer = role != VAULT_READER;
        memset(ret->writer, 0, sizeof ret->writer);
        if (!ret->has_admin)
                memset(ret->admin, 0, sizeof ret->admin);
        slot->has_public = ret->has_writer;
        if (ret->has_writer) {
                io_random(dice, ret->writer, sizeof ret->writer);
                crypt_public_of(ret->writer, slot->public);
        }
}

static void fill_slot(struct io *io, const struct vault_key *key, const struct key_slot_options *options,
                      struct vault_slot *ret) {
        ret->kind = key->kind;
        ret->role = options->role;
        ret->label = mem_text(options->label ? options->label : "");
        ret->created = io_wall_ns(io) / INT64_C(1000000000);
        if (key->kind == VAULT_SLOT_PASSPHRASE)
                ret->argon2id = options->argon2id.passes ? options->argon2id
                                                         : (struct vault_argon2id){64 << 10, 3, 1};
}

enum err key_slots_add(struct target *target, struct io *io, const struct vault_config *config,
                       const struct keyring *admin, const struct vault_key *key,
                       const struct key_slot_options *options, struct vault_name *ret,
                       struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        AUTO(slot_holder_fini) struct slot_holder holder = {.key = key};
        AUTO(vault_slot_fini) struct vault_slot slot = {0};
        AUTO(vault_payload_fini) struct vault_payload payload = {0};
        AUTO(crypt_key_fini) struct crypt_key slot_key = {0};
        struct vault_name name;
        unsigned damaged;

        if (key_slots_look(target, config, admin, &rows, &damaged, note) ||
            refuse_known_key(&rows, admin, &holder, note))
                return note->code;
        io_random(io, name.b, sizeof name.b);
        fill_slot(io, key, options, &slot);
        fill_payload(admin, io, options->role, &slot, &payload);
        if (slot_begin(&slot, io, &admin->vault, &holder, admin->payload.admin, &slot_key, note))
                return note->code;
        slot_wrap(&slot, (struct slot_place){&admin->vault, &name}, &slot_key, &payload);
        if (key_slots_put(target, admin, &name, &slot, note))
                return err_wrap(note, "add a key");
        *ret = name;
        return ERR_NONE;
}

static const struct vault_slot_row *find(const struct vault_slot_rows *rows, const struct vault_name *name) {
        VEC_EACH (&rows->rows, row)
                if (vault_name_compare(&row->name, name) == 0)
                        return row;
        return NULL;
}

static bool another_admin(const struct vault_slot_rows *rows, const struct vault_slot_row *but) {
        VEC_EACH (&rows->rows, row)
                /* One that was half replaced is the same one. */
                if (row->slot.kind != VAULT_SLOT_RETIRED && row->slot.role == VAULT_ADMIN &&
                    memcmp(row->slot.salt, but->slot.salt, sizeof but->slot.salt) != 0)
                        return true;
        return false;
}

static enum err retire(struct target *target, struct io *io, const struct keyring *admin,
                       const struct vault_slot_rows *rows, const struct vault_slot *leaving,
                       struct err_note *note) {
        AUTO(vault_slot_fini) struct vault_slot slot = {.kind = VAULT_SLOT_RETIRED, .role = leaving->role};
        struct vault_name name;

        VEC_EACH (&rows->rows, row)
                if (row->slot.kind == VAULT_SLOT_RETIRED && names(row, leaving->public))
                        return ERR_NONE;
        io_random(io, name.b, sizeof name.b);
        slot.label = mem_text(leaving->label ? leaving->label : "");
        slot.created = io_wall_ns(io) / INT64_C(1000000000);
        slot.has_public = true;
        memcpy(slot.public, leaving->public, sizeof slot.public);
        return key_slots_put(target, admin, &name, &slot, note);
}

enum err key_slots_remove(struct target *target, struct io *io, const struct vault_config *config,
                          const struct keyring *admin, const struct vault_name *name, struct err_note *note) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        const struct vault_slot_row *row;
        unsigned damaged;

        if (key_slots_look(target, config, admin, &rows, &damaged, note))
                return note->code;
        row = find(&rows, name);
        if (row && row->slot.kind == VAULT_SLOT_RETIRED)
                return err_set(note, ERR_INVALID,
                               "key slot %s tells whose points are from before he was removed",
                               vault_name_format(name).s);
        if (row && row->slot.role == VAULT_ADMIN && !another_admin(&rows, row))
                return err_set(note, ERR_INVALID, "key slot %s is the last of an admin",
                               vault_name_format(name).s);
        /* First who he was: without it his points would be nobody's. */
        if (row && row->slot.has_public && retire(target, io, admin, &rows, &row->slot, note))
                return err_wrap(note, "remove a key");
        if (target_remove(target, slot_path_of(name).s, note))
                return err_wrap(note, "remove a key");
        return ERR_NONE;
}
