// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "target_sim.h"

struct place {
        struct io *io;
        struct target_sim *target;
};

static void open_place(struct place *place) {
        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
}

static void close_place(struct place *place) {
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void make(struct place *place, bool is_encrypted, struct vault_name *ret) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct err_note note;

        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), is_encrypted, &vault, &note));
        *ret = vault->config.id;
}

static enum err try_open(struct place *place, const struct vault_open_options *options,
                         struct err_note *note) {
        AUTO(target_close) struct target *target = target_sim_open(place->target);
        AUTO(vault_close) struct vault *vault = NULL;

        if (vault_open(place->io, target, options, &vault, note))
                return note->code;
        (void)TAKE(target); /* it is the vault's now */
        return ERR_NONE;
}

static void what_was_made_is_opened(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(close_place) struct place place = {0};
                AUTO(vault_close) struct vault *vault = NULL;
                struct vault_name id;
                struct err_note note;

                open_place(&place);
                make(&place, is_encrypted, &id);
                assert_ok(fixture_vault_open(place.io, target_sim_open(place.target), is_encrypted, &vault,
                                             &note));
                assert_int_equal(vault_name_compare(&vault->config.id, &id), 0);
                assert_int_equal(vault->config.chunk, FIXTURE_CHUNK);
                assert_int_equal(vault->config.is_encrypted, is_encrypted);
                assert_true(keyring_can_write(vault->keyring) && keyring_can_admin(vault->keyring));
        }
}

static void where_a_vault_is_none_is_made(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_name id;
        struct err_note note;

        (void)state;
        open_place(&place);
        make(&place, true, &id);
        assert_err(fixture_vault_make(place.io, target_sim_open(place.target), true, &vault, &note),
                   ERR_EXISTS, "there is a vault already");
}

static void what_is_not_expected_is_refused(void **state) {
        const struct vault_key wrong = {.kind = VAULT_SLOT_KEY_FILE, .bytes = {99}};
        const struct vault_name other = {{1}};
        AUTO(close_place) struct place place = {0};
        AUTO(close_place) struct place plain = {0};
        struct vault_name id;
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_err(try_open(&place, &(struct vault_open_options){.key = NULL}, &note), ERR_NOT_FOUND,
                   "there is no vault");
        make(&place, true, &id);
        assert_err(try_open(&place, &(struct vault_open_options){.key = NULL}, &note), ERR_DENIED,
                   "a key is needed");
        assert_err(try_open(&place, &(struct vault_open_options){.key = &wrong}, &note), ERR_DENIED, "");
        assert_err(try_open(&place, &(struct vault_open_options){.key = fixture_key(), .expected_id = &other},
                            &note),
                   ERR_MISMATCH, "this is the vault");
        assert_ok(try_open(&place, &(struct vault_open_options){.key = fixture_key(), .expected_id = &id},
                           &note));
        open_place(&plain);
        make(&plain, false, &id);
        assert_err(try_open(&plain, &(struct vault_open_options){.key = fixture_key()}, &note), ERR_DENIED,
                   "is not encrypted");
}

static void the_recovery_key_opens_it(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(vault_key_fini) struct vault_key recovery = {.kind = VAULT_SLOT_KEY_FILE};
        struct vault_init_options options = {.key = fixture_key()};
        struct vault_recovery_text text;
        struct vault_name id;
        struct err_note note;

        (void)state;
        open_place(&place);
        vault_config_defaults(&options.config);
        assert_ok(vault_init(place.io, target_sim_open(place.target), &options, &vault, &text, &note));
        assert_true(vault_recovery_parse(text.s, &recovery, &id));
        assert_int_equal(vault_name_compare(&vault->config.id, &id), 0);
        vault_close(TAKE(vault));
        assert_ok(try_open(&place, &(struct vault_open_options){.key = &recovery}, &note));
}

static void names_of_a_folder_are_those_with_the_suffix(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(vault_names_fini) struct vault_names names = {0};
        struct vault_name name = {{5}};
        struct err_note note;

        (void)state;
        open_place(&place);
        assert_ok(fixture_vault_make(place.io, target_sim_open(place.target), true, &vault, &note));
        assert_ok(target_put(vault->target, vault_path_of(VAULT_SEAL, &name).s, "x", 1, &note));
        assert_ok(target_put(vault->target, vault_path_of(VAULT_MANIFEST, &name).s, "x", 1, &note));
        assert_ok(target_put(vault->target, "points/else", "x", 1, &note));
        assert_ok(vault_list_names(vault, "points/", ".ok", &names, &note));
        assert_int_equal(names.list.n, 1);
        assert_int_equal(vault_name_compare(&names.list.data[0], &name), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_made_is_opened),
                cmocka_unit_test(where_a_vault_is_none_is_made),
                cmocka_unit_test(what_is_not_expected_is_refused),
                cmocka_unit_test(the_recovery_key_opens_it),
                cmocka_unit_test(names_of_a_folder_are_those_with_the_suffix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
