// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "slots_kit.h"

enum { HOLDERS = 4 };

/* An admin, a writer, a reader with words, the recovery key; the first one's keyring is the admin's. */
static struct vault_key holder(const struct slots_kit *kit, unsigned i) {
        return i == 2 ? kit_words("words") : i == 3 ? kit->recovery : kit_file((uint8_t)(i + 1));
}
static struct slots_kit house(void) {
        static const enum vault_role roles[HOLDERS] = {VAULT_ADMIN, VAULT_WRITER, VAULT_READER, VAULT_ADMIN};
        struct slots_kit kit = kit_new();

        for (unsigned i = 0; i < HOLDERS; i++)
                kit_add(&kit, holder(&kit, i), roles[i]);
        keyring_free(kit.admin);
        kit.admin = kit_open(&kit, kit_file(1));
        return kit;
}
static enum err rotate(struct slots_kit *kit, struct err_note *note) {
        return key_slots_rotate(kit->target, kit->io, &kit->config, kit->admin, note);
}

static void every_holder_has_the_new_master_though_absent(void **state) {
        AUTO(kit_free) struct slots_kit kit = house();
        AUTO(keyring_free) struct keyring *before = kit_open(&kit, kit_file(2));
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct err_note note = {0};

        (void)state;
        for (unsigned epoch = 1; epoch <= 3; epoch++) {
                assert_ok(rotate(&kit, &note));
                assert_int_equal(keyring_epoch(kit.admin), epoch);
                for (unsigned i = 0; i < HOLDERS; i++) {
                        AUTO(keyring_free) struct keyring *keyring = kit_open(&kit, holder(&kit, i));

                        assert_memory_equal(keyring->seals, kit.admin->seals, sizeof keyring->seals);
                        assert_memory_equal(&keyring->id, &before->id, sizeof before->id);
                        assert_int_equal(keyring_can_write(keyring), i != 2);
                        assert_int_equal(keyring_can_admin(keyring), i == 0 || i == 3);
                        if (i == 1)
                                assert_memory_equal(keyring->writer_public, before->writer_public, 32);
                }
        }
        rows = kit_rows(&kit, 0);
        assert_int_equal(rows.rows.n, HOLDERS);
}

static void who_was_removed_has_no_new_master(void **state) {
        AUTO(kit_free) struct slots_kit kit = house();
        AUTO(keyring_free) struct keyring *leaver = kit_open(&kit, kit_file(2));
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0}, left = {0};
        AUTO(crypt_key_fini) struct crypt_key own_key = {0};
        struct vault_key file = kit_file(2);
        AUTO(slot_holder_fini) struct slot_holder leaving = {.key = &file};
        struct err_note note = {0};

        (void)state;
        rows = kit_rows(&kit, 0);
        VEC_EACH (&rows.rows, row) {
                AUTO(crypt_key_fini) struct crypt_key key = {0};
                bool opens;

                assert_ok(slot_open_by_holder(&row->slot, &kit.vault, &leaving, &key, &opens, &note));
                if (opens) {
                        own_key = key;
                        assert_ok(key_slots_remove(kit.target, kit.io, &kit.config, kit.admin, &row->name,
                                                   &note));
                }
        }
        assert_ok(rotate(&kit, &note));
        left = kit_rows(&kit, 0);
        assert_int_equal(left.rows.n, HOLDERS);
        /* Neither with the file, nor with his slot's key, nor with all masters that he had. */
        VEC_EACH (&left.rows, row) {
                AUTO(vault_payload_fini) struct vault_payload payload = {0};
                AUTO(crypt_key_fini) struct crypt_key key = {0};
                bool opens;

                if (row->slot.kind == VAULT_SLOT_RETIRED)
                        continue;
                assert_ok(slot_open_by_holder(&row->slot, &kit.vault, &leaving, &key, &opens, &note));
                assert_false(opens);
                assert_int_equal(slot_unwrap(&row->slot, (struct slot_place){&kit.vault, &row->name},
                                             &own_key, &payload, &note),
                                 ERR_CORRUPT);
                assert_false(slot_open_by_admin(&row->slot, &kit.vault, leaver->payload.masters[0], &key));
        }
}

static void no_two_payloads_are_sealed_alike(void **state) {
        AUTO(kit_free) struct slots_kit kit = house();
        AUTO(vault_slot_rows_fini) struct vault_slot_rows before = {0}, after = {0};
        struct err_note note = {0};

        (void)state;
        before = kit_rows(&kit, 0);
        assert_ok(rotate(&kit, &note));
        after = kit_rows(&kit, 0);
        /* The beginning of a payload changes little; under one key and nonce it would be seen. */
        VEC_EACH (&before.rows, old)
                VEC_EACH (&after.rows, new)
                        assert_memory_not_equal(old->slot.wrapped.data + 4, new->slot.wrapped.data + 4, 64);
}

static void a_damaged_slot_stops_it_before_anything_is_done(void **state) {
        AUTO(kit_free) struct slots_kit kit = house();
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct target_sim_count before;
        struct err_note note = {0};

        (void)state;
        rows = kit_rows(&kit, 0);
        assert_true(target_sim_flip(kit.sim, slot_path_of(&rows.rows.data[2].name).s, 90, 1));
        before = target_sim_count(kit.sim);
        assert_err(rotate(&kit, &note), ERR_CORRUPT, "left behind");
        assert_int_equal(target_sim_count(kit.sim).changes, before.changes);
        assert_int_equal(keyring_epoch(kit.admin), 0);
}

/* Whatever happened on the way: each holder opens, and the next rotation ends it. */
static void expect_whole(struct slots_kit *kit, const struct keyring *before) {
        AUTO(vault_slot_rows_fini) struct vault_slot_rows rows = {0};
        struct err_note note = {0};
        unsigned newest = 0;

        for (unsigned i = 0; i < HOLDERS; i++) {
                AUTO(keyring_free) struct keyring *keyring = kit_open(kit, holder(kit, i));

                assert_memory_equal(keyring->payload.masters[0], before->payload.masters[0], 32);
                newest = keyring_epoch(keyring) > newest ? keyring_epoch(keyring) : newest;
        }
        keyring_free(kit->admin);
        kit->admin = kit_open(kit, kit_file(1));
        assert_ok(rotate(kit, &note));
        assert_in_range(keyring_epoch(kit->admin), newest ? newest : 1, 2);
        for (unsigned i = 0; i < HOLDERS; i++) {
                AUTO(keyring_free) struct keyring *keyring = kit_open(kit, holder(kit, i));

                assert_memory_equal(keyring->seals, kit->admin->seals, sizeof keyring->seals);
        }
        rows = kit_rows(kit, 0);
        assert_true(rows.rows.n >= HOLDERS);
}

static void a_rotation_that_is_broken_off_anywhere_leaves_nobody_out(void **state) {
        bool died = true;

        (void)state;
        for (uint64_t n = 2; died; n++) {
                AUTO(kit_free) struct slots_kit kit = house();
                AUTO(keyring_free) struct keyring *before = kit_open(&kit, kit_file(1));
                struct err_note note = {0};

                target_sim_die_at(kit.sim, n / 2, n % 2);
                (void)!rotate(&kit, &note);
                died = target_sim_is_dead(kit.sim);
                target_sim_restart(kit.sim);
                target_sim_settle(kit.sim);
                expect_whole(&kit, before);
        }
}

static void a_call_that_fails_anywhere_leaves_nobody_out(void **state) {
        enum err result = ERR_IO;

        (void)state;
        for (uint64_t n = 2; result; n++) {
                AUTO(kit_free) struct slots_kit kit = house();
                AUTO(keyring_free) struct keyring *before = kit_open(&kit, kit_file(1));
                struct err_note note = {0};

                target_sim_fail_at(kit.sim, n / 2, ERR_IO, n % 2);
                result = rotate(&kit, &note);
                target_sim_fail_at(kit.sim, 0, ERR_IO, false);
                assert_true(result == ERR_NONE || result == ERR_IO);
                if (result)
                        assert_int_equal(keyring_epoch(kit.admin), 0);
                target_sim_settle(kit.sim);
                expect_whole(&kit, before);
        }
}

static void an_end_comes_after_as_many_as_can_be(void **state) {
        AUTO(kit_free) struct slots_kit kit = kit_new();
        struct err_note note = {0};

        (void)state;
        kit_add(&kit, kit_file(1), VAULT_ADMIN);
        for (unsigned epoch = 1; epoch < VAULT_EPOCHS_MAX; epoch++)
                assert_ok(rotate(&kit, &note));
        assert_err(rotate(&kit, &note), ERR_TOO_LARGE, "255 times");
        keyring_free(kit_open(&kit, kit_file(1)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_holder_has_the_new_master_though_absent),
                cmocka_unit_test(who_was_removed_has_no_new_master),
                cmocka_unit_test(no_two_payloads_are_sealed_alike),
                cmocka_unit_test(a_damaged_slot_stops_it_before_anything_is_done),
                cmocka_unit_test(a_rotation_that_is_broken_off_anywhere_leaves_nobody_out),
                cmocka_unit_test(a_call_that_fails_anywhere_leaves_nobody_out),
                cmocka_unit_test(an_end_comes_after_as_many_as_can_be),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
