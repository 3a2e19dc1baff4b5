// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xe_cli.h"

static struct span span_of(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

static bool is(struct span got, const char *want) {
        return got.n == strlen(want) && (got.n == 0 || memcmp(got.data, want, got.n) == 0);
}

static void the_banner_is_told_from_all_else_as_it_comes(void **state) {
        static const char bytes[] = "XenSource thin CLI protocol\0\0\0\0\2\0\0";
        AUTO(buf_fini) struct buf ours = {0};
        struct err_note note = {0};
        size_t used = 7;

        (void)state;
        xe_banner_encode(&ours);
        assert_int_equal(ours.n, XE_BANNER_SIZE);
        assert_memory_equal(ours.data, bytes, XE_BANNER_SIZE);
        for (size_t n = 0; n < XE_BANNER_SIZE; n++) {
                assert_ok(xe_banner_decode((struct span){ours.data, n}, &used, &note));
                assert_int_equal(used, 0);
        }
        buf_add(&ours, "more", 4);
        assert_ok(xe_banner_decode((struct span){ours.data, ours.n}, &used, &note));
        assert_int_equal(used, XE_BANNER_SIZE);
        ours.data[XE_BANNER_SIZE - 8] = 1;
        assert_err(xe_banner_decode((struct span){ours.data, ours.n}, &used, &note), ERR_UNSUPPORTED,
                   "version 1");
        assert_err(xe_banner_decode(span_of("HTTP/1.1 200 OK"), &used, &note), ERR_CORRUPT, "does not begin");
        assert_err(xe_banner_decode(span_of("Y"), &used, &note), ERR_CORRUPT, "does not begin");
}

/* Bytes as `xe` of XenServer reads and writes them. */
static void messages_are_written_as_others_do(void **state) {
#define BYTES(text) text, sizeof text - 1
        static const struct {
                struct xe_message message;
                const char *bytes;
                size_t n;
        } table[] = {
                {{.kind = XE_PRINT, .text = {(const uint8_t *)"hi\n", 3}},
                 BYTES("\17\0\0\0\11\0\0\0\0\0\0\0\3\0\0\0hi\n")},
                {{.kind = XE_HTTP_GET, .text = {(const uint8_t *)"f", 1}, .path = {(const uint8_t *)"/e", 2}},
                 BYTES("\23\0\0\0\11\0\0\0\14\0\0\0\1\0\0\0f\2\0\0\0/e")},
                {{.kind = XE_PROMPT}, BYTES("\10\0\0\0\11\0\0\0\3\0\0\0")},
                {{.kind = XE_EXIT, .number = -1}, BYTES("\14\0\0\0\11\0\0\0\4\0\0\0\377\377\377\377")},
                {{.kind = XE_ERROR,
                  .text = {(const uint8_t *)"E", 1},
                  .n_params = 2,
                  .params = {{(const uint8_t *)"ab", 2}, {NULL, 0}}},
                 BYTES("\33\0\0\0\11\0\0\0\16\0\0\0\1\0\0\0E\2\0\0\0\2\0\0\0ab\0\0\0\0")},
                {{.kind = XE_OK}, BYTES("\10\0\0\0\12\0\0\0\5\0\0\0")},
                {{.kind = XE_WAIT}, BYTES("\10\0\0\0\12\0\0\0\22\0\0\0")},
                {{.kind = XE_FAILED}, BYTES("\10\0\0\0\12\0\0\0\6\0\0\0")},
                {{.kind = XE_CHUNK, .n = 0x10000}, BYTES("\14\0\0\0\13\0\0\0\7\0\0\0\0\0\1\0")},
                {{.kind = XE_END}, BYTES("\10\0\0\0\13\0\0\0\10\0\0\0")},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0};

                xe_encode(&table[i].message, &bytes);
                assert_int_equal(bytes.n, table[i].n);
                assert_memory_equal(bytes.data, table[i].bytes, bytes.n);
        }
}

static void every_kind_comes_back_when_it_is_whole(void **state) {
        (void)state;
        for (enum xe_kind kind = XE_PRINT; kind <= XE_END; kind++) {
                struct xe_message message = {.kind = kind,
                                             .text = span_of("a text"),
                                             .path = span_of("/path?session_id=x"),
                                             .number = 3,
                                             .n = 77,
                                             .params = {span_of("p"), span_of("")},
                                             .n_params = 2},
                                  got = {0};
                AUTO(buf_fini) struct buf bytes = {0}, again = {0};
                struct err_note note = {0};
                size_t used;

                xe_encode(&message, &bytes);
                for (size_t n = 0; n < bytes.n; n++) {
                        assert_ok(xe_decode((struct span){bytes.data, n}, 1000, &got, &used, &note));
                        assert_int_equal(used, 0);
                }
                buf_add(&bytes, "next", 4);
                assert_ok(xe_decode((struct span){bytes.data, bytes.n}, 1000, &got, &used, &note));
                assert_int_equal(used, bytes.n - 4);
                assert_int_equal(got.kind, kind);
                xe_encode(&got, &again);
                assert_memory_equal(again.data, bytes.data, again.n);
        }
}

static void a_text_is_a_message(void **state) {
        struct xe_message print = xe_message_of(XE_PRINT, "hello"), ok = xe_message_of(XE_OK, NULL);

        (void)state;
        assert_true(print.kind == XE_PRINT && is(print.text, "hello"));
        assert_true(ok.kind == XE_OK && ok.text.n == 0);
}

static void what_is_no_message_is_refused(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
                enum err code;
                const char *words;
        } table[] = {
                {BYTES("\101\0\0\0"), ERR_TOO_LARGE, "a message of 65 bytes, where 64"},
                {BYTES("\377\377\377\377"), ERR_TOO_LARGE, "4294967295"},
                {BYTES("\0\0\0\0"), ERR_CORRUPT, "not known"},
                {BYTES("\4\0\0\0\12\0\0\0"), ERR_CORRUPT, "not known"},
                {BYTES("\10\0\0\0\12\0\0\0\0\0\0\0"), ERR_CORRUPT, "not known"}, /* a command's tag */
                {BYTES("\11\0\0\0\12\0\0\0\5\0\0\0x"), ERR_CORRUPT, "longer or shorter"},
                {BYTES("\10\0\0\0\11\0\0\0\0\0\0\0"), ERR_CORRUPT, "longer or shorter"},
                {BYTES("\14\0\0\0\11\0\0\0\0\0\0\0\1\0\0\0"), ERR_CORRUPT, "longer or shorter"},
                {BYTES("\14\0\0\0\11\0\0\0\0\0\0\0\377\377\377\377"), ERR_CORRUPT, "longer or shorter"},
                {BYTES("\14\0\0\0\13\0\0\0\7\0\0\0\0\0\0\200"), ERR_CORRUPT, "longer or shorter"},
                {BYTES("\20\0\0\0\11\0\0\0\16\0\0\0\0\0\0\0\21\0\0\0"), ERR_CORRUPT, "longer or shorter"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};
                struct xe_message got;
                size_t used;

                assert_err(xe_decode((struct span){(const uint8_t *)table[i].bytes, table[i].n},
                                     XE_ANSWER_MAX, &got, &used, &note),
                           table[i].code, table[i].words);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_banner_is_told_from_all_else_as_it_comes),
                cmocka_unit_test(messages_are_written_as_others_do),
                cmocka_unit_test(every_kind_comes_back_when_it_is_whole),
                cmocka_unit_test(a_text_is_a_message),
                cmocka_unit_test(what_is_no_message_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
