// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "http1_pairs.h"

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static void a_query_is_taken_apart_and_decoded(void **state) {
        AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(http1_pairs_add_query(&pairs, span_of("vdi=a%20b+c&chunked&&x=1=2&e=&%66=%C3%BC&vdi=2&=n"),
                                        &note));
        assert_string_equal(http1_pairs_get(&pairs, "vdi"), "a b c");
        assert_string_equal(http1_pairs_get(&pairs, "chunked"), "");
        assert_string_equal(http1_pairs_get(&pairs, "x"), "1=2");
        assert_string_equal(http1_pairs_get(&pairs, "e"), "");
        assert_string_equal(http1_pairs_get(&pairs, "f"), "\303\274");
        assert_string_equal(http1_pairs_get(&pairs, ""), "n");
        assert_null(http1_pairs_get(&pairs, "y"));
        assert_null(http1_pairs_get(&pairs, "VDI"));
}

static void what_is_encoded_badly_is_refused_in_a_query_and_kept_in_a_cookie(void **state) {
        static const char *const bad[] = {"a=%", "a=%4", "a=%4g", "%zz=1", "a=1&b=%-1"};
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};

                assert_err(http1_pairs_add_query(&pairs, span_of(bad[i]), &note), ERR_CORRUPT, "%");
                assert_ok(http1_pairs_add_cookies(&pairs, span_of(bad[i]), &note));
        }
}

static void what_lies_behind_is_not_looked_at(void **state) {
        struct err_note note = {0};

        (void)state;
        for (size_t n = 3; n < 5; n++) {
                AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};

                assert_err(http1_pairs_add_query(&pairs, (struct span){(const uint8_t *)"a=%41", n}, &note),
                           ERR_CORRUPT, "%");
        }
}

static void a_zero_byte_is_nowhere(void **state) {
        AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(http1_pairs_add_query(&pairs, span_of("a=x%00y"), &note), ERR_CORRUPT, "zero byte");
        assert_err(http1_pairs_add_query(&pairs, (struct span){(const uint8_t *)"a=x\0y", 5}, &note),
                   ERR_CORRUPT, "zero byte");
        assert_err(http1_pairs_add_cookies(&pairs, (struct span){(const uint8_t *)"a=x\0y", 5}, &note),
                   ERR_CORRUPT, "zero byte");
        /* Taken as it is: no byte of it is zero. */
        assert_ok(http1_pairs_add_cookies(&pairs, span_of("a=x%00y"), &note));
        assert_string_equal(http1_pairs_get(&pairs, "a"), "x%00y");
}

static void cookies_have_blanks_around_them(void **state) {
        AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(http1_pairs_add_cookies(
                &pairs, span_of("session_id=OpaqueRef:1;  task_id=a%3Ab ;;x=1+2;chunked=true"), &note));
        assert_string_equal(http1_pairs_get(&pairs, "session_id"), "OpaqueRef:1");
        assert_string_equal(http1_pairs_get(&pairs, "task_id"), "a:b");
        assert_string_equal(http1_pairs_get(&pairs, "x"), "1+2");
        assert_string_equal(http1_pairs_get(&pairs, "chunked"), "true");
}

static void there_is_a_bound_to_their_number(void **state) {
        AUTO(http1_pairs_fini) struct http1_pairs pairs = {0};
        struct err_note note = {0};

        (void)state;
        for (unsigned i = 0; i < HTTP1_PAIRS_MAX; i++)
                assert_ok(http1_pairs_add_query(&pairs, span_of("a=1"), &note));
        assert_err(http1_pairs_add_query(&pairs, span_of("a=1"), &note), ERR_TOO_LARGE, "more than");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_query_is_taken_apart_and_decoded),
                cmocka_unit_test(what_is_encoded_badly_is_refused_in_a_query_and_kept_in_a_cookie),
                cmocka_unit_test(what_lies_behind_is_not_looked_at),
                cmocka_unit_test(a_zero_byte_is_nowhere),
                cmocka_unit_test(cookies_have_blanks_around_them),
                cmocka_unit_test(there_is_a_bound_to_their_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
