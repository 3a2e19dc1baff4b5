// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "json_text.h"

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static void what_is_read_is_written_again(void **state) {
        static const char text[] = "{\"a\":[1,9007199254740993,\"\\\"]}\",{}],\"b\":null}";
        AUTO(json_decref) json_t *json = NULL;
        AUTO(buf_fini) struct buf again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(json_text_decode(span_of(text), &json, &note));
        buf_print(&again, "before ");
        assert_ok(json_text_encode(json, JSON_COMPACT, &again, &note));
        assert_memory_equal(buf_text(&again) + 7, text, sizeof text);
}

static void what_is_no_json_is_refused(void **state) {
        static const char *const wrong[] = {"",
                                            "1",
                                            "\"a\"",
                                            "{",
                                            "{} x",
                                            "{}{}",
                                            "{\"a\":1,\"a\":1}",
                                            "[\"\xff\"]",
                                            "[\"\\u0000\"]",
                                            "[1e999]"};
        struct err_note note = {0};
        json_t *json;

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
                assert_int_equal(json_text_decode(span_of(wrong[i]), &json, &note), ERR_CORRUPT);
}

/* So many brackets, around a string that is full of them. */
static struct span nested(struct buf *buf, int depth) {
        for (int i = 0; i < depth; i++)
                buf_print(buf, "[");
        buf_print(buf, "\"[[[[\\\"[[[[{\"");
        for (int i = 0; i < depth; i++)
                buf_print(buf, "]");
        return (struct span){buf->data, buf->n};
}

static void depth_is_bounded(void **state) {
        AUTO(buf_fini) struct buf right = {0}, wrong = {0};
        AUTO(json_decref) json_t *json = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(json_text_decode(nested(&right, JSON_TEXT_DEPTH_MAX), &json, &note));
        assert_err(json_text_decode(nested(&wrong, JSON_TEXT_DEPTH_MAX + 1), &json, &note), ERR_CORRUPT,
                   "deeper than 32 levels");
}

static void what_is_not_utf_8_is_told_or_mended(void **state) {
        AUTO(json_decref)
        json_t *wrong = json_array(),
               *right = json_text_string("\xc3\xbc"), *mended = json_text_string("a\xff\xc3z");
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        assert_string_equal(json_string_value(right), "\xc3\xbc");
        assert_string_equal(json_string_value(mended), "a??z");
        json_array_append_new(wrong, json_string_nocheck("\xff"));
        assert_err(json_text_encode(wrong, 0, &buf, &note), ERR_UNSUPPORTED, "not UTF-8");
        assert_int_equal(buf.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_read_is_written_again),
                cmocka_unit_test(what_is_no_json_is_refused),
                cmocka_unit_test(depth_is_bounded),
                cmocka_unit_test(what_is_not_utf_8_is_told_or_mended),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
