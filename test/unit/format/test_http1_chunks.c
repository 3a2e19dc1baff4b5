// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "buf.h"
#include "http1_chunks.h"

/* Decodes in pieces of at most `piece` bytes, as a socket brings them. */
static enum err decode(const char *text, size_t n, size_t piece, struct buf *ret, size_t *ret_used,
                       bool *ret_whole, struct err_note *note) {
        struct http1_chunks chunks = {0};
        size_t at = 0, until = 0;

        ret->n = 0;
        *ret_whole = false;
        while (at < n && !chunks.is_whole) {
                size_t frame;
                uint64_t data;

                until = until < at + piece ? until + 1 : until;
                until = until > n ? n : until;
                if (http1_chunks_frame(&chunks, (struct span){(const uint8_t *)text + at, until - at}, &frame,
                                       note))
                        return note->code;
                at += frame;
                data = chunks.state == HTTP1_CHUNK_DATA ? min_u64(chunks.left, until - at) : 0;
                buf_add(ret, text + at, data);
                http1_chunks_skip(&chunks, data);
                at += data;
        }
        *ret_used = at;
        *ret_whole = chunks.is_whole;
        return ERR_NONE;
}

static void chunks_are_put_together_however_they_come(void **state) {
        static const char text[] =
                "4\r\nWiki\r\n00000006;a=\"b c\"\r\npedia \r\nE  \r\nin \r\n\r\nchunks.\r\n"
                "0;last\r\nTrailer: x\r\nY: z\r\n\r\nGET";
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note = {0};
        bool is_whole;
        size_t used;

        (void)state;
        for (size_t piece = 1; piece <= sizeof text; piece++) {
                assert_ok(decode(text, sizeof text - 1, piece, &got, &used, &is_whole, &note));
                assert_true(is_whole);
                assert_string_equal(buf_text(&got), "Wikipedia in \r\n\r\nchunks.");
                /* What comes behind is the next request's. */
                assert_string_equal(text + used, "GET");
        }
}

static void it_is_not_whole_before_its_last_byte(void **state) {
        static const char text[] = "3\r\nabc\r\n0\r\n\r\n";
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note = {0};
        bool is_whole;
        size_t used;

        (void)state;
        for (size_t n = 0; n < sizeof text - 1; n++) {
                assert_ok(decode(text, n, 100, &got, &used, &is_whole, &note));
                assert_false(is_whole);
                assert_int_equal(used, n);
        }
}

static void what_another_reader_could_see_otherwise_is_refused(void **state) {
        static const char *const bad[] = {"\r\n",
                                          "g\r\n",
                                          " 3\r\nabc\r\n",
                                          "3\nabc\r\n",
                                          "3\r\rabc",
                                          "-3\r\nabc\r\n",
                                          "+3\r\nabc\r\n",
                                          "0x3\r\nabc\r\n",
                                          "3\r\nabcd\r\n",
                                          "3\r\nabc\n",
                                          "3\r\nabc\r\r\n",
                                          "3;a\nb\r\nabc",
                                          "3;\001\r\nabc\r\n",
                                          "3,\r\nabc\r\n",
                                          "0\r\na\n\r\n\r\n",
                                          "0\r\n\n",
                                          "0\r\n\r\r",
                                          "0\r\nA: \177\r\n\r\n",
                                          "10000000000000000\r\n"};
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note = {0};
        bool is_whole;
        size_t used;

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                for (size_t piece = 1; piece <= 100; piece += 33)
                        assert_err(decode(bad[i], strlen(bad[i]), piece, &got, &used, &is_whole, &note),
                                   ERR_CORRUPT, "no chunk");
}

static void lines_and_trailers_have_bounds(void **state) {
        AUTO(buf_fini) struct buf text = {0}, got = {0};
        struct err_note note = {0};
        bool is_whole;
        size_t used;

        (void)state;
        buf_print(&text, "3;%0*d\r\nabc\r\n0\r\n\r\n", HTTP1_CHUNK_LINE_MAX - 4, 1);
        assert_ok(decode((char *)text.data, text.n, 7, &got, &used, &is_whole, &note));
        assert_true(is_whole);
        text.n = 0;
        buf_print(&text, "3;%0*d\r\nabc\r\n0\r\n\r\n", HTTP1_CHUNK_LINE_MAX - 3, 1);
        assert_err(decode((char *)text.data, text.n, 7, &got, &used, &is_whole, &note), ERR_TOO_LARGE,
                   "too long");
        text.n = 0;
        buf_print(&text, "0\r\n");
        for (unsigned i = 0; i < 1000; i++)
                buf_print(&text, "A: 1234567890\r\n");
        assert_err(decode((char *)text.data, text.n, 7, &got, &used, &is_whole, &note), ERR_TOO_LARGE,
                   "too long");
}

static void it_stays_wrong(void **state) {
        struct http1_chunks chunks = {0};
        struct err_note note = {0};
        size_t n;

        (void)state;
        assert_err(http1_chunks_frame(&chunks, (struct span){(const uint8_t *)"x", 1}, &n, &note),
                   ERR_CORRUPT, "");
        assert_err(http1_chunks_frame(&chunks, (struct span){(const uint8_t *)"3", 1}, &n, &note),
                   ERR_CORRUPT, "");
        assert_err(http1_chunks_frame(&chunks, (struct span){(const uint8_t *)"", 0}, &n, &note), ERR_CORRUPT,
                   "");
}

static void what_we_send_is_read_back(void **state) {
        static const uint64_t sizes[] = {1, 9, 10, 15, 16, 4096, UINT64_MAX};

        (void)state;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                struct http1_chunks chunks = {0};
                struct err_note note = {0};
                char head[HTTP1_CHUNK_HEAD_MAX];
                size_t n = http1_chunk_head(sizes[i], head), used;

                assert_ok(http1_chunks_frame(&chunks, (struct span){(const uint8_t *)head, n}, &used, &note));
                assert_int_equal(used, n);
                assert_true(chunks.left == sizes[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(chunks_are_put_together_however_they_come),
                cmocka_unit_test(it_is_not_whole_before_its_last_byte),
                cmocka_unit_test(what_another_reader_could_see_otherwise_is_refused),
                cmocka_unit_test(lines_and_trailers_have_bounds),
                cmocka_unit_test(it_stays_wrong),
                cmocka_unit_test(what_we_send_is_read_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
