// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "slots_kit.h"

static void a_slot_says_whose_it_is_and_keeps_no_secret(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct vault_name name = kit_add(&kit, kit_words("hidden words"), VAULT_WRITER);
        AUTO(keyring_free) struct keyring *writer = kit_open(&kit, kit_words("hidden words"));
        AUTO(buf_fini) struct buf object = {0};
        struct err_note note = {0};

        (void)state;
        rows = kit_rows(&kit, 0);
        assert_int_equal(rows.rows.n, 1);
        assert_int_equal(vault_name_compare(&rows.rows.data[0].name, &name), 0);
        assert_string_equal(rows.rows.data[0].slot.label, "somebody's");
        assert_int_equal(rows.rows.data[0].slot.role, VAULT_WRITER);
        assert_int_equal(rows.rows.data[0].slot.argon2id.memory_kib, 64);
        assert_ok(target_get(kit.target, slot_path_of(&name).s, 1 << 16, &object, &note));
        assert_null(memmem(object.data, object.n, "hidden", 6));
        assert_null(memmem(object.data, object.n, writer->payload.writer, 32));
}

static void passphrases_cost_what_they_should_unless_told(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct key_slot_options options = {.role = VAULT_READER};
        struct vault_key key = kit_words("x");
        struct vault_name name;
        struct err_note note = {0};

        (void)state;
        assert_ok(key_slots_add(kit.target, kit.io, &kit.config, kit.admin, &key, &options, &name, &note));
        rows = kit_rows(&kit, 0);
        assert_int_equal(rows.rows.data[0].slot.argon2id.memory_kib, 64 << 10);
        assert_int_equal(rows.rows.data[0].slot.argon2id.passes, 3);
        assert_int_equal(rows.rows.data[0].slot.argon2id.lanes, 1);
        keyring_free(kit_open(&kit, key));
}

static void only_an_admin_changes_keys(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        AUTO(keyring_free) struct keyring *writer = kit_open(&kit, kit_file(7));
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit.vault);
        struct vault_key key = kit_file(8);
        struct err_note note = {0};

        (void)state;
        assert_err(kit_try_add(&kit, writer, &key, VAULT_READER, &name, &note), ERR_DENIED,
                   "only an admin's");
        assert_err(kit_try_add(&kit, plain, &key, VAULT_READER, &name, &note), ERR_DENIED, "has no keys");
        assert_err(key_slots_remove(kit.target, kit.io, &kit.config, writer, &name, &note), ERR_DENIED,
                   "only an admin's");
        assert_err(key_slots_rotate(kit.target, kit.io, &kit.config, writer, &note), ERR_DENIED,
                   "only an admin's");
}

static void a_key_has_one_slot(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_key key = kit_file(7), words = kit_words("words");
        struct vault_name name;
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, key, VAULT_WRITER);
        kit_add(&kit, words, VAULT_WRITER);
        assert_err(kit_try_add(&kit, kit.admin, &key, VAULT_READER, &name, &note), ERR_EXISTS, "already");
        assert_err(kit_try_add(&kit, kit.admin, &words, VAULT_READER, &name, &note), ERR_EXISTS, "already");
}

static void a_removed_key_opens_nothing_and_the_last_admins_stays(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name admin = kit_add(&kit, kit_file(1), VAULT_ADMIN),
                          reader = kit_add(&kit, kit_file(2), VAULT_READER), second;
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &reader, &note));
        assert_err(kit_try_open(&kit, kit_file(2), &keyring, &note), ERR_DENIED, "opens none");
        assert_err(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &admin, &note), ERR_INVALID,
                   "the last of an admin");
        keyring_free(kit_open(&kit, kit_file(1)));
        second = kit_add(&kit, kit_file(3), VAULT_ADMIN);
        assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &admin, &note));
        assert_err(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &second, &note), ERR_INVALID,
                   "the last of an admin");
}

static void who_may_write_is_who_a_slot_names(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        AUTO(keyring_free) struct keyring *writer = kit_open(&kit, kit_file(7));
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        uint8_t public[VAULT_KEY_SIZE], nobody[VAULT_KEY_SIZE] = {0};

        (void)state;
        (void)name;
        kit_add(&kit, kit_file(8), VAULT_READER);
        rows = kit_rows(&kit, 0);
        assert_true(keyring_writer_public(writer, public));
        assert_true(key_slots_may_write(&rows, &kit.config, public));
        assert_true(key_slots_may_write(&rows, &kit.config, kit.config.admin));
        /* a reader's slot names nobody: not the key of zeros */
        assert_false(key_slots_may_write(&rows, &kit.config, nobody));
        assert_false(key_slots_might_write(&rows, &kit.config, nobody));
        public[0] ^= 1;
        assert_false(key_slots_may_write(&rows, &kit.config, public));
}

static void a_removed_writer_is_remembered_and_may_write_no_more(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        AUTO(keyring_free) struct keyring *writer = kit_open(&kit, kit_file(7));
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0}, again = {0};
        AUTO(buf_fini) struct buf slot = {0};
        uint8_t public[VAULT_KEY_SIZE];
        struct err_note note = {0};

        (void)state;
        assert_true(keyring_writer_public(writer, public));
        assert_ok(target_get(kit.target, slot_path_of(&name).s, 1 << 16, &slot, &note));
        assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &name, &note));
        rows = kit_rows(&kit, 0);
        assert_int_equal(rows.rows.n, 1);
        assert_int_equal(rows.rows.data[0].slot.kind, VAULT_SLOT_RETIRED);
        assert_string_equal(rows.rows.data[0].slot.label, "somebody's");
        assert_false(key_slots_may_write(&rows, &kit.config, public));
        assert_true(key_slots_might_write(&rows, &kit.config, public));
        assert_err(
                key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &rows.rows.data[0].name, &note),
                ERR_INVALID, "before he was removed");
        /* He who kept his slot and may put objects has it back, and is still retired. */
        assert_ok(target_put(kit.target, slot_path_of(&name).s, slot.data, slot.n, &note));
        again = kit_rows(&kit, 0);
        assert_int_equal(again.rows.n, 2);
        assert_false(key_slots_may_write(&again, &kit.config, public));
}

static void a_damaged_slot_can_be_removed(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct err_note note = {0};

        (void)state;
        assert_true(target_sim_flip(kit.sim, slot_path_of(&name).s, 80, 1));
        rows = kit_rows(&kit, 1);
        assert_int_equal(rows.rows.n, 0);
        assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &name, &note));
        vault_slot_rows_fini(&rows);
        rows = kit_rows(&kit, 0);
}

/* A dead admin at each change: the writer either has his slot, or is known to have been one. */
static void a_writer_is_never_forgotten(void **state) {
        (void)state;
        for (uint64_t n = 1; n <= 6; n++) {
                AUTO(kit_free) struct slots_kit kit = kit_new();
                struct vault_name name = kit_add(&kit, kit_file(7), VAULT_WRITER);
                AUTO(keyring_free) struct keyring *writer = kit_open(&kit, kit_file(7));
                AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0}, after = {0};
                uint8_t public[VAULT_KEY_SIZE];
                struct err_note note = {0};

                assert_true(keyring_writer_public(writer, public));
                target_sim_die_at(kit.sim, (n + 1) / 2, n % 2);
                (void)!key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &name, &note);
                target_sim_restart(kit.sim);
                rows = kit_rows(&kit, 0);
                assert_true(key_slots_might_write(&rows, &kit.config, public));
                assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &name, &note));
                after = kit_rows(&kit, 0);
                assert_int_equal(after.rows.n, 1);
                assert_true(key_slots_might_write(&after, &kit.config, public));
                assert_false(key_slots_may_write(&after, &kit.config, public));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_slot_says_whose_it_is_and_keeps_no_secret),
                cmocka_unit_test(passphrases_cost_what_they_should_unless_told),
                cmocka_unit_test(only_an_admin_changes_keys),
                cmocka_unit_test(a_key_has_one_slot),
                cmocka_unit_test(a_removed_key_opens_nothing_and_the_last_admins_stays),
                cmocka_unit_test(who_may_write_is_who_a_slot_names),
                cmocka_unit_test(a_removed_writer_is_remembered_and_may_write_no_more),
                cmocka_unit_test(a_damaged_slot_can_be_removed),
                cmocka_unit_test(a_writer_is_never_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
