// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <ctype.h>

#include "vault_key.h"

static const struct vault_name vault = {{0xc1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct vault_recovery_text text_of(void) {
        uint8_t key[VAULT_KEY_SIZE];

        for (unsigned i = 0; i < sizeof key; i++)
                key[i] = (uint8_t)(i * 5 + 1);
        return vault_recovery_format(key, &vault);
}

static void a_recovery_key_is_written_as_the_format_says(void **state) {
        (void)state;
        /* Reckoned from docs/format/vault.md by another program. */
        assert_string_equal(text_of().s, "catena-recovery-1-0430P-40N38-FJ8A9-E6CW3-TGJ79-H8NCP-V0CNN-6YX3S-"
                                         "FT1RH-3CJJY-EC20G-30G2G-C1R81-450P3-0D1R7-H1J7N");
}

static void it_is_read_as_people_write_it(void **state) {
        struct vault_recovery_text text = text_of(), lower = text, bare = {0}, confused = text;
        const char *texts[] = {text.s, lower.s, bare.s, confused.s};
        size_t n = strlen("catena-recovery-1-");

        (void)state;
        for (char *c = lower.s; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        memcpy(bare.s, text.s, n);
        for (const char *c = text.s + n; *c; c++)
                if (*c != '-')
                        bare.s[n++] = *c;
        for (char *c = confused.s + strlen("catena-recovery-1-"); *c; c++)
                *c = *c == '0' ? 'o' : *c == '1' ? 'l' : *c == '-' ? ' ' : *c;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                AUTO(vault_key_fini) struct vault_key key = {0};
                struct vault_name name;

                assert_true(vault_recovery_parse(texts[i], &key, &name));
                assert_int_equal(key.kind, VAULT_SLOT_RECOVERY);
                assert_int_equal(key.bytes[31], 31 * 5 + 1);
                assert_int_equal(vault_name_compare(&name, &vault), 0);
        }
}

static void one_wrong_character_is_noticed(void **state) {
        struct vault_recovery_text text = text_of();
        struct vault_key key;
        struct vault_name name;

        (void)state;
        for (char *c = text.s; *c; c++) {
                char was = *c;

                if (was == '-' && c > text.s + 17)
                        continue;
                *c = was == 'Z' ? 'Y' : 'Z';
                assert_false(vault_recovery_parse(text.s, &key, &name));
                *c = 'U';
                assert_false(vault_recovery_parse(text.s, &key, &name));
                *c = was;
        }
        text.s[strlen(text.s) - 1] = 0;
        assert_false(vault_recovery_parse(text.s, &key, &name));
        assert_false(vault_recovery_parse("", &key, &name));
        assert_false(vault_recovery_parse("catena-recovery-2-", &key, &name));
        strcpy(text.s, text_of().s);
        strcat(text.s, "0");
        assert_false(vault_recovery_parse(text.s, &key, &name));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_recovery_key_is_written_as_the_format_says),
                cmocka_unit_test(it_is_read_as_people_write_it),
                cmocka_unit_test(one_wrong_character_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
