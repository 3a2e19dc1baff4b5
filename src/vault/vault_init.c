// SPDX-License-Identifier: Apache-2.0
#include "vault.h"

/* A vault is not made anew where one is.  What one left behind that came to no configuration does no harm:
 * its slots are of another admin. */
static enum err check_absent(struct target *target, struct err_note *note) {
        struct vault_path path = vault_path_of(VAULT_CONFIG, NULL);
        uint64_t size;
        enum err failed = target_size(target, path.s, &size, note);

        if (failed == ERR_NOT_FOUND)
                return ERR_NONE;
        if (failed)
                return note->code;
        return err_set(note, ERR_EXISTS, "%s: there is a vault already", target->where);
}

struct making {
        struct io *io;         /* borrowed */
        struct target *target; /* borrowed */
        struct vault_config config;
        struct keyring *keyring;     /* owned */
        struct vault_key recovery;   /* of an encrypted one; secret */
        const struct vault_key *key; /* borrowed; NULL: plain */
};
static void making_fini(struct making *making) {
        keyring_free_auto(&making->keyring);
        vault_key_fini(&making->recovery);
}
DEFINE_AUTO_IN_PLACE(struct making, making_fini);

static void make_keyring(struct making *making) {
        making->recovery.kind = VAULT_SLOT_RECOVERY;
        making->keyring = making->key
                                  ? keyring_new_random(making->io, &making->config.id, making->recovery.bytes)
                                  : keyring_new_plain(&making->config.id);
}

/* For the first admin, and for whoever has the recovery key. */
static enum err put_slots(struct making *making, struct err_note *note) {
        const struct key_slot_options first = {.role = VAULT_ADMIN, .label = "first admin"};
        const struct key_slot_options last = {.role = VAULT_ADMIN, .label = "recovery"};
        struct vault_name name;

        if (!making->key)
                return ERR_NONE;
        if (key_slots_add(making->target, making->io, &making->config, making->keyring, making->key, &first,
                          &name, note) ||
            key_slots_add(making->target, making->io, &making->config, making->keyring, &making->recovery,
                          &last, &name, note))
                return err_wrap(note, "make the vault's keys");
        return ERR_NONE;
}

static enum err make(struct making *making, struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};

        vault_name_random(making->io, &making->config.id);
        making->config.created = io_wall_ns(making->io) / 1000000000;
        making->config.is_encrypted = making->key != NULL;
        make_keyring(making);
        if (keyring_seal_config(making->keyring, &making->config, &object, note) || put_slots(making, note))
                return note->code;
        return target_put(making->target, vault_path_of(VAULT_CONFIG, NULL).s, object.data, object.n, note);
}

enum err vault_init(struct io *io, struct target *target, const struct vault_init_options *options,
                    struct vault **ret, struct vault_recovery_text *ret_recovery, struct err_note *note) {
        const struct vault_open_options as_made = {.key = options->key, .cache = options->cache};
        AUTO(making_fini)
        struct making making = {.io = io, .target = target, .config = options->config, .key = options->key};

        if (check_absent(target, note))
                return note->code;
        if (make(&making, note))
                return err_wrap(note, "make a vault");
        if (vault_open(io, target, &as_made, ret, note))
                return note->code;
        if (ret_recovery && options->key)
                *ret_recovery = vault_recovery_format(making.recovery.bytes, &making.config.id);
        return ERR_NONE;
}
