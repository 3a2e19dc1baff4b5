// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "keyring_inside.h"
#include "keys_kit.h"

static void make(const struct keyring *keyring, struct buf *ret) {
        struct vault_config config = {0};
        struct err_note note = {0};

        vault_config_defaults(&config);
        config.created = 1732159242;
        assert_ok(keyring_seal_config(keyring, &config, ret, &note));
}

static enum err check(const struct keyring *keyring, const struct buf *object, struct err_note *note) {
        return keyring_check_config(keyring, crypt_span(object->data, object->n), note);
}

/* By a holder of all masters who has an admin's key of his own. */
static struct keyring *usurper(void) {
        AUTO_FREE struct vault_payload *payload = kit_payload(VAULT_ADMIN, 1);
        struct keyring *keyring = NULL;
        struct err_note note = {0};

        kit_seed(77, payload->admin);
        crypt_public_of(payload->admin, payload->admin_public);
        assert_ok(keyring_new(&kit_vault, payload, &keyring, &note));
        return keyring;
}

static void an_admins_configuration_is_good_for_all_and_read_without_a_key(void **state) {
        AUTO(buf_fini) struct buf object = {0};
        struct vault_config config;
        struct err_note note = {0};
        uint8_t admin_public[VAULT_KEY_SIZE];

        (void)state;
        for (enum vault_role role = VAULT_ADMIN; role <= VAULT_READER; role++) {
                AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
                AUTO(keyring_free) struct keyring *other = kit_keyring(role, 3);

                object.n = 0;
                make(admin, &object);
                assert_ok(check(other, &object, &note));
                assert_ok(config_open(crypt_span(object.data, object.n), &config, &note));
                assert_true(config.is_encrypted);
                assert_int_equal(vault_name_compare(&config.id, &kit_vault), 0);
                assert_true(keyring_admin_public(other, admin_public));
                assert_memory_equal(config.admin, admin_public, sizeof admin_public);
        }
}

static void only_an_admin_may_make_one(void **state) {
        AUTO(keyring_free) struct keyring *writer = kit_keyring(VAULT_WRITER, 1);
        AUTO(buf_fini) struct buf object = {0};
        struct vault_config config = {0};
        struct err_note note = {0};

        (void)state;
        vault_config_defaults(&config);
        assert_err(keyring_seal_config(writer, &config, &object, &note), ERR_DENIED, "only an admin's key");
}

static void a_plain_one_in_an_encrypted_ones_place_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit_vault);
        AUTO(keyring_free) struct keyring *writer = kit_keyring(VAULT_WRITER, 1);
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(buf_fini) struct buf open = {0}, sealed = {0};
        struct err_note note = {0};

        (void)state;
        make(plain, &open);
        make(admin, &sealed);
        assert_ok(check(plain, &open, &note));
        assert_err(check(writer, &open, &note), ERR_DENIED, "not encrypted, and a key was given");
        assert_err(check(plain, &sealed, &note), ERR_DENIED, "it needs a key");
}

static void another_vaults_is_a_mismatch(void **state) {
        AUTO_FREE struct vault_payload *payload = kit_payload(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *other = NULL;
        AUTO(keyring_free) struct keyring *writer = kit_keyring(VAULT_WRITER, 1);
        AUTO(buf_fini) struct buf object = {0};
        struct vault_name name = {{9}};
        struct err_note note = {0};

        (void)state;
        assert_ok(keyring_new(&name, payload, &other, &note));
        make(other, &object);
        assert_err(check(writer, &object, &note), ERR_MISMATCH, "that of vault 0900");
}

/* A holder knows the mac's key: only the admin's public key that came with each one's own keys stops him. */
static void a_holder_who_names_himself_admin_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *forger = usurper();
        AUTO(keyring_free) struct keyring *writer = kit_keyring(VAULT_WRITER, 1);
        AUTO(buf_fini) struct buf object = {0};
        struct err_note note = {0};

        (void)state;
        make(forger, &object);
        assert_ok(check(forger, &object, &note));
        assert_err(check(writer, &object, &note), ERR_CORRUPT, "not by the vault's admin");
}

static void any_altered_byte_is_noticed_also_with_a_right_sum(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(buf_fini) struct buf object = {0};
        struct vault_object whole;
        struct err_note note = {0};

        (void)state;
        make(admin, &object);
        assert_ok(vault_object_decode(crypt_span(object.data, object.n), VAULT_CONFIG, NULL, &whole, &note));
        for (size_t at = 0; at < whole.body.n; at++) {
                AUTO(buf_fini) struct buf body = {0}, forged = {0};
                struct vault_object_head head = whole.head;

                buf_add(&body, whole.body.data, whole.body.n);
                body.data[at] ^= 1;
                /* the old signature */
                vault_object_begin(&head, crypt_span(body.data, body.n), &forged);
                buf_add(&forged, whole.signer, VAULT_SIGNER_SIZE + VAULT_SIGNATURE_SIZE);
                vault_object_end(&forged);
                assert_int_not_equal(check(admin, &forged, &note), ERR_NONE);
        }
}

static void one_without_signature_or_mac_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(buf_fini) struct buf body = {0}, unsigned_one = {0}, unmaced = {0};
        struct vault_object_head head = {.kind = VAULT_CONFIG, .name = kit_vault};
        struct vault_config config = {0};
        struct err_note note = {0};

        (void)state;
        vault_config_defaults(&config);
        config.is_encrypted = true;
        assert_true(keyring_admin_public(admin, config.admin));
        vault_config_encode(&config, &body);
        vault_object_begin(&head, crypt_span(body.data, body.n), &unsigned_one);
        vault_object_end(&unsigned_one);
        assert_err(check(admin, &unsigned_one, &note), ERR_CORRUPT, "not signed");
        assert_err(config_open(crypt_span(unsigned_one.data, unsigned_one.n), &config, &note), ERR_CORRUPT,
                   "not signed");
        /* Signed, by one who has the admin's key and no master. */
        object_put_signed(&head, crypt_span(body.data, body.n), admin->payload.admin,
                          admin->payload.admin_public, &unmaced);
        assert_err(check(admin, &unmaced, &note), ERR_CORRUPT, "was altered");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_admins_configuration_is_good_for_all_and_read_without_a_key),
                cmocka_unit_test(only_an_admin_may_make_one),
                cmocka_unit_test(a_plain_one_in_an_encrypted_ones_place_is_refused),
                cmocka_unit_test(another_vaults_is_a_mismatch),
                cmocka_unit_test(a_holder_who_names_himself_admin_is_refused),
                cmocka_unit_test(any_altered_byte_is_noticed_also_with_a_right_sum),
                cmocka_unit_test(one_without_signature_or_mac_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
