// SPDX-License-Identifier: Apache-2.0
/* A vault that has nothing but its configuration and keys, in memory. */
#ifndef TEST_VAULT_SLOTS_KIT_H
#define TEST_VAULT_SLOTS_KIT_H

#include "check.h"
#include "io_sim.h"
#include "key_slots_inside.h"
#include "target_sim.h"

struct slots_kit {
        struct io *io;          /* owned */
        struct target_sim *sim; /* owned */
        struct target *target;  /* owned */
        struct vault_name vault;
        struct keyring *admin; /* owned; of the recovery key */
        struct vault_config config;
        struct vault_key recovery;
};

static inline struct slots_kit kit_new(void) {
        struct slots_kit kit = {.io = io_sim_new(1, 1 << 20), .sim = target_sim_new(1), .vault = {{1, 2, 3}}};
        AUTO(buf_fini) struct buf object = {0};
        struct err_note note = {0};

        kit.target = target_sim_open(kit.sim);
        kit.recovery.kind = VAULT_SLOT_RECOVERY;
        kit.admin = keyring_new_random(kit.io, &kit.vault, kit.recovery.bytes);
        vault_config_defaults(&kit.config);
        assert_ok(keyring_seal_config(kit.admin, &kit.config, &object, &note));
        assert_ok(target_put(kit.target, "config", object.data, object.n, &note));
        return kit;
}

static inline void kit_free(struct slots_kit *kit) {
        keyring_free(kit->admin);
        target_close(kit->target);
        target_sim_free(kit->sim);
        io_free(kit->io);
}
DEFINE_AUTO_IN_PLACE(struct slots_kit, kit_free);

static inline struct vault_key kit_file(uint8_t first) {
        struct vault_key key = {.kind = VAULT_SLOT_KEY_FILE};

        memset(key.bytes, first, sizeof key.bytes);
        return key;
}
static inline struct vault_key kit_words(const char *words) {
        struct vault_key key = {.kind = VAULT_SLOT_PASSPHRASE};

        snprintf(key.passphrase, sizeof key.passphrase, "%s", words);
        return key;
}

/* Cheap passphrases: what they cost is not tried here. */
static inline enum err kit_try_add(struct slots_kit *kit, const struct keyring *admin,
                                   const struct vault_key *key, enum vault_role role, struct vault_name *ret,
                                   struct err_note *note) {
        struct key_slot_options options = {.role = role, .label = "somebody's", .argon2id = {64, 1, 1}};

        return key_slots_add(kit->target, kit->io, &kit->config, admin, key, &options, ret, note);
}
static inline struct vault_name kit_add(struct slots_kit *kit, struct vault_key key, enum vault_role role) {
        struct vault_name name = {{0}};
        struct err_note note = {0};

        assert_ok(kit_try_add(kit, kit->admin, &key, role, &name, &note));
        return name;
}

static inline enum err kit_try_open(struct slots_kit *kit, struct vault_key key, struct keyring **ret,
                                    struct err_note *note) {
        return key_open(kit->target, &kit->config, &key, ret, note);
}
static inline struct keyring *kit_open(struct slots_kit *kit, struct vault_key key) {
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        assert_ok(kit_try_open(kit, key, &keyring, &note));
        return keyring;
}

static inline struct vault_slot_rows kit_rows(struct slots_kit *kit, unsigned want_damaged) {
        struct vault_slot_rows rows = {0};
        struct err_note note = {0};
        unsigned damaged;

        assert_ok(key_slots_list(kit->target, &kit->config, &rows, &damaged, &note));
        assert_int_equal(damaged, want_damaged);
        return rows;
}

#endif
