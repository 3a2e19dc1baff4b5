// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_member.h"

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static void what_is_put_is_taken(void **state) {
        const struct vault_name names[2] = {{{1}}, {{2}}};
        AUTO_FREE struct vault_name *taken = NULL;
        AUTO(json_decref) json_t *body = NULL;
        const uint8_t bytes[3] = {1, 2, 0xff};
        AUTO(buf_fini) struct buf buf = {0};
        json_t *json = json_object(), *inner;
        struct err_note note = {0};
        const char *text;
        uint8_t hex[3];
        uint64_t number;
        int64_t when;
        bool value;
        size_t n;

        (void)state;
        vault_put_text(json, "text", "a\xff");
        vault_put_number(json, "number", INT64_MAX);
        vault_put_bool(json, "bool", true);
        vault_put_time(json, "time", 1732159242);
        vault_put_hex(json, "hex", bytes, sizeof bytes);
        vault_put_names(json, "names", names, 2);
        vault_put_json(json, "json", NULL);
        vault_body_add(json, &buf);
        assert_string_equal(
                buf_text(&buf),
                "{\"bool\":true,\"hex\":\"0102ff\",\"json\":null,\"names\":["
                "\"01000000000000000000000000000000\",\"02000000000000000000000000000000\"],"
                "\"number\":9223372036854775807,\"text\":\"a?\",\"time\":\"2024-11-21T03:20:42Z\"}");
        assert_ok(vault_body_load((struct span){buf.data, buf.n}, &body, &note));
        assert_ok(vault_take_text(body, "text", &text, &note));
        assert_string_equal(text, "a?");
        assert_ok(vault_take_number(body, "number", 1, INT64_MAX, &number, &note));
        assert_true(number == INT64_MAX);
        assert_ok(vault_take_bool(body, "bool", &value, &note));
        assert_true(value);
        assert_ok(vault_take_time(body, "time", &when, &note));
        assert_true(when == 1732159242);
        assert_ok(vault_take_hex(body, "hex", hex, sizeof hex, &note));
        assert_memory_equal(hex, bytes, sizeof bytes);
        assert_ok(vault_take_names(body, "names", &taken, &n, &note));
        assert_int_equal(n, 2);
        assert_memory_equal(taken, names, sizeof names);
        assert_ok(vault_take_array(body, "names", &inner, &note));
        assert_true(vault_member_is_null(body, "json") && vault_member_is_null(body, "absent"));
        assert_false(vault_member_is_null(body, "hex"));
}

static void each_wrong_member_is_named(void **state) {
        static const char *const words[] = {"one", "two"};
        AUTO(json_decref) json_t *body = NULL;
        struct err_note note = {0};
        struct vault_name *names;
        const char *text;
        uint64_t number;
        unsigned word;
        uint32_t chunk;
        int64_t when;
        uint8_t hex[2];
        bool value;
        size_t n;

        (void)state;
        assert_ok(vault_body_load(span_of("{\"a\":-1,\"b\":5,\"c\":\"01G0\",\"d\":[\"x\"],\"e\":5.0,\"f\":[3]"
                                          ",\"chunk\":98304}"),
                                  &body, &note));
        assert_err(vault_take_text(body, "a", &text, &note), ERR_CORRUPT, "\"a\" is not text");
        assert_err(vault_take_text(body, "z", &text, &note), ERR_CORRUPT, "\"z\" is missing");
        assert_err(vault_take_number(body, "a", 0, 9, &number, &note), ERR_CORRUPT,
                   "\"a\" is -1, not from 0 to 9");
        assert_err(vault_take_number(body, "b", 6, 9, &number, &note), ERR_CORRUPT, "\"b\" is 5, not from 6");
        assert_err(vault_take_number(body, "b", 0, 4, &number, &note), ERR_CORRUPT, "\"b\" is 5, not from 0");
        assert_err(vault_take_number(body, "e", 0, 9, &number, &note), ERR_CORRUPT,
                   "\"e\" is not an integer");
        assert_err(vault_take_bool(body, "b", &value, &note), ERR_CORRUPT, "\"b\" is not true");
        assert_err(vault_take_time(body, "c", &when, &note), ERR_CORRUPT, "\"c\" is not a time");
        assert_err(vault_take_hex(body, "c", hex, 2, &note), ERR_CORRUPT, "\"c\" is not hexadecimal");
        assert_err(vault_take_names(body, "b", &names, &n, &note), ERR_CORRUPT, "\"b\" is not an array");
        assert_err(vault_take_names(body, "d", &names, &n, &note), ERR_CORRUPT, "\"d\": 0 is not a name");
        assert_err(vault_take_names(body, "f", &names, &n, &note), ERR_CORRUPT, "\"f\": 0 is not a name");
        assert_err(vault_take_object(body, "d", &(json_t *){NULL}, &note), ERR_CORRUPT,
                   "\"d\" is not an object");
        assert_err(vault_take_word(body, "c", words, 2, &word, &note), ERR_UNSUPPORTED, "\"c\" is \"01G0\"");
        assert_err(vault_take_chunk(body, &chunk, &note), ERR_CORRUPT, "power of two");
}

static void a_body_is_an_object_of_bounded_size(void **state) {
        AUTO(buf_fini) struct buf buf = {0};
        AUTO(json_decref) json_t *body = NULL;
        struct err_note note = {0};

        (void)state;
        assert_err(vault_body_load(span_of("[]"), &body, &note), ERR_CORRUPT, "not an object");
        assert_err(vault_body_load(span_of("{"), &body, &note), ERR_CORRUPT, "");
        memset(buf_extend(&buf, VAULT_BODY_MAX + 1), ' ', VAULT_BODY_MAX + 1);
        memcpy(buf.data, "{}", 2);
        assert_err(vault_body_load((struct span){buf.data, buf.n}, &body, &note), ERR_TOO_LARGE, "at most");
        assert_ok(vault_body_load((struct span){buf.data, buf.n - 1}, &body, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_put_is_taken),
                cmocka_unit_test(each_wrong_member_is_named),
                cmocka_unit_test(a_body_is_an_object_of_bounded_size),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
