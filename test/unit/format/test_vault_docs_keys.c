// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "vault_docs.h"
#include "vault_kit.h"

#define DIGITS_32 "0123456789abcdef0123456789abcdef"
#define KEY       DIGITS_32 DIGITS_32

static const char golden[] =
        "{\"argon2id\":{\"lanes\":1,\"memory\":65536,\"passes\":3},\"created\":\"2024-11-21T03:20:42Z\","
        "\"for_admin\":\"" KEY DIGITS_32 "\",\"for_holder\":\"" KEY DIGITS_32 "\","
        "\"kind\":\"passphrase\",\"label\":\"night\",\"public\":\"" KEY "\",\"role\":\"writer\","
        "\"salt\":\"" KEY "\",\"wrapped\":\"" KEY "\"}";

static void a_slot_is_read_and_written_as_it_was(void **state) {
        AUTO(vault_slot_fini) struct vault_slot slot = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_slot_decode(body_with(&buf, golden, NULL, NULL), &slot, &note));
        assert_true(slot.kind == VAULT_SLOT_PASSPHRASE && slot.role == VAULT_WRITER && slot.has_public);
        assert_string_equal(slot.label, "night");
        assert_true(slot.created == 1732159242);
        assert_int_equal(slot.argon2id.memory_kib, 65536);
        assert_int_equal(slot.argon2id.passes, 3);
        assert_int_equal(slot.wrapped.n, 32);
        assert_int_equal(slot.public[31], 0xef);
        assert_int_equal(slot.for_holder[47], 0xef);
        assert_int_equal(slot.for_admin[47], 0xef);
        vault_slot_encode(&slot, &again);
        assert_string_equal(buf_text(&again), golden);
}

static void a_reader_with_a_key_file_has_less(void **state) {
        AUTO(vault_slot_fini)
        struct vault_slot slot = {.kind = VAULT_SLOT_KEY_FILE, .role = VAULT_READER, .argon2id = {1, 2, 3}};
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        memset(buf_extend(&slot.wrapped, 20), 7, 20);
        vault_slot_encode(&slot, &buf);
        assert_null(strstr(buf_text(&buf), "public"));
        assert_null(strstr(buf_text(&buf), "argon2id"));
        assert_non_null(strstr(buf_text(&buf), "\"label\":\"\""));
}

static void a_retired_one_says_who_and_nothing_else(void **state) {
        static const char text[] =
                "{\"created\":\"2024-11-21T03:20:42Z\",\"kind\":\"retired\",\"label\":\"night\","
                "\"public\":\"" KEY "\",\"role\":\"writer\"}";
        AUTO(vault_slot_fini) struct vault_slot slot = {0}, unnamed = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_slot_decode(body_with(&buf, text, NULL, NULL), &slot, &note));
        assert_true(slot.kind == VAULT_SLOT_RETIRED && slot.has_public && slot.wrapped.n == 0);
        vault_slot_encode(&slot, &again);
        assert_string_equal(buf_text(&again), text);
        assert_err(vault_slot_decode(body_with(&buf, text, "public", NULL), &unnamed, &note), ERR_CORRUPT,
                   "public");
}

static void what_cannot_be_is_refused_with_its_member(void **state) {
        static const struct {
                const char *key, *value;
                enum err code;
                const char *words;
        } table[] = {
                {"public", NULL, ERR_NONE, ""},
                {"unknown", "1", ERR_NONE, ""},
                {"kind", "\"smartcard\"", ERR_UNSUPPORTED, "key slot: \"kind\" is \"smartcard\""},
                {"role", "\"owner\"", ERR_UNSUPPORTED, "owner"},
                {"label", NULL, ERR_CORRUPT, "label"},
                {"created", "1", ERR_CORRUPT, "created"},
                {"salt", "\"00\"", ERR_CORRUPT, "salt"},
                {"public", "\"00\"", ERR_CORRUPT, "public"},
                {"for_holder", NULL, ERR_CORRUPT, "for_holder"},
                {"for_admin", "\"" KEY "\"", ERR_CORRUPT, "for_admin"},
                {"argon2id", NULL, ERR_CORRUPT, "argon2id"},
                {"argon2id", "{\"memory\":4194305,\"passes\":1,\"lanes\":1}", ERR_CORRUPT, "memory"},
                {"argon2id", "{\"memory\":31,\"passes\":1,\"lanes\":4}", ERR_CORRUPT, "memory"},
                {"argon2id", "{\"memory\":32,\"passes\":101,\"lanes\":4}", ERR_CORRUPT, "passes"},
                {"argon2id", "{\"memory\":4096,\"passes\":1,\"lanes\":65}", ERR_CORRUPT, "lanes"},
                {"argon2id", "{\"memory\":4096,\"passes\":0,\"lanes\":1}", ERR_CORRUPT, "passes"},
                {"wrapped", NULL, ERR_CORRUPT, "wrapped"},
                {"wrapped", "\"0011\"", ERR_CORRUPT, "\"wrapped\" is of 2 bytes"},
                {"wrapped", "\"" KEY "0\"", ERR_CORRUPT, "wrapped"},
        };
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(vault_slot_fini) struct vault_slot slot = {0};
                struct err_note note = {0};

                assert_err(vault_slot_decode(body_with(&buf, golden, table[i].key, table[i].value), &slot,
                                             &note),
                           table[i].code, table[i].words);
        }
}

static void roles_and_kinds_have_words(void **state) {
        enum vault_role role;

        (void)state;
        for (int i = VAULT_ADMIN; i <= VAULT_READER; i++) {
                assert_true(vault_role_parse(vault_role_text((enum vault_role)i), &role));
                assert_int_equal(role, i);
        }
        assert_false(vault_role_parse("Admin", &role));
        assert_string_equal(vault_slot_kind_text(VAULT_SLOT_RECOVERY), "recovery");
}

static void fill(struct vault_payload *payload, unsigned n_masters, bool has_writer, bool has_admin) {
        *payload = (struct vault_payload){
                .n_masters = n_masters, .has_writer = has_writer, .has_admin = has_admin};
        for (unsigned i = 0; i < n_masters; i++)
                memset(payload->masters[i], (int)(i % 251 + 1), VAULT_KEY_SIZE);
        memset(payload->admin_public, 0x66, VAULT_KEY_SIZE);
        memset(payload->writer, has_writer ? 0x77 : 0, VAULT_KEY_SIZE);
        memset(payload->admin, has_admin ? 0x88 : 0, VAULT_KEY_SIZE);
}

static void what_a_slot_wraps_comes_back(void **state) {
        static const unsigned counts[] = {1, 2, 255, VAULT_EPOCHS_MAX};
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < 4 * sizeof counts / sizeof *counts; i++) {
                AUTO(vault_payload_fini) struct vault_payload payload, again = {0};
                AUTO(buf_fini) struct buf buf = {0}, second = {0};
                size_t keys;

                fill(&payload, counts[i / 4], i & 1, i & 2);
                keys = 1 + payload.n_masters + payload.has_writer + payload.has_admin;
                vault_payload_encode(&payload, &buf);
                assert_int_equal(buf.n, 4 + 32 * keys);
                assert_true(buf.n <= VAULT_PAYLOAD_MAX);
                assert_ok(vault_payload_decode((struct span){buf.data, buf.n}, &again, &note));
                assert_int_equal(again.admin_public[31], 0x66);
                vault_payload_encode(&again, &second);
                assert_int_equal(second.n, buf.n);
                assert_memory_equal(second.data, buf.data, buf.n);
                assert_memory_equal(buf.data + buf.n - 32,
                                    payload.has_admin    ? payload.admin
                                    : payload.has_writer ? payload.writer
                                                         : payload.masters[payload.n_masters - 1],
                                    32);
        }
}

static void what_is_no_payload_is_refused(void **state) {
        AUTO(vault_payload_fini) struct vault_payload payload, again = {0};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        fill(&payload, 2, true, false);
        vault_payload_encode(&payload, &buf);
        for (size_t n = 0; n < buf.n; n++)
                assert_int_equal(vault_payload_decode((struct span){buf.data, n}, &again, &note),
                                 ERR_CORRUPT);
        for (size_t bit = 0; bit < 32; bit++) { /* of its head */
                buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                /* A seed of the other kind is of the same length: that one is for the tag. */
                if (bit / 8 != 2 || buf.data[2] & ~3)
                        assert_int_equal(vault_payload_decode((struct span){buf.data, buf.n}, &again, &note),
                                         ERR_CORRUPT);
                buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_err(vault_payload_decode((struct span){buf.data, buf.n - 32}, &again, &note), ERR_CORRUPT,
                   "2 masters in 100 bytes");
}

static void a_payload_is_wiped(void **state) {
        struct vault_payload payload;

        (void)state;
        fill(&payload, 3, true, true);
        vault_payload_fini(&payload);
        assert_true(bytes_are_zero(&payload, sizeof payload));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_slot_is_read_and_written_as_it_was),
                cmocka_unit_test(a_reader_with_a_key_file_has_less),
                cmocka_unit_test(a_retired_one_says_who_and_nothing_else),
                cmocka_unit_test(what_cannot_be_is_refused_with_its_member),
                cmocka_unit_test(roles_and_kinds_have_words),
                cmocka_unit_test(what_a_slot_wraps_comes_back),
                cmocka_unit_test(what_is_no_payload_is_refused),
                cmocka_unit_test(a_payload_is_wiped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
