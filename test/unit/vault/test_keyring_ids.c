// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "keys_kit.h"

static uint8_t chunk[VAULT_CHUNK_MIN];
static struct vault_id ids[VAULT_NODE_IDS];

static void fill(void) {
        for (size_t i = 0; i < sizeof chunk; i++)
                chunk[i] = (uint8_t)(i % 251);
        for (size_t i = 0; i < VAULT_NODE_IDS; i++)
                ids[i] = (struct vault_id){{(uint8_t)i}};
}

/* Reckoned from docs/format/vault.md by another program. */
static void ids_are_what_the_format_says(void **state) {
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit_vault);
        AUTO(keyring_free) struct keyring *sealed = kit_keyring(VAULT_READER, 1);
        const struct keyring *rings[] = {plain, sealed};
        static const char *want[2][3] = {
                {"f9a971f64fd4a584cb6594875f45719e6f7a5b0aa5d7ec9d271897da4b8b8e92",
                 "c5ec2c399225320d57c0b4fd860b9f813e530c388bf377a3f5674ce2b2a6a6f9",
                 "edc5caa3ca02816e214a4cc71bbecb70bbee3eb7d4b63cc9a2d86743a2dac2d0"},
                {"863232f31f53e26479bc6585ea16af931b0abd0b61f9c21d192270c8111da73e",
                 "de385c49f9b829e01543c9dd4c21644fd387405a3eae17daf7be7fa8f1164b52",
                 "4466d817bc01eba26067e1929689e04c879fd05e546a14bec9ad29dc5811223c"}};

        (void)state;
        fill();
        for (size_t i = 0; i < 2; i++) {
                struct vault_id got[3];

                keyring_chunk_id(rings[i], chunk, sizeof chunk, &got[0]);
                keyring_node_id(rings[i], 2, ids, &got[1]);
                keyring_disk_id(rings[i], 0x123456789a, 65536, &ids[7], &got[2]);
                for (size_t j = 0; j < 3; j++)
                        assert_string_equal(vault_id_format(&got[j]).s, want[i][j]);
        }
}

static void zeros_have_the_null_id_and_a_disk_never(void **state) {
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_READER, 1);
        static const uint8_t zeros[VAULT_CHUNK_MIN];
        static const struct vault_id nulls[VAULT_NODE_IDS];
        struct vault_id id;

        (void)state;
        keyring_chunk_id(keyring, zeros, sizeof zeros, &id);
        assert_true(vault_id_is_null(&id));
        keyring_node_id(keyring, 1, nulls, &id);
        assert_true(vault_id_is_null(&id));
        keyring_disk_id(keyring, 0, 65536, nulls, &id);
        assert_false(vault_id_is_null(&id));
}

static void the_last_byte_counts(void **state) {
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_READER, 1);
        static uint8_t nearly[VAULT_CHUNK_MIN];
        struct vault_id id, other;

        (void)state;
        nearly[sizeof nearly - 1] = 1;
        keyring_chunk_id(keyring, nearly, sizeof nearly, &id);
        assert_false(vault_id_is_null(&id));
        nearly[sizeof nearly - 1] = 2;
        keyring_chunk_id(keyring, nearly, sizeof nearly, &other);
        assert_int_not_equal(vault_id_compare(&id, &other), 0);
}

static void nothing_of_one_sort_has_an_id_of_another(void **state) {
        AUTO(keyring_free) struct keyring *keyring = keyring_new_plain(&kit_vault);
        struct vault_id as_chunk, level_1, level_2;

        (void)state;
        fill();
        keyring_chunk_id(keyring, ids, sizeof ids, &as_chunk);
        keyring_node_id(keyring, 1, ids, &level_1);
        keyring_node_id(keyring, 2, ids, &level_2);
        assert_int_not_equal(vault_id_compare(&as_chunk, &level_1), 0);
        assert_int_not_equal(vault_id_compare(&level_1, &level_2), 0);
}

static void all_of_a_disk_is_in_its_id(void **state) {
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_READER, 1);
        struct vault_id id, other;

        (void)state;
        fill();
        keyring_disk_id(keyring, 1 << 20, 65536, &ids[1], &id);
        keyring_disk_id(keyring, (1 << 20) + 512, 65536, &ids[1], &other);
        assert_int_not_equal(vault_id_compare(&id, &other), 0);
        keyring_disk_id(keyring, 1 << 20, 131072, &ids[1], &other);
        assert_int_not_equal(vault_id_compare(&id, &other), 0);
        keyring_disk_id(keyring, 1 << 20, 65536, &ids[2], &other);
        assert_int_not_equal(vault_id_compare(&id, &other), 0);
}

static void a_rotation_leaves_ids_alone(void **state) {
        AUTO(keyring_free) struct keyring *one = kit_keyring(VAULT_READER, 1);
        AUTO(keyring_free) struct keyring *three = kit_keyring(VAULT_READER, 3);
        struct vault_id id, other;

        (void)state;
        fill();
        keyring_chunk_id(one, chunk, sizeof chunk, &id);
        keyring_chunk_id(three, chunk, sizeof chunk, &other);
        assert_int_equal(vault_id_compare(&id, &other), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ids_are_what_the_format_says),
                cmocka_unit_test(zeros_have_the_null_id_and_a_disk_never),
                cmocka_unit_test(the_last_byte_counts),
                cmocka_unit_test(nothing_of_one_sort_has_an_id_of_another),
                cmocka_unit_test(all_of_a_disk_is_in_its_id),
                cmocka_unit_test(a_rotation_leaves_ids_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
