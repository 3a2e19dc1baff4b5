// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "slots_kit.h"

static void each_kind_of_key_opens_what_its_role_has(void **state) {
        static const char *words = "correct horse";
        AUTO(kit_free) struct slots_kit kit = kit_new();
        AUTO(keyring_free) struct keyring *by_file = NULL, *by_words = NULL, *by_recovery = NULL;

        (void)state;
        kit_add(&kit, kit_file(7), VAULT_WRITER);
        kit_add(&kit, kit_words(words), VAULT_READER);
        kit_add(&kit, kit.recovery, VAULT_ADMIN);
        by_file = kit_open(&kit, kit_file(7));
        by_words = kit_open(&kit, kit_words(words));
        by_recovery = kit_open(&kit, kit.recovery);
        assert_true(keyring_can_write(by_file) && !keyring_can_admin(by_file));
        assert_true(!keyring_can_write(by_words) && !keyring_can_admin(by_words));
        assert_true(keyring_can_write(by_recovery) && keyring_can_admin(by_recovery));
        assert_memory_equal(&by_file->id, &by_words->id, sizeof by_file->id);
        assert_memory_equal(&by_file->id, &kit.admin->id, sizeof by_file->id);
        /* what a role lacks is not there, rather than not used */
        assert_true(bytes_are_zero(by_file->payload.admin, VAULT_KEY_SIZE));
        assert_true(bytes_are_zero(by_words->payload.writer, VAULT_KEY_SIZE));
        assert_memory_not_equal(by_file->payload.writer, by_recovery->payload.writer, VAULT_KEY_SIZE);
}

static void a_wrong_key_is_told_with_what_there_is(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_key wrong = kit_words("wrong words");
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        assert_err(kit_try_open(&kit, kit_file(1), &keyring, &note), ERR_NOT_FOUND, "no key slots");
        kit_add(&kit, kit_file(7), VAULT_WRITER);
        kit_add(&kit, kit_file(8), VAULT_WRITER);
        kit_add(&kit, kit_words("a"), VAULT_READER);
        assert_err(kit_try_open(&kit, kit_file(9), &keyring, &note), ERR_DENIED,
                   "opens none of the vault's 3 key slots, of which 2 are of its kind (key-file)");
        assert_err(kit_try_open(&kit, wrong, &keyring, &note), ERR_DENIED, "1 are of its kind (passphrase)");
        assert_null(strstr(note.text, "wrong words"));
}

static void a_plain_vault_takes_no_key(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, kit_file(7), VAULT_WRITER);
        kit.config.is_encrypted = false;
        assert_err(kit_try_open(&kit, kit_file(7), &keyring, &note), ERR_DENIED, "not encrypted");
}

static void slots_of_another_vault_or_place_do_not_open(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        AUTO(buf_fini) struct buf object = {0};
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        kit.config.id.b[5] ^= 1;
        assert_err(kit_try_open(&kit, kit_file(7), &keyring, &note), ERR_DENIED, "opens none");
        kit.config.id.b[5] ^= 1;
        /* The same bytes under another name are damage. */
        assert_ok(target_get(kit.target, slot_path_of(&name).s, 1 << 16, &object, &note));
        assert_ok(target_remove(kit.target, slot_path_of(&name).s, &note));
        name.b[0] ^= 1;
        assert_ok(target_put(kit.target, slot_path_of(&name).s, object.data, object.n, &note));
        assert_err(kit_try_open(&kit, kit_file(7), &keyring, &note), ERR_CORRUPT, "1 key slots are damaged");
}

static void a_slot_that_the_admin_did_not_sign_counts_for_nothing(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        uint8_t zeros[VAULT_KEY_SIZE];
        AUTO(keyring_free) struct keyring *other = keyring_new_random(kit.io, &kit.vault, zeros);
        struct vault_key key = kit_file(7);
        struct vault_name name;
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(kit_try_add(&kit, other, &key, VAULT_ADMIN, &name, &note));
        assert_err(kit_try_open(&kit, key, &keyring, &note), ERR_CORRUPT, "not signed by the admin");
        kit_add(&kit, kit_file(8), VAULT_ADMIN);
        assert_err(kit_try_open(&kit, key, &keyring, &note), ERR_DENIED, "1 others are damaged");
}

/* He can sign slots of his own, and rewrite the configuration; he cannot make the slot of somebody else. */
static void an_exchanged_admin_is_noticed_by_every_holder(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        uint8_t usurper[VAULT_KEY_SIZE] = {5};
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, kit_file(7), VAULT_WRITER);
        rows = kit_rows(&kit, 0);
        /* The writer's own slot, signed by the usurper, as the configuration then wants it. */
        memcpy(kit.admin->payload.admin, usurper, sizeof usurper);
        crypt_public_of(usurper, kit.admin->payload.admin_public);
        memcpy(kit.config.admin, kit.admin->payload.admin_public, VAULT_KEY_SIZE);
        assert_ok(target_remove(kit.target, slot_path_of(&rows.rows.data[0].name).s, &note));
        assert_ok(key_slots_put(kit.target, kit.admin, &rows.rows.data[0].name, &rows.rows.data[0].slot,
                                &note));
        assert_err(kit_try_open(&kit, kit_file(7), &keyring, &note), ERR_CORRUPT, "names another admin");
}

static void any_flipped_bit_of_a_slot_is_noticed(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        struct slot_path path = slot_path_of(&name);
        uint64_t size;
        struct err_note note = {0};

        (void)state;
        assert_ok(target_size(kit.target, path.s, &size, &note));
        for (uint64_t at = 0; at < size; at++) {
                struct keyring *keyring = NULL;

                assert_true(target_sim_flip(kit.sim, path.s, at, (uint8_t)(1 << at % 8)));
                assert_err(kit_try_open(&kit, kit_file(7), &keyring, &note), ERR_CORRUPT, "damaged");
                assert_true(target_sim_flip(kit.sim, path.s, at, (uint8_t)(1 << at % 8)));
        }
        keyring_free(kit_open(&kit, kit_file(7)));
}

static void a_recovery_key_reads_without_any_slot(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        AUTO(keyring_free) struct keyring *keyring = NULL;
        AUTO(keyring_free) struct keyring *wrong = NULL;
        AUTO(buf_fini) struct buf config = {0};
        struct vault_key other = kit.recovery;
        struct err_note note = {0};

        (void)state;
        assert_ok(target_get(kit.target, "config", 1 << 16, &config, &note));
        keyring = kit_open(&kit, kit.recovery);
        assert_memory_equal(keyring->seals, kit.admin->seals, sizeof keyring->seals);
        assert_false(keyring_can_write(keyring) || keyring_can_admin(keyring));
        assert_ok(keyring_check_config(keyring, crypt_span(config.data, config.n), &note));
        other.bytes[0] ^= 1;
        wrong = kit_open(&kit, other);
        assert_err(keyring_check_config(wrong, crypt_span(config.data, config.n), &note), ERR_CORRUPT,
                   "another vault's");
        /* Where there is a slot for one, another key is a wrong one at once. */
        kit_add(&kit, kit.recovery, VAULT_ADMIN);
        keyring_free(TAKE(wrong));
        assert_err(kit_try_open(&kit, other, &wrong, &note), ERR_DENIED, "1 are of its kind (recovery)");
}

/* Everybody has the first master; only the recovery key, from which it is made, opens the recovery slot. */
static void the_first_master_does_not_open_the_recovery_slot(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_key master = {.kind = VAULT_SLOT_RECOVERY};
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, kit.recovery, VAULT_ADMIN);
        memcpy(master.bytes, kit.admin->payload.masters[0], VAULT_KEY_SIZE);
        assert_err(kit_try_open(&kit, master, &keyring, &note), ERR_DENIED, "opens none");
}

static void a_failing_target_is_no_wrong_key(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, kit_file(7), VAULT_WRITER);
        for (uint64_t n = 1;; n++) {
                target_sim_fail_at(kit.sim, n, ERR_IO, false);
                if (kit_try_open(&kit, kit_file(7), &keyring, &note) == ERR_NONE)
                        break;
                assert_int_equal(note.code, ERR_IO);
        }
        keyring_free(keyring);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind_of_key_opens_what_its_role_has),
                cmocka_unit_test(a_wrong_key_is_told_with_what_there_is),
                cmocka_unit_test(a_plain_vault_takes_no_key),
                cmocka_unit_test(slots_of_another_vault_or_place_do_not_open),
                cmocka_unit_test(a_slot_that_the_admin_did_not_sign_counts_for_nothing),
                cmocka_unit_test(an_exchanged_admin_is_noticed_by_every_holder),
                cmocka_unit_test(any_flipped_bit_of_a_slot_is_noticed),
                cmocka_unit_test(a_recovery_key_reads_without_any_slot),
                cmocka_unit_test(the_first_master_does_not_open_the_recovery_slot),
                cmocka_unit_test(a_failing_target_is_no_wrong_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
