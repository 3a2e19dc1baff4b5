// SPDX-License-Identifier: Apache-2.0
/* Bytes against what the protocol document says, written out by hand; what our own client makes of them is
 * in test_nbd_wire_client.c. */
#include "nbd_kit.h"

#include "nbd_reply.h"

static const struct nbd_request read_request = {
        .type = NBD_CMD_READ, .offset = 0x1000, .length = 0x2000, .cookie = {1, 2, 3, 4, 5, 6, 7, 8}};

#define COOKIE    "\1\2\3\4\5\6\7\10"
#define REP_MAGIC "\x00\x03\xe8\x89\x04\x55\x65\xa9"
#define CHUNK     "\x66\x8e\x33\xef"

#define assert_bytes(n, got, literal)                                                                        \
        do {                                                                                                 \
                assert_int_equal((n), sizeof(literal) - 1);                                                  \
                assert_memory_equal(got, literal, sizeof(literal) - 1);                                      \
        } while (0)

static void the_greeting_offers_fixed_newstyle_and_no_zeroes(void **state) {
        uint8_t got[18];

        (void)state;
        nbd_put_greeting(got);
        assert_bytes(sizeof got, got, "NBDMAGICIHAVEOPT\0\3");
}

static void zeroes_follow_an_export_unless_the_client_does_without(void **state) {
        uint8_t got[NBD_EXPORT_REPLY_MAX];

        (void)state;
        memset(got, 0xff, sizeof got);
        assert_int_equal(nbd_put_export(1ull << 40, 0x0102, false, got), 134);
        assert_memory_equal(got, "\0\0\1\0\0\0\0\0\1\2", 10);
        assert_true(bytes_are_zero(got + 10, 124));
        assert_int_equal(nbd_put_export(1ull << 40, 0x0102, true, got), 10);
        assert_memory_equal(got, "\0\0\1\0\0\0\0\0\1\2", 10);
}

static void replies_to_options_are_as_the_protocol_has_them(void **state) {
        uint8_t got[NBD_OPTION_REPLY_MAX];
        struct nbd_refusal refusal = {.option = 7, .type = NBD_REP_ERR_UNKNOWN, .text = "no"};
        struct nbd_context context = {.kind = NBD_CONTEXT_ALLOCATION};
        size_t n;

        (void)state;
        n = nbd_put_ack(8, got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\10\0\0\0\1\0\0\0\0");
        n = nbd_put_refusal(&refusal, got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\7\x80\0\0\6\0\0\0\2no");
        n = nbd_put_server(kit_text("a"), kit_text("the disk"), got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\3\0\0\0\2\0\0\0\15\0\0\0\1athe disk");
        n = nbd_put_info_export(7, 0x1000, 0x0506, got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\7\0\0\0\3\0\0\0\14\0\0\0\0\0\0\0\0\x10\0\5\6");
        n = nbd_put_info_block_size(6, got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\6\0\0\0\3\0\0\0\16\0\3\0\0\0\1\0\0\x10\0\2\0\0\0");
        n = nbd_put_info_text(6, NBD_INFO_DESCRIPTION, kit_text("hi"), got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\6\0\0\0\3\0\0\0\4\0\2hi");
        n = nbd_put_context(10, 0x01020304, &context, got);
        assert_bytes(n, got, REP_MAGIC "\0\0\0\12\0\0\0\4\0\0\0\23\1\2\3\4base:allocation");
}

static void texts_that_are_too_long_are_cut_to_their_room(void **state) {
        AUTO_FREE uint8_t *got = malloc(NBD_OPTION_REPLY_MAX); /* of just that size, for the sanitizers */
        AUTO(buf_fini) struct buf text = {0};

        (void)state;
        memset(buf_extend(&text, 9000), 'x', 9000);
        assert_int_equal(
                nbd_put_server((struct span){text.data, text.n}, (struct span){text.data, text.n}, got),
                NBD_OPTION_REPLY_MAX);
        assert_memory_equal(got + 16, "\0\0\x20\4\0\0\x10\0", 8);
        assert_int_equal(nbd_put_info_text(7, NBD_INFO_NAME, (struct span){text.data, text.n}, got),
                         20 + 2 + NBD_NAME_MAX);
}

static void chunks_are_as_the_protocol_has_them(void **state) {
        uint8_t got[NBD_ANSWER_MAX], extent[8];
        size_t n;

        (void)state;
        n = nbd_put_simple(&read_request, got);
        assert_bytes(n, got, "\x67\x44\x66\x98\0\0\0\0" COOKIE);
        n = nbd_put_data(&read_request, 0x1000, 0x800, false, got);
        assert_bytes(n, got, CHUNK "\0\0\0\1" COOKIE "\0\0\10\10\0\0\0\0\0\0\x10\0");
        n = nbd_put_data(&read_request, 0x1800, NBD_BLOCK_MAX, true, got);
        assert_bytes(n, got, CHUNK "\0\1\0\1" COOKIE "\2\0\0\10\0\0\0\0\0\0\x18\0");
        n = nbd_put_hole(&read_request, 1ull << 40, 0x800, true, got);
        assert_bytes(n, got, CHUNK "\0\1\0\2" COOKIE "\0\0\0\14\0\0\1\0\0\0\0\0\0\0\10\0");
        n = nbd_put_end(&read_request, got);
        assert_bytes(n, got, CHUNK "\0\1\0\0" COOKIE "\0\0\0\0");
        n = nbd_put_error_at(&read_request, NBD_EIO, 0x1234, "bad", got);
        assert_bytes(n, got, CHUNK "\0\1\x80\2" COOKIE "\0\0\0\21\0\0\0\5\0\3bad\0\0\0\0\0\0\x12\x34");
        n = nbd_put_status(&read_request, 7, 3, false, got);
        assert_bytes(n, got, CHUNK "\0\0\0\5" COOKIE "\0\0\0\34\0\0\0\7");
        nbd_put_extent(0x10000, NBD_STATE_HOLE | NBD_STATE_ZERO, extent);
        assert_bytes(sizeof extent, extent, "\0\1\0\0\0\0\0\3");
}

static void an_answer_has_the_form_that_was_agreed_on(void **state) {
        struct nbd_session simple = {0}, structured = {.has_structured = true};
        struct nbd_request write = read_request;
        uint8_t got[NBD_ANSWER_MAX];
        size_t n;

        (void)state;
        write.type = NBD_CMD_WRITE;
        n = nbd_put_answer(&simple, &write, NBD_OK, NULL, got);
        assert_bytes(n, got, "\x67\x44\x66\x98\0\0\0\0" COOKIE);
        n = nbd_put_answer(&structured, &write, NBD_OK, NULL, got);
        assert_bytes(n, got, "\x67\x44\x66\x98\0\0\0\0" COOKIE);
        n = nbd_put_answer(&simple, &read_request, NBD_EIO, "bad", got);
        assert_bytes(n, got, "\x67\x44\x66\x98\0\0\0\5" COOKIE);
        n = nbd_put_answer(&structured, &read_request, NBD_ESHUTDOWN, NULL, got);
        assert_bytes(n, got, CHUNK "\0\1\x80\1" COOKIE "\0\0\0\6\0\0\0\x6c\0\0");
        n = nbd_put_answer(&structured, &write, NBD_ENOSPC, "full", got);
        assert_bytes(n, got, CHUNK "\0\1\x80\1" COOKIE "\0\0\0\12\0\0\0\34\0\4full");
}

static void the_text_of_an_error_is_cut_between_characters(void **state) {
        AUTO_FREE uint8_t *got = malloc(NBD_ANSWER_MAX);
        struct nbd_session structured = {.has_structured = true};
        AUTO(buf_fini) struct buf text = {0};
        size_t n;

        (void)state;
        for (unsigned i = 0; i < NBD_REPLY_TEXT_MAX; i++)
                buf_print(&text, "\xc3\xbc");
        n = nbd_put_answer(&structured, &read_request, NBD_EIO, buf_text(&text), got);
        assert_int_equal(n, sizeof(struct nbd_error_wire) + NBD_REPLY_TEXT_MAX - 1);
        assert_memory_equal(got + 24, "\0\xfe", 2);
        memset(text.data, 'a', text.n);
        n = nbd_put_error_at(&read_request, NBD_EIO, 1, buf_text(&text), got);
        assert_int_equal(n, NBD_ANSWER_MAX);
        text.data[NBD_REPLY_TEXT_MAX] = 0;
        n = nbd_put_error_at(&read_request, NBD_EIO, 1, buf_text(&text), got);
        assert_int_equal(n, NBD_ANSWER_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_greeting_offers_fixed_newstyle_and_no_zeroes),
                cmocka_unit_test(zeroes_follow_an_export_unless_the_client_does_without),
                cmocka_unit_test(replies_to_options_are_as_the_protocol_has_them),
                cmocka_unit_test(texts_that_are_too_long_are_cut_to_their_room),
                cmocka_unit_test(chunks_are_as_the_protocol_has_them),
                cmocka_unit_test(an_answer_has_the_form_that_was_agreed_on),
                cmocka_unit_test(the_text_of_an_error_is_cut_between_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
