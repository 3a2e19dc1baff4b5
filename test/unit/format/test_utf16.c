// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "utf16.h"

#define BYTES(text)                                                                                          \
        { (const uint8_t *)(text), sizeof(text) - 1 }
#define SPAN(text) ((struct span)BYTES(text))

static void assert_is(struct buf *got, const char *want, size_t n) {
        assert_int_equal(got->n, n);
        if (n)
                assert_memory_equal(got->data, want, n);
}

static void text_becomes_units_in_both_orders(void **state) {
        AUTO(buf_fini) struct buf big = {0};
        AUTO(buf_fini) struct buf little = {0};
        AUTO(buf_fini) struct buf empty = {0};
        struct err_note note;

        (void)state;
        assert_ok(utf16_from_utf8(SPAN("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x92\xBE"), UTF16_BIG, &big, &note));
        assert_is(&big, "\0a\0\xE9\x20\xAC\xD8\x3D\xDC\xBE", 10);
        assert_ok(
                utf16_from_utf8(SPAN("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x92\xBE"), UTF16_LITTLE, &little, &note));
        assert_is(&little, "a\0\xE9\0\xAC\x20\x3D\xD8\xBE\xDC", 10);
        assert_ok(utf16_from_utf8(SPAN(""), UTF16_LITTLE, &empty, &note));
        assert_is(&empty, "", 0);
}

/* Each code point that there is, there and back. */
static void every_code_point_survives(void **state) {
        struct err_note note;

        (void)state;
        for (uint32_t point = 1; point <= 0x10FFFF; point += point < 0x3000 ? 1 : 97) {
                uint8_t units[4] = {(uint8_t)(point >> 8), (uint8_t)point};
                AUTO(buf_fini) struct buf text = {0};
                AUTO(buf_fini) struct buf back = {0};
                size_t n = 2;

                if (point >= 0xD800 && point < 0xE000)
                        continue;
                if (point > 0xFFFF) {
                        uint32_t high = 0xD800 + ((point - 0x10000) >> 10),
                                 low = 0xDC00 + ((point - 0x10000) & 0x3FF);

                        memcpy(units,
                               (uint8_t[]){(uint8_t)(high >> 8), (uint8_t)high, (uint8_t)(low >> 8),
                                           (uint8_t)low},
                               4);
                        n = 4;
                }
                assert_ok(utf16_to_utf8((struct span){units, n}, UTF16_BIG, &text, &note));
                assert_ok(utf16_from_utf8((struct span){text.data, text.n}, UTF16_BIG, &back, &note));
                assert_is(&back, (const char *)units, n);
        }
}

static void what_is_not_utf8_is_refused(void **state) {
        static const struct {
                struct span bytes;
                const char *words;
        } rows[] = {
                {BYTES("ab\x80"), "byte 2 of 3"},
                {BYTES("\xC3"), "byte 0 of 1"},
                {BYTES("a\xC3z"), "byte 1"},
                {BYTES("\xC0\x80"), "byte 0"}, /* a zero, over-long */
                {BYTES("\xC1\xBF"), "byte 0"},
                {BYTES("\xE0\x9F\xBF"), "byte 0"},
                {BYTES("\xF0\x8F\xBF\xBF"), "byte 0"},
                {BYTES("\xED\xA0\x80"), "byte 0"}, /* a surrogate */
                {BYTES("\xF4\x90\x80\x80"), "byte 0"},
                {BYTES("\xF8\x88\x80\x80\x80"), "byte 0"},
                {BYTES("\xE2\x82"), "byte 0"},
                {BYTES("a\0b"), "byte 1"},
                {BYTES("\xFF"), "byte 0"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(buf_fini) struct buf ret = {0};

                assert_err(utf16_from_utf8(rows[i].bytes, UTF16_BIG, &ret, &note), ERR_CORRUPT,
                           rows[i].words);
                assert_err(utf8_check(rows[i].bytes, &note), ERR_CORRUPT, rows[i].words);
        }
        assert_ok(utf8_check(SPAN("gr\xC3\xBC\xC3\x9F"), &note));
}

static void what_is_not_utf16_is_refused(void **state) {
        static const struct {
                struct span bytes;
                const char *words;
        } rows[] = {
                {BYTES("\0a\0"), "odd"},
                {BYTES("\xD8\x3D"), "half a pair"},
                {BYTES("\xD8\x3D\0a"), "half a pair"},
                {BYTES("\xDC\xBE\0a"), "half a pair"},
                {BYTES("\xD8\x3D\xD8\x3D"), "half a pair"},
                {BYTES("\0a\0\0\0b"), "zero at 2"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(buf_fini) struct buf ret = {0};

                assert_err(utf16_to_utf8(rows[i].bytes, UTF16_BIG, &ret, &note), ERR_CORRUPT, rows[i].words);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_becomes_units_in_both_orders),
                cmocka_unit_test(every_code_point_survives),
                cmocka_unit_test(what_is_not_utf8_is_refused),
                cmocka_unit_test(what_is_not_utf16_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
