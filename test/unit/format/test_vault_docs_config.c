// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_docs.h"
#include "vault_kit.h"

#define DIGITS_32 "0123456789abcdef0123456789abcdef"
#define KEY       DIGITS_32 DIGITS_32

/* Ours may never look otherwise: its mac is of this text. */
static const char golden[] =
        "{\"admin\":\"" KEY "\",\"append_only\":true,\"autoclear\":[],\"chunk\":262144,\"compatible\":[],"
        "\"compression\":{\"level\":1,\"method\":\"zstd\"},\"created\":\"2024-11-21T03:20:42Z\","
        "\"encryption\":\"aes-256-gcm\",\"format\":1,\"incompatible\":[],\"list_lag_seconds\":120,"
        "\"mac\":\"" KEY "\",\"pack\":33554432}";
static const char plain[] =
        "{\"append_only\":false,\"autoclear\":[],\"chunk\":65536,\"compatible\":[],"
        "\"compression\":{\"method\":\"none\"},\"created\":\"2024-11-21T03:20:42Z\","
        "\"encryption\":\"none\",\"format\":1,\"incompatible\":[],\"list_lag_seconds\":0,\"pack\":65536}";

static void the_text_is_what_it_was(void **state) {
        struct vault_config config, again;
        AUTO(buf_fini) struct buf buf = {0}, second = {0};
        struct err_note note = {0};

        (void)state;
        vault_config_defaults(&config);
        config.created = 1732159242;
        config.is_append_only = true;
        config.list_lag_seconds = 120;
        for (int i = 0; i < VAULT_KEY_SIZE; i++)
                config.admin[i] = config.mac[i] = (uint8_t)(0x01 + 0x22 * (i % 8));
        vault_config_encode(&config, &buf);
        assert_string_equal(buf_text(&buf), golden);
        assert_ok(vault_config_decode((struct span){buf.data, buf.n}, &again, &note));
        vault_config_encode(&again, &second);
        assert_string_equal(buf_text(&second), golden);
}

static void a_plain_vault_has_no_keys(void **state) {
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};
        struct vault_config config;

        (void)state;
        assert_ok(vault_config_decode(body_with(&buf, plain, NULL, NULL), &config, &note));
        assert_true(!config.is_encrypted && !config.compresses && config.chunk == 65536 &&
                    config.pack == 65536);
        vault_config_encode(&config, &again);
        assert_string_equal(buf_text(&again), plain);
}

static void what_cannot_be_is_refused_with_its_member(void **state) {
        static const struct {
                const char *key, *value;
                enum err code;
                const char *words;
        } table[] = {
                {"unknown", "{\"a\":[]}", ERR_NONE, ""},
                {"compatible", "[\"x\"]", ERR_NONE, ""},
                {"format", "2", ERR_UNSUPPORTED, "configuration: format 2"},
                {"format", NULL, ERR_CORRUPT, "\"format\" is missing"},
                {"incompatible", "[\"holes\"]", ERR_UNSUPPORTED, "configuration: feature \"holes\""},
                {"incompatible", "[1]", ERR_UNSUPPORTED, "feature \"?\""},
                {"incompatible", "{}", ERR_CORRUPT, "incompatible"},
                {"incompatible", NULL, ERR_CORRUPT, "incompatible"},
                {"chunk", "98304", ERR_CORRUPT, "power of two"},
                {"chunk", "32768", ERR_CORRUPT, "\"chunk\" is 32768"},
                {"chunk", "8388608", ERR_CORRUPT, "chunk"},
                {"pack", "262143", ERR_CORRUPT, "pack"},
                {"pack", "1073741825", ERR_CORRUPT, "pack"},
                {"pack", "1073741824", ERR_NONE, ""},
                {"compression", "{\"method\":\"zstd\",\"level\":23}", ERR_CORRUPT, "level"},
                {"compression", "{\"method\":\"zstd\"}", ERR_CORRUPT, "level"},
                {"compression", "{\"method\":\"lzma\"}", ERR_UNSUPPORTED, "lzma"},
                {"compression", "\"none\"", ERR_CORRUPT, "compression"},
                {"encryption", "\"rot13\"", ERR_UNSUPPORTED, "rot13"},
                {"encryption", NULL, ERR_CORRUPT, "encryption"},
                {"admin", NULL, ERR_CORRUPT, "admin"},
                {"mac", "\"00\"", ERR_CORRUPT, "mac"},
                {"created", "\"yesterday\"", ERR_CORRUPT, "created"},
                {"append_only", "0", ERR_CORRUPT, "append_only"},
                {"list_lag_seconds", "86401", ERR_CORRUPT, "list_lag_seconds"},
        };
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct vault_config config;

                assert_err(vault_config_decode(body_with(&buf, golden, table[i].key, table[i].value), &config,
                                               &note),
                           table[i].code, table[i].words);
        }
}

static void the_mac_is_of_all_else_however_it_is_written(void **state) {
        AUTO(buf_fini) struct buf buf = {0}, first = {0}, second = {0};
        AUTO(json_decref) json_t *body = json_loads(golden, 0, NULL);
        struct err_note note = {0};

        (void)state;
        json_object_set_new(body, "later", json_string("\xc3\xbc"));
        assert_ok(json_text_encode(body, JSON_INDENT(3), &buf, &note));
        assert_ok(vault_config_mac_text((struct span){buf.data, buf.n}, &first, &note));
        json_object_set_new(body, "mac", json_string("other"));
        assert_ok(json_text_encode(body, JSON_COMPACT | JSON_SORT_KEYS, &second, &note));
        assert_non_null(strstr(buf_text(&first), "\"later\":\"\xc3\xbc\",\"list_lag_seconds\":120,\"pack\""));
        assert_int_equal(first.n + strlen("\"mac\":\"other\","), second.n);
        assert_err(vault_config_mac_text((struct span){NULL, 0}, &first, &note), ERR_CORRUPT,
                   "configuration");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_text_is_what_it_was),
                cmocka_unit_test(a_plain_vault_has_no_keys),
                cmocka_unit_test(what_cannot_be_is_refused_with_its_member),
                cmocka_unit_test(the_mac_is_of_all_else_however_it_is_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
