// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_path.h"

static const char text[] = "3f00112233445566778899aabbccddee";

static struct vault_name name_of(void) {
        struct vault_name name;

        assert_true(vault_name_parse(text, &name));
        return name;
}

static void each_kind_has_its_folder(void **state) {
        static const struct {
                enum vault_object_kind kind;
                const char *before, *behind;
        } rows[] = {
                {VAULT_KEY_SLOT, "keys/", ""},
                {VAULT_INDEX, "indexes/", ""},
                {VAULT_MANIFEST, "points/", ""},
                {VAULT_SEAL, "points/", ".ok"},
                {VAULT_SESSION, "sessions/", ""},
                {VAULT_SESSION_DONE, "sessions/", ".done"},
                {VAULT_SESSION_BROKEN, "sessions/", ".broken"},
                {VAULT_DOOM, "doomed/", ""},
                {VAULT_DROP, "drops/", ""},
                {VAULT_ADMIN_STATE, "admin/", ""},
                {VAULT_TAINT, "taints/", ""},
        };
        struct vault_name name = name_of();

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                char want[100];

                (void)snprintf(want, sizeof want, "%s%s%s", rows[i].before, text, rows[i].behind);
                assert_string_equal(vault_path_of(rows[i].kind, &name).s, want);
                assert_true(target_name_is_valid(want));
        }
        assert_string_equal(vault_path_of(VAULT_CONFIG, &name).s, "config");
}

static void packs_lie_by_their_first_digits(void **state) {
        struct vault_name name = name_of();

        (void)state;
        assert_string_equal(vault_pack_path(&name).s, "packs/3f/3f00112233445566778899aabbccddee");
}

static void a_path_says_its_name(void **state) {
        struct vault_name name = name_of(), got;

        (void)state;
        assert_true(vault_path_parse(vault_pack_path(&name).s, &got));
        assert_int_equal(vault_name_compare(&name, &got), 0);
        assert_true(vault_path_parse(text, &got));
        assert_false(vault_path_parse("indexes/3f00", &got));
        assert_false(vault_path_parse(vault_path_of(VAULT_SEAL, &name).s, &got));
        assert_false(vault_path_parse("config", &got));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind_has_its_folder),
                cmocka_unit_test(packs_lie_by_their_first_digits),
                cmocka_unit_test(a_path_says_its_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
