// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <time.h>

#include "http1_answer.h"

static void a_head_is_written(void **state) {
        const struct http1_answer answer = {.status = 206,
                                            .now_s = 784111777,
                                            .type = "application/vhd",
                                            .headers = "task-id: OpaqueRef:1\r\nX: \r\n",
                                            .has_length = true,
                                            .length = UINT64_MAX,
                                            .connection = "close"};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(http1_put_answer(&answer, &buf, &note));
        assert_string_equal(buf_text(&buf), "HTTP/1.1 206 Partial Content\r\n"
                                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                            "Content-Type: application/vhd\r\n"
                                            "Content-Length: 18446744073709551615\r\n"
                                            "Connection: close\r\n"
                                            "task-id: OpaqueRef:1\r\nX: \r\n\r\n");
        buf.n = 0;
        assert_ok(http1_put_answer(&(struct http1_answer){.status = 299, .is_chunked = true}, &buf, &note));
        assert_string_equal(buf_text(&buf), "HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void nothing_that_is_put_in_begins_another_line(void **state) {
        static const char *const lines[] = {"A: b",        "A: b\n",         "A: b\r\n\r\n", "\r\n",
                                            "A b\r\n",     "A: b\nC: d\r\n", ": x\r\n",      "A : b\r\n",
                                            "A: \001\r\n", "A: b\rC: d\r\n"};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
                struct http1_answer answer = {.status = 200, .headers = lines[i]};

                assert_err(http1_put_answer(&answer, &buf, &note), ERR_INVALID, "not one line");
        }
        assert_err(http1_put_answer(&(struct http1_answer){.status = 200, .type = "a\r\nB: c"}, &buf, &note),
                   ERR_INVALID, "not one line");
        assert_err(http1_put_field(&buf, "A", "b\r\nC: d", &note), ERR_INVALID, "line's end");
        assert_err(http1_put_field(&buf, "A\n", "b", &note), ERR_INVALID, "line's end");
        assert_err(http1_put_field(&buf, "", "b", &note), ERR_INVALID, "line's end");
        assert_int_equal(buf.n, 0);
        assert_ok(
                http1_put_field(&buf, "Content-Disposition", "attachment; filename=\"\303\274.vhd\"", &note));
        assert_string_equal(buf_text(&buf), "Content-Disposition: attachment; filename=\"\303\274.vhd\"\r\n");
}

/* As the C library has it, over four hundred years and each day around their ends. */
static void dates_are_as_everybody_has_them(void **state) {
        (void)state;
        for (int64_t day = 0; day < 146097 + 1000; day += day % 365 < 3 || day % 59 == 0 ? 1 : 7) {
                time_t at = (time_t)(day * 86400 + day % 86400);
                struct tm tm;
                char text[40];

                gmtime_r(&at, &tm);
                strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
                assert_string_equal(http1_date(at).s, text);
        }
        assert_string_equal(http1_date(-1).s, "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_string_equal(http1_date(INT64_MAX).s, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void some_answers_have_no_body(void **state) {
        (void)state;
        assert_true(http1_has_no_body(100) && http1_has_no_body(204) && http1_has_no_body(304));
        assert_false(http1_has_no_body(200) || http1_has_no_body(404) || http1_has_no_body(206));
        assert_string_equal(http1_reason(404), "Not Found");
        assert_string_equal(http1_reason(599), "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_head_is_written),
                cmocka_unit_test(nothing_that_is_put_in_begins_another_line),
                cmocka_unit_test(dates_are_as_everybody_has_them),
                cmocka_unit_test(some_answers_have_no_body),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
