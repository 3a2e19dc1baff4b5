// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base64.h"

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static void bytes_become_text_and_bytes_again(void **state) {
        static const struct {
                const char *bytes, *text;
        } table[] = {
                {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfb\x01", "//77AQ=="},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf text = {0}, bytes = {0};

                base64_encode(span_of(table[i].bytes), &text);
                assert_string_equal(buf_text(&text), table[i].text);
                assert_true(base64_decode((struct span){text.data, text.n}, &bytes));
                assert_string_equal(buf_text(&bytes), table[i].bytes);
        }
}

static void every_byte_is_kept_at_every_place(void **state) {
        (void)state;
        for (unsigned c = 0; c < 256; c++)
                for (unsigned at = 0; at < 3; at++) {
                        AUTO(buf_fini) struct buf text = {0}, bytes = {0};
                        uint8_t three[3] = {0};

                        three[at] = (uint8_t)c;
                        base64_encode((struct span){three, 3}, &text);
                        assert_true(base64_decode((struct span){text.data, text.n}, &bytes));
                        assert_int_equal(bytes.n, 3);
                        assert_memory_equal(bytes.data, three, 3);
                }
}

static void what_is_no_base64_adds_nothing(void **state) {
        static const char *const table[] = {
                "Z",    "Zg=",  "Zm9vZ", "Zg==Zg==",        "Z===", "====", "Zm9v====", "Zm 9", "Zm-_",
                "Z=8=", "Zh==", "Zm9=",  "\xc3\xbc\xc3\xbc"};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0};

                buf_add(&bytes, "x", 1);
                if (base64_decode(span_of(table[i]), &bytes))
                        fail_msg("%s", table[i]);
                assert_int_equal(bytes.n, 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_become_text_and_bytes_again),
                cmocka_unit_test(every_byte_is_kept_at_every_place),
                cmocka_unit_test(what_is_no_base64_adds_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
