// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "buf.h"
#include "http1.h"

static enum err decode(const char *text, struct http1_head *ret, struct err_note *note) {
        return http1_head_decode((struct span){(const uint8_t *)text, strlen(text)}, ret, note);
}

/* ---- what is understood ---- */

static void a_head_tells_all_that_it_says(void **state) {
        static const char text[] = "PUT /import_raw_vdi/?vdi=a%20b&format=vhd&base= HTTP/1.1\r\n"
                                   "Host: 10.0.0.1\r\n"
                                   "cookie:session_id=OpaqueRef:x; format=raw; task_id=1\r\n"
                                   "User-Agent: \t one  two \t\r\n"
                                   "Empty:\r\n"
                                   "Content-Length: 1125899906842624\r\n"
                                   "Expect: 100-Continue\r\n"
                                   "\r\n";
        AUTO(http1_head_fini) struct http1_head head = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(decode(text, &head, &note));
        assert_int_equal(head.method, HTTP_PUT);
        assert_int_equal(head.minor, 1);
        assert_string_equal(head.path, "/import_raw_vdi/");
        assert_string_equal(head.query, "vdi=a%20b&format=vhd&base=");
        assert_string_equal(http1_query(&head, "vdi"), "a b");
        assert_string_equal(http1_query(&head, "base"), "");
        assert_null(http1_query(&head, "task_id"));
        assert_string_equal(http1_cookie(&head, "session_id"), "OpaqueRef:x");
        assert_string_equal(http1_parameter(&head, "task_id"), "1");
        assert_string_equal(http1_parameter(&head, "format"), "vhd");
        assert_string_equal(http1_header(&head, "user-AGENT"), "one  two");
        assert_string_equal(http1_header(&head, "Empty"), "");
        assert_null(http1_header(&head, "Range"));
        assert_true(head.has_length && !head.is_chunked && head.keeps_alive && head.expects_continue);
        assert_int_equal(head.length, UINT64_C(1) << 50);
}

static void targets_have_several_forms(void **state) {
        static const struct {
                const char *line, *path, *query;
        } good[] = {
                {"GET / HTTP/1.1", "/", ""},
                {"GET /a/b?c HTTP/1.0", "/a/b", "c"},
                {"GET http://host:80/a?b=http://c/ HTTP/1.1", "/a", "b=http://c/"},
                {"GET HTTPS://[::1] HTTP/1.1", "/", ""},
                {"GET http://host?x HTTP/1.1", "/", "x"},
                {"OPTIONS * HTTP/1.1", "*", ""},
                {"GET /a%2fb%20%C3%BC HTTP/1.1", "/a/b \303\274", ""},
                {"GET //a//b HTTP/1.1", "//a//b", ""},
                {"GET /..a/b..c/...?../ HTTP/1.1", "/..a/b..c/...", "../"},
                {"GET /a? HTTP/1.9", "/a", ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                AUTO(buf_fini) struct buf text = {0};
                struct err_note note = {0};

                buf_print(&text, "%s\r\n\r\n", good[i].line);
                assert_ok(decode(buf_text(&text), &head, &note));
                assert_string_equal(head.path, good[i].path);
                assert_string_equal(head.query, good[i].query);
        }
}

static void a_connection_is_kept_as_was_agreed(void **state) {
        static const struct {
                const char *text;
                bool keeps;
        } heads[] = {
                {"GET / HTTP/1.1\r\n\r\n", true},
                {"GET / HTTP/1.0\r\n\r\n", false},
                {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
                {"GET / HTTP/1.1\r\nConnection: CLOSE\r\n\r\n", false},
                {"GET / HTTP/1.1\r\nConnection: a, close ,b\r\n\r\n", false},
                {"GET / HTTP/1.1\r\nConnection: closes, enclose\r\n\r\n", true},
                {"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
                {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                struct err_note note = {0};

                assert_ok(decode(heads[i].text, &head, &note));
                assert_int_equal(head.keeps_alive, heads[i].keeps);
        }
}

/* ---- what is refused ---- */

static void what_two_readers_could_take_for_two_requests_is_refused(void **state) {
        static const struct {
                const char *rest;
                enum err code;
                const char *words;
        } bad[] = {
                {"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", ERR_CORRUPT, "CR LF"},
                {"GET / HTTP/1.1\nA: b\r\n\r\n", ERR_CORRUPT, "CR LF"},
                {"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", ERR_CORRUPT, "CR in it"},
                {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", ERR_CORRUPT, "another line"},
                {"GET / HTTP/1.1\r\n A: b\r\n\r\n", ERR_CORRUPT, "another line"},
                {"GET / HTTP/1.1\r\nA : b\r\n\r\n", ERR_CORRUPT, "name"},
                {"GET / HTTP/1.1\r\n: b\r\n\r\n", ERR_CORRUPT, "name"},
                {"GET / HTTP/1.1\r\nA\x80: b\r\n\r\n", ERR_CORRUPT, "name"},
                {"GET / HTTP/1.1\r\nA b\r\n\r\n", ERR_CORRUPT, "colon"},
                {"GET / HTTP/1.1\r\nA: \x01\r\n\r\n", ERR_CORRUPT, "control"},
                {"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", ERR_CORRUPT, "control"},
                {"GET / HTTP/1.1\r\n\r\nA: b\r\n\r\n", ERR_CORRUPT, "empty line"},
                {"\r\nGET / HTTP/1.1\r\n\r\n", ERR_CORRUPT, "empty line"},
                {"GET / HTTP/1.1\r\n", ERR_CORRUPT, "no end"},
                {"GET / HTTP/1.1\r\nA: b", ERR_CORRUPT, "CR LF"},
                {"", ERR_CORRUPT, "no end"},
                {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", ERR_CORRUPT,
                 "more than one"},
                {"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: \r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", ERR_CORRUPT, "no number"},
                {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_CORRUPT,
                 "more than one"},
                {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                 ERR_CORRUPT, "more than one"},
                {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_CORRUPT, "HTTP/1.0"},
                {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ERR_UNSUPPORTED,
                 "only chunked"},
                {"GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", ERR_UNSUPPORTED, "only chunked"},
                {"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", ERR_UNSUPPORTED, "only chunked"},
                {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ERR_CORRUPT, "more than one host"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct http1_head head;
                struct err_note note = {0};

                assert_err(decode(bad[i].rest, &head, &note), bad[i].code, bad[i].words);
        }
}

static void first_lines_are_of_three_words(void **state) {
        static const struct {
                const char *line;
                enum err code;
        } bad[] = {
                {"GET", ERR_CORRUPT},
                {"GET /", ERR_CORRUPT},
                {"GET / ", ERR_CORRUPT},
                {"GET  / HTTP/1.1", ERR_CORRUPT},
                {"GET / HTTP/1.1 ", ERR_CORRUPT},
                {" GET / HTTP/1.1", ERR_CORRUPT},
                {"GET\t/\tHTTP/1.1", ERR_CORRUPT},
                {"GET /a b HTTP/1.1", ERR_CORRUPT},
                {"GET / http/1.1", ERR_CORRUPT},
                {"GET / HTTP/1", ERR_CORRUPT},
                {"GET / HTTP/11", ERR_CORRUPT},
                {"GET / HTTP/1.10", ERR_CORRUPT},
                {"GET / HTTP/", ERR_CORRUPT},
                {"GET / HTTP/2.0", ERR_MISMATCH},
                {"GET / HTTP/0.9", ERR_MISMATCH},
                {"get / HTTP/1.1", ERR_UNSUPPORTED},
                {"CONNECT a:1 HTTP/1.1", ERR_UNSUPPORTED},
                {"G(T / HTTP/1.1", ERR_CORRUPT},
                {"GET a HTTP/1.1", ERR_CORRUPT},
                {"GET ?a HTTP/1.1", ERR_CORRUPT},
                {"GET * HTTP/1.1", ERR_CORRUPT},
                {"GET ftp://a/ HTTP/1.1", ERR_CORRUPT},
                {"GET /a#b HTTP/1.1", ERR_CORRUPT},
                {"GET /\xc3\xbc HTTP/1.1", ERR_CORRUPT},
                {"GET /%00 HTTP/1.1", ERR_CORRUPT},
                {"GET /%0a HTTP/1.1", ERR_CORRUPT},
                {"GET /%7f HTTP/1.1", ERR_CORRUPT},
                {"GET /%g0 HTTP/1.1", ERR_CORRUPT},
                {"GET /% HTTP/1.1", ERR_CORRUPT},
                {"GET /a/../b HTTP/1.1", ERR_CORRUPT},
                {"GET /.. HTTP/1.1", ERR_CORRUPT},
                {"GET /a/. HTTP/1.1", ERR_CORRUPT},
                {"GET /./a HTTP/1.1", ERR_CORRUPT},
                {"GET /%2e%2E%2fa HTTP/1.1", ERR_CORRUPT},
                {"GET http://h/../a HTTP/1.1", ERR_CORRUPT},
                {"GET /?a=%00 HTTP/1.1", ERR_CORRUPT},
                {"GET /?a=%x HTTP/1.1", ERR_CORRUPT},
        };

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO(buf_fini) struct buf text = {0};
                struct http1_head head;
                struct err_note note = {0};

                buf_print(&text, "%s\r\n\r\n", bad[i].line);
                assert_err(decode(buf_text(&text), &head, &note), bad[i].code, "");
        }
}

static void a_zero_byte_is_nowhere_in_it(void **state) {
        static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < sizeof text - 1; i++) {
                struct http1_head head;
                char copy[sizeof text];

                memcpy(copy, text, sizeof text);
                copy[i] = 0;
                assert_err(http1_head_decode((struct span){(uint8_t *)copy, sizeof text - 1}, &head, &note),
                           ERR_CORRUPT, "zero byte");
        }
}

static void there_is_a_bound_to_the_number_of_headers(void **state) {
        AUTO(http1_head_fini) struct http1_head head = {0}, none = {0};
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};

        (void)state;
        buf_print(&text, "GET / HTTP/1.1\r\n");
        for (unsigned i = 0; i < HTTP1_FIELDS_MAX; i++)
                buf_print(&text, "A: %u\r\n", i);
        buf_print(&text, "\r\n");
        assert_ok(decode(buf_text(&text), &head, &note));
        text.n -= 2;
        buf_print(&text, "A:\r\n\r\n");
        assert_err(decode(buf_text(&text), &none, &note), ERR_TOO_LARGE, "more than");
}

static void the_end_of_a_head_is_found_however_it_comes(void **state) {
        static const char text[] = "GET / HTTP/1.1\r\nA: \r\r\n\r\n\r\n";

        (void)state;
        for (size_t first = 0; first < sizeof text; first++) {
                size_t looked_at = 0, n = 0;

                for (size_t have = first; n == 0 && have < sizeof text; have++)
                        n = http1_head_length((struct span){(const uint8_t *)text, have}, &looked_at);
                assert_int_equal(n, sizeof text - 1 - 2);
        }
}

/* ---- credentials ---- */

static void credentials_are_decoded(void **state) {
        static const struct {
                const char *value, *user, *password; /* NULL: it is none */
        } rows[] = {
                {"Basic cm9vdDpzZWNyZXQ=", "root", "secret"},
                {"basic  cm9vdDpzZWNyZXQ", "root", "secret"},
                {"Basic YTpiOmM=", "a", "b:c"},
                {"Basic Og==", "", ""},
                {"Basic YTo=", "a", ""},
                {"Basic w7w6w7w=", "\303\274", "\303\274"},
                {"Basic YQ==", NULL, NULL},
                {"Basic", NULL, NULL},
                {"Basic ", NULL, NULL},
                {"Basic YTp=b", NULL, NULL},
                {"Basic YTpiO", NULL, NULL},
                {"Basic YTo!", NULL, NULL},
                {"Basic YTo====", NULL, NULL},
                {"Basic YTpiAGM=", NULL, NULL},
                {"Bearer YTo=", NULL, NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                AUTO(buf_fini) struct buf text = {0};
                struct http1_basic basic;
                struct err_note note = {0};

                buf_print(&text, "GET / HTTP/1.1\r\nAuthorization: %s\r\n\r\n", rows[i].value);
                assert_ok(decode(buf_text(&text), &head, &note));
                assert_int_equal(http1_basic(&head, &basic), rows[i].user != NULL);
                if (rows[i].user) {
                        assert_string_equal(basic.user, rows[i].user);
                        assert_string_equal(basic.password, rows[i].password);
                }
        }
}

static void a_bearer_is_what_stands_behind_the_word(void **state) {
        static const struct {
                const char *value, *token; /* NULL: it is none */
        } rows[] = {
                {"Bearer catena_x", "catena_x"},
                {"bearer   x y", "x y"},
                {"Bearer ", NULL},
                {"Bearer", NULL},
                {"Bearerx", NULL},
                {"Basic YTo=", NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                AUTO(buf_fini) struct buf text = {0};
                struct err_note note = {0};
                const char *token;

                buf_print(&text, "GET / HTTP/1.1\r\nAuthorization: %s\r\n\r\n", rows[i].value);
                assert_ok(decode(buf_text(&text), &head, &note));
                token = http1_bearer(&head);
                assert_true(!token == !rows[i].token);
                if (token)
                        assert_string_equal(token, rows[i].token);
        }
}

static void credentials_that_do_not_fit_are_none(void **state) {
        (void)state;
        for (unsigned n = 600; n < 800; n++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                AUTO(buf_fini) struct buf text = {0};
                struct http1_basic basic;
                struct err_note note = {0};

                buf_print(&text, "GET / HTTP/1.1\r\nAuthorization: Basic Og");
                for (unsigned i = 2; i < n; i++)
                        buf_print(&text, "x");
                buf_print(&text, "\r\n\r\n");
                assert_ok(decode(buf_text(&text), &head, &note));
                if (http1_basic(&head, &basic))
                        assert_true(n <= 4 * HTTP1_BASIC_MAX / 3);
                else
                        assert_true(n % 4 == 1 || n > 4 * (HTTP1_BASIC_MAX - 1) / 3);
        }
}

/* ---- ranges ---- */

static void ranges_are_within_what_there_is(void **state) {
        static const struct {
                const char *line;
                enum http1_range want;
                uint64_t at, n;
        } rows[] = {
                {"Range: bytes=0-0", HTTP1_RANGE_ONE, 0, 1},
                {"Range: bytes=10-19", HTTP1_RANGE_ONE, 10, 10},
                {"Range: Bytes=10-", HTTP1_RANGE_ONE, 10, 990},
                {"Range: bytes=10-5000", HTTP1_RANGE_ONE, 10, 990},
                {"Range: bytes=999-", HTTP1_RANGE_ONE, 999, 1},
                {"Range: bytes=-1", HTTP1_RANGE_ONE, 999, 1},
                {"Range: bytes=-5000", HTTP1_RANGE_ONE, 0, 1000},
                {"Range: bytes=0-18446744073709551615", HTTP1_RANGE_ONE, 0, 1000},
                {"Range: bytes=1000-", HTTP1_RANGE_OUTSIDE, 0, 0},
                {"Range: bytes=-0", HTTP1_RANGE_OUTSIDE, 0, 0},
                {"Range: bytes=1000-1001", HTTP1_RANGE_OUTSIDE, 0, 0},
                {"Range: bytes=5-4", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=0-1,2-3", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=-", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=a-b", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=18446744073709551616-", HTTP1_RANGE_NONE, 0, 0},
                {"Range: lines=0-1", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=0-1\r\nRange: bytes=2-3", HTTP1_RANGE_NONE, 0, 0},
                {"Range: bytes=0-1\r\nIf-Range: \"x\"", HTTP1_RANGE_NONE, 0, 0},
                {"A: b", HTTP1_RANGE_NONE, 0, 0},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(http1_head_fini) struct http1_head head = {0};
                AUTO(buf_fini) struct buf text = {0};
                struct err_note note = {0};
                uint64_t at = 0, n = 0;

                buf_print(&text, "GET / HTTP/1.1\r\n%s\r\n\r\n", rows[i].line);
                assert_ok(decode(buf_text(&text), &head, &note));
                assert_int_equal(http1_range(&head, 1000, &at, &n), rows[i].want);
                assert_int_equal(at, rows[i].at);
                assert_int_equal(n, rows[i].n);
                assert_int_not_equal(http1_range(&head, 0, &at, &n), HTTP1_RANGE_ONE);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_head_tells_all_that_it_says),
                cmocka_unit_test(targets_have_several_forms),
                cmocka_unit_test(a_connection_is_kept_as_was_agreed),
                cmocka_unit_test(what_two_readers_could_take_for_two_requests_is_refused),
                cmocka_unit_test(first_lines_are_of_three_words),
                cmocka_unit_test(a_zero_byte_is_nowhere_in_it),
                cmocka_unit_test(there_is_a_bound_to_the_number_of_headers),
                cmocka_unit_test(the_end_of_a_head_is_found_however_it_comes),
                cmocka_unit_test(credentials_are_decoded),
                cmocka_unit_test(a_bearer_is_what_stands_behind_the_word),
                cmocka_unit_test(credentials_that_do_not_fit_are_none),
                cmocka_unit_test(ranges_are_within_what_there_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
