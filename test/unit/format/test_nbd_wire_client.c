// SPDX-License-Identifier: Apache-2.0
#include "nbd_kit.h"

#include "nbd_reply.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1
#define COOKIE         "\1\2\3\4\5\6\7\10"
#define CHUNK          "\x66\x8e\x33\xef"

static const struct nbd_request request = {.type = NBD_CMD_READ, .cookie = {1, 2, 3, 4, 5, 6, 7, 8}};

/* ---- a listener that tells ------------------------------------------------------------------- */

static void tell(struct buf *said, struct nbd_client *client, const struct nbd_heard *heard) {
        int n_text = (int)heard->text.n;
        const char *text = (const char *)heard->text.data;

        switch (heard->kind) {
        case NBD_HEARD_NOTHING:
                break;
        case NBD_HEARD_GREETING:
                buf_print(said, "greeting %u\n", heard->flags);
                break;
        case NBD_HEARD_OPTION:
                buf_print(said, "option %u %x info %u size %" PRIu64 " flags %u id %u \"%.*s\"\n",
                          heard->option, heard->type, heard->info, heard->size, heard->flags, heard->context,
                          heard->info == NBD_INFO_BLOCK_SIZE ? 0 : n_text, text ? text : "");
                if (heard->option == NBD_OPT_GO && heard->type == NBD_REP_ACK)
                        nbd_client_start(client);
                break;
        case NBD_HEARD_EXPORT:
                buf_print(said, "export %" PRIu64 " flags %u\n", heard->size, heard->flags);
                break;
        case NBD_HEARD_SIMPLE:
                assert_memory_equal(heard->cookie, COOKIE, 8);
                buf_print(said, "simple %u\n", heard->error);
                break;
        case NBD_HEARD_CHUNK:
                assert_memory_equal(heard->cookie, COOKIE, 8);
                buf_print(said,
                          "chunk %x %s at %" PRIu64 " +%" PRIu64 " error %u \"%.*s\" id %u extents %zu\n",
                          heard->type, heard->is_last ? "last" : "more", heard->offset, heard->length,
                          heard->error, n_text, text ? text : "", heard->context, heard->extents.n / 8);
                break;
        case NBD_HEARD_DATA:
                for (size_t i = 0; i < heard->data.n; i++)
                        buf_print(said, "%c%s", heard->data.data[i],
                                  client->left == 0 && i + 1 == heard->data.n ? "\n" : "");
                break;
        }
}

/* Feeds bytes in pieces, each call with memory that ends where they do. */
static void hear(struct nbd_client *client, struct span bytes, size_t piece, struct buf *said) {
        AUTO(buf_fini) struct buf held = {0};

        while (bytes.n > 0) {
                size_t n = bytes.n < piece ? bytes.n : piece, used = 0;
                struct err_note note = {0};
                struct nbd_heard heard;

                buf_add(&held, bytes.data, n);
                bytes = (struct span){bytes.data + n, bytes.n - n};
                do {
                        AUTO_FREE uint8_t *copy = malloc(held.n + 1);

                        memcpy(copy + 1, held.data, held.n);
                        if (nbd_client_next(client, (struct span){copy + 1, held.n}, &used, &heard, &note)) {
                                buf_print(said, "over %s: %s\n", err_name(note.code), note.text);
                                return;
                        }
                        assert_true(used <= held.n);
                        tell(said, client, &heard);
                        held.n -= used;
                        memmove(held.data, held.data + used, held.n);
                        if (heard.kind == NBD_HEARD_NOTHING)
                                assert_true(heard.need > held.n && heard.need <= NBD_CLIENT_REPLY_MAX);
                } while (heard.kind != NBD_HEARD_NOTHING);
        }
}

static void check(enum nbd_client_state from, struct span bytes, const char *want, const char *what) {
        static const size_t pieces[] = {SIZE_MAX, 1, 3, 29};

        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                AUTO(buf_fini) struct buf said = {0};
                struct nbd_client client = {.state = from};

                hear(&client, bytes, pieces[i], &said);
                if (strcmp(buf_text(&said), want) != 0) {
                        print_error("%s, pieces of %zu: heard\n%swanted\n%s", what, pieces[i],
                                    buf_text(&said), want);
                        fail();
                }
        }
}

/* ---- both sides ------------------------------------------------------------------------------ */

static void what_the_server_says_is_heard(void **state) {
        struct nbd_session session = {.has_structured = true};
        struct nbd_context context = {.kind = NBD_CONTEXT_ALLOCATION};
        struct nbd_refusal refusal = {.option = 9, .type = NBD_REP_ERR_POLICY, .text = "no"};
        uint8_t option[NBD_OPTION_REPLY_MAX], reply[NBD_ANSWER_MAX], extent[8];
        AUTO(buf_fini) struct buf bytes = {0};

        (void)state;
        nbd_put_greeting(buf_extend(&bytes, 18));
        buf_add(&bytes, option, nbd_put_server(kit_text("a"), kit_text("A disk"), option));
        buf_add(&bytes, option, nbd_put_refusal(&refusal, option));
        buf_add(&bytes, option, nbd_put_context(10, 3, &context, option));
        buf_add(&bytes, option, nbd_put_info_export(7, 1 << 20, 5, option));
        buf_add(&bytes, option, nbd_put_info_block_size(7, option));
        buf_add(&bytes, option, nbd_put_info_text(7, NBD_INFO_NAME, kit_text("a"), option));
        buf_add(&bytes, option, nbd_put_ack(7, option));
        buf_add(&bytes, reply, nbd_put_data(&request, 512, 3, false, reply));
        buf_print(&bytes, "abc");
        buf_add(&bytes, reply, nbd_put_hole(&request, 515, 9, false, reply));
        buf_add(&bytes, reply, nbd_put_error_at(&request, NBD_EIO, 524, "bad", reply));
        buf_add(&bytes, reply, nbd_put_end(&request, reply));
        buf_add(&bytes, reply, nbd_put_status(&request, 3, 2, true, reply));
        nbd_put_extent(7, 1, extent);
        buf_add(&bytes, extent, sizeof extent);
        buf_add(&bytes, extent, sizeof extent);
        buf_add(&bytes, reply, nbd_put_answer(&session, &request, NBD_EINVAL, "why", reply));
        check(NBD_CLIENT_GREETING, (struct span){bytes.data, bytes.n},
              "greeting 3\n"
              "option 3 2 info 0 size 0 flags 0 id 0 \"a\"\n"
              "option 9 80000002 info 0 size 0 flags 0 id 0 \"no\"\n"
              "option 10 4 info 0 size 0 flags 0 id 3 \"base:allocation\"\n"
              "option 7 3 info 0 size 1048576 flags 5 id 0 \"\"\n"
              "option 7 3 info 3 size 0 flags 0 id 0 \"\"\n"
              "option 7 3 info 1 size 0 flags 0 id 0 \"a\"\n"
              "option 7 1 info 0 size 0 flags 0 id 0 \"\"\n"
              "chunk 1 more at 512 +3 error 0 \"\" id 0 extents 0\n"
              "abc\n"
              "chunk 2 more at 515 +9 error 0 \"\" id 0 extents 0\n"
              "chunk 8002 last at 524 +0 error 5 \"bad\" id 0 extents 0\n"
              "chunk 0 last at 0 +0 error 0 \"\" id 0 extents 0\n"
              "chunk 5 last at 0 +0 error 0 \"\" id 3 extents 2\n"
              "chunk 8001 last at 0 +0 error 22 \"why\" id 0 extents 0\n",
              "all replies");
}

static void an_export_is_heard_with_and_without_its_zeroes(void **state) {
        for (unsigned no_zeroes = 0; no_zeroes < 2; no_zeroes++) {
                AUTO(buf_fini) struct buf bytes = {0}, said = {0};
                struct nbd_client client = {.state = NBD_CLIENT_HAGGLING};
                uint8_t reply[NBD_EXPORT_REPLY_MAX], answer[NBD_ANSWER_MAX];

                (void)state;
                buf_add(&bytes, reply, nbd_put_export(4096, 3, no_zeroes, reply));
                buf_add(&bytes, answer, nbd_put_simple(&request, answer));
                nbd_client_named(&client, no_zeroes);
                hear(&client, (struct span){bytes.data, bytes.n}, 5, &said);
                assert_string_equal(buf_text(&said), "export 4096 flags 3\nsimple 0\n");
                nbd_client_expect(&client, 4);
                hear(&client, (struct span){(const uint8_t *)"wxyz", 4}, 3, &said);
                assert_string_equal(buf_text(&said), "export 4096 flags 3\nsimple 0\nwxyz\n");
                assert_int_equal(client.state, NBD_CLIENT_REPLIES);
        }
}

static void what_is_no_reply_ends_the_session(void **state) {
        static const struct {
                enum nbd_client_state from;
                const uint8_t *data;
                size_t n;
                const char *want;
        } table[] = {
                {NBD_CLIENT_GREETING, BYTES("SSH-2.0-OpenSSH_9.2"), "over corrupt: this is not an NBD"},
                {NBD_CLIENT_GREETING, BYTES("NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0"),
                 "over corrupt: this NBD server is of the old style"},
#define REPLY "\x00\x03\xe8\x89\x04\x55\x65\xa9"
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\7\0\0\0\1\0\0\0\1x"), "over corrupt: reply 0x1"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\7\0\0\0\3\0\0\0\1x"), "over corrupt: reply 0x3"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\7\0\0\0\3\0\0\0\3\0\0x"),
                 "over corrupt: reply 0x3"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\7\0\0\0\3\0\0\0\3\0\3x"),
                 "over corrupt: reply 0x3"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\3\0\0\0\2\0\0\0\5\0\0\0\2x"),
                 "over corrupt: reply 0x2"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\12\0\0\0\4\0\0\0\3abc"), "over corrupt: reply 0x4"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\12\0\0\0\5\0\0\0\0"), "over corrupt: reply 0x5"},
                {NBD_CLIENT_HAGGLING, BYTES(REPLY "\0\0\0\7\x80\0\0\1\xff\xff\xff\xff"),
                 "over too_large: a reply of 4294967295"},
                {NBD_CLIENT_HAGGLING, BYTES("12345678901234567890"), "over corrupt: no reply to an option"},
                {NBD_CLIENT_REPLIES, BYTES("1234"), "over corrupt: no reply begins here"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\1" COOKIE "\0\0\0\10"),
                 "over corrupt: a chunk without"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\1" COOKIE "\0\0\0\0"),
                 "over corrupt: a chunk without"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\0\0\0" COOKIE "\0\0\0\0"), "over corrupt: chunk 0"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\0" COOKIE "\0\0\0\1x"), "over corrupt: chunk 0"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\2" COOKIE "\0\0\0\14\0\0\0\0\0\0\0\1\0\0\0\0"),
                 "over corrupt: chunk 0x2"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\2" COOKIE "\0\0\0\13\0\0\0\0\0\0\0\1\0\0\1"),
                 "over corrupt: chunk 0x2"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\5" COOKIE "\0\0\0\4\0\0\0\1"),
                 "over corrupt: chunk 0x5"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\5" COOKIE "\0\0\0\13\0\0\0\1\0\0\0\1\0\0\0"),
                 "over corrupt: chunk 0x5"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\5" COOKIE "\0\0\0\14\0\0\0\1\0\0\0\0\0\0\0\1"),
                 "over corrupt: chunk 0x5"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\7" COOKIE "\0\0\0\0"), "over corrupt: chunk 0x7"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\x80\1" COOKIE "\0\0\0\6\0\0\0\5\0\1"),
                 "over corrupt: chunk 0x8001"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\x80\1" COOKIE "\0\0\0\6\0\0\0\0\0\0"),
                 "over corrupt: chunk 0x8001"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\x80\2" COOKIE "\0\0\0\7\0\0\0\5\0\1x"),
                 "over corrupt: chunk 0x8002"},
                {NBD_CLIENT_REPLIES, BYTES(CHUNK "\0\1\0\5" COOKIE "\xff\xff\xff\xff"),
                 "over too_large: a chunk of 4294967295"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf said = {0};
                struct nbd_client client = {.state = table[i].from};

                hear(&client, (struct span){table[i].data, table[i].n}, 1, &said);
                if (strncmp(buf_text(&said), table[i].want, strlen(table[i].want)) != 0) {
                        print_error("row %zu: heard %s", i, buf_text(&said));
                        fail();
                }
        }
}

static void an_error_of_a_kind_that_is_not_known_is_an_error(void **state) {
        (void)state;
        check(NBD_CLIENT_REPLIES,
              (struct span){BYTES(CHUNK "\0\1\x80\x7f" COOKIE "\0\0\0\12\0\0\0\5\0\1xmor")},
              "chunk 807f last at 0 +0 error 5 \"x\" id 0 extents 0\n", "unknown error");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_server_says_is_heard),
                cmocka_unit_test(an_export_is_heard_with_and_without_its_zeroes),
                cmocka_unit_test(what_is_no_reply_ends_the_session),
                cmocka_unit_test(an_error_of_a_kind_that_is_not_known_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
