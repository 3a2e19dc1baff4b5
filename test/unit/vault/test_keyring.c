// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"
#include "io_sim.h"
#include "keyring_inside.h"
#include "keys_kit.h"

static void each_role_has_its_keys_and_no_others(void **state) {
        static const struct {
                enum vault_role role;
                bool writes, rules;
        } cases[] = {{VAULT_ADMIN, true, true}, {VAULT_WRITER, true, false}, {VAULT_READER, false, false}};
        uint8_t public[VAULT_KEY_SIZE], other[VAULT_KEY_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO(keyring_free) struct keyring *keyring = kit_keyring(cases[i].role, 2);

                assert_false(keyring_is_plain(keyring));
                assert_int_equal(keyring_can_write(keyring), cases[i].writes);
                assert_int_equal(keyring_can_admin(keyring), cases[i].rules);
                assert_int_equal(keyring_writer_public(keyring, public), cases[i].writes);
                assert_int_equal(keyring_epoch(keyring), 1);
                assert_true(keyring_admin_public(keyring, i ? public : other));
                assert_true(i == 0 || memcmp(public, other, sizeof public) == 0);
        }
}

static void a_plain_one_may_all_and_has_no_keys(void **state) {
        AUTO(keyring_free) struct keyring *keyring = keyring_new_plain(&kit_vault);
        uint8_t public[VAULT_KEY_SIZE];

        (void)state;
        assert_true(keyring_is_plain(keyring));
        assert_true(keyring_can_write(keyring));
        assert_true(keyring_can_admin(keyring));
        assert_null(keyring_payload(keyring));
        assert_false(keyring_writer_public(keyring, public));
        assert_false(keyring_admin_public(keyring, public));
        assert_int_equal(keyring_epoch(keyring), 0);
}

static void keys_that_do_not_belong_together_are_refused(void **state) {
        AUTO_FREE struct vault_payload *payload = kit_payload(VAULT_ADMIN, 1);
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        payload->admin_public[0] ^= 1;
        assert_err(keyring_new(&kit_vault, payload, &keyring, &note), ERR_CORRUPT, "do not belong together");
        payload->admin_public[0] ^= 1;
        payload->n_masters = 0;
        assert_err(keyring_new(&kit_vault, payload, &keyring, &note), ERR_CORRUPT, "0 masters");
        payload->n_masters = VAULT_EPOCHS_MAX + 1;
        assert_err(keyring_new(&kit_vault, payload, &keyring, &note), ERR_CORRUPT, "257 masters");
}

static void every_key_is_another(void **state) {
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_ADMIN, 3);
        const uint8_t *keys[] = {keyring->id.b,       keyring->config.b,   keyring->seals[0].b,
                                 keyring->seals[1].b, keyring->seals[2].b, keyring->payload.masters[0]};

        (void)state;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(keys[i], keys[j], VAULT_KEY_SIZE);
}

static void another_vault_has_other_keys_of_the_same_master(void **state) {
        AUTO_FREE struct vault_payload *payload = kit_payload(VAULT_READER, 1);
        AUTO(keyring_free) struct keyring *one = kit_keyring(VAULT_READER, 1);
        AUTO(keyring_free) struct keyring *other = NULL;
        struct vault_name name = {{9}};
        struct err_note note = {0};

        (void)state;
        assert_ok(keyring_new(&name, payload, &other, &note));
        assert_memory_not_equal(&one->id, &other->id, sizeof one->id);
        assert_memory_not_equal(&one->seals[0], &other->seals[0], sizeof one->id);
}

static void keys_are_derived_as_the_format_says(void **state) {
        /* Reckoned from docs/format/vault.md by another program. */
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_READER, 2);
        static const char *want[] = {"8f4865e9e76b5cb505bcc68924363811c89b5c8a12288376e60ba487563eaef5",
                                     "6f1d5c5a60ae8d44929a512f01adbdaab9f57517c6330ee56d2e375bb440378d",
                                     "0dd9a80af8ea0c25cafcec7ad7b20b0884b87d93ebb67f503e58e62d197d6fa1",
                                     "84684aeb11a9127a34d2d9af945de569ca3d1ab8785569413b13ef1b53897815",
                                     "cac6d0a6ab0ded8863e0e510fbd83e6d00e34f39fa741a5a1894d9221e562109"};
        uint8_t recovery[VAULT_KEY_SIZE], first[VAULT_KEY_SIZE];
        const uint8_t *got[] = {keyring->id.b, keyring->config.b, keyring->seals[0].b, keyring->seals[1].b,
                                first};

        (void)state;
        kit_seed(200, recovery);
        keyring_first_master(&kit_vault, recovery, first);
        for (size_t i = 0; i < 5; i++) {
                uint8_t bytes[VAULT_KEY_SIZE];

                assert_true(hex_parse(want[i], bytes, sizeof bytes));
                assert_memory_equal(got[i], bytes, sizeof bytes);
        }
}

static void a_rotation_adds_a_master_and_keeps_ids(void **state) {
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *both = kit_keyring(VAULT_ADMIN, 2);
        struct crypt_key id = keyring->id;
        uint8_t master[VAULT_KEY_SIZE];
        struct err_note note = {0};

        (void)state;
        kit_seed(11, master);
        assert_ok(keyring_rotate(keyring, master, &note));
        assert_int_equal(keyring_epoch(keyring), 1);
        assert_memory_equal(&keyring->id, &id, sizeof id);
        assert_memory_equal(keyring, both, sizeof *both);
        for (unsigned i = 2; i < VAULT_EPOCHS_MAX; i++)
                assert_ok(keyring_rotate(keyring, master, &note));
        assert_err(keyring_rotate(keyring, master, &note), ERR_TOO_LARGE, "255 times");
}

static void a_new_vaults_keys_follow_from_its_recovery_key(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 << 20);
        uint8_t recovery[VAULT_KEY_SIZE], again[VAULT_KEY_SIZE], first[VAULT_KEY_SIZE];
        AUTO(keyring_free) struct keyring *keyring = keyring_new_random(io, &kit_vault, recovery);
        AUTO(keyring_free) struct keyring *other = keyring_new_random(io, &kit_vault, again);

        (void)state;
        keyring_first_master(&kit_vault, recovery, first);
        assert_memory_equal(keyring_payload(keyring)->masters[0], first, sizeof first);
        assert_memory_not_equal(recovery, first, sizeof first);
        assert_memory_not_equal(recovery, again, sizeof again);
        assert_memory_not_equal(keyring_payload(keyring)->admin, keyring_payload(other)->admin, 32);
        assert_true(keyring_can_admin(keyring));
        assert_false(keyring_can_write(keyring));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_role_has_its_keys_and_no_others),
                cmocka_unit_test(a_plain_one_may_all_and_has_no_keys),
                cmocka_unit_test(keys_that_do_not_belong_together_are_refused),
                cmocka_unit_test(every_key_is_another),
                cmocka_unit_test(another_vault_has_other_keys_of_the_same_master),
                cmocka_unit_test(keys_are_derived_as_the_format_says),
                cmocka_unit_test(a_rotation_adds_a_master_and_keeps_ids),
                cmocka_unit_test(a_new_vaults_keys_follow_from_its_recovery_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
