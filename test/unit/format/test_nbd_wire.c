// SPDX-License-Identifier: Apache-2.0
#include "nbd_kit.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void repeat(struct buf *to, uint8_t byte, size_t n) {
        memset(buf_extend(to, n), byte, n);
}

/* An option header that says what it likes of its length. */
static void add_header(struct buf *to, uint32_t code, uint32_t length) {
        struct nbd_option_wire header = {
                .magic = be64_put(NBD_OPTION_MAGIC), .option = be32_put(code), .length = be32_put(length)};

        buf_add(to, &header, sizeof header);
}

/* ---- what is right --------------------------------------------------------------------------- */

static void a_session_of_qemu_is_told_step_by_step(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        static const char *const queries[] = {"base:allocation", "qemu:dirty-bitmap:x"};

        (void)state;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
        nbd_ask_contexts(&bytes, NBD_OPT_LIST_META_CONTEXT, kit_text("disk"), NULL, 0);
        nbd_ask_contexts(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text("disk"), queries, 2);
        nbd_ask_export(&bytes, NBD_OPT_INFO, kit_text("other"), 1u << NBD_INFO_NAME);
        nbd_ask_export(&bytes, NBD_OPT_GO, kit_text("disk"), 1u << NBD_INFO_BLOCK_SIZE);
        kit_ask(&bytes, NBD_CMD_READ, NBD_CMD_DF, 1ull << 40, 4096);
        kit_ask(&bytes, NBD_CMD_WRITE, NBD_CMD_FUA, 512, 1000);
        repeat(&bytes, 3, 1000);
        kit_ask(&bytes, NBD_CMD_FLUSH, 0, 0, 0);
        kit_ask(&bytes, NBD_CMD_WRITE, 0, 512, 0);
        kit_ask(&bytes, 99, 0xffff, UINT64_MAX, UINT32_MAX);
        kit_ask(&bytes, NBD_CMD_DISC, 0, 0, 0);
        buf_print(&bytes, "whatever");
        kit_check(NBD_TLS_NONE, &bytes,
                  "flags\n"
                  "option 8\n"
                  "option 9 \"disk\"\n"
                  "option 10 \"disk\" query 1 query 0\n"
                  "option 6 \"other\" infos 2\n"
                  "option 7 \"disk\" infos 8 contexts\n"
                  "request 0 flags 4 at 1099511627776 +4096\n"
                  "request 1 flags 1 at 512 +1000\n"
                  "data 1000 sum 3000\n"
                  "request 3 flags 0 at 0 +0\n"
                  "request 1 flags 0 at 512 +0\n"
                  "request 99 flags ffff at 18446744073709551615 +4294967295\n"
                  "request 2 flags 0 at 0 +0\n",
                  "qemu");
}

/* Xen Orchestra: no NO_ZEROES, nothing but EXPORT_NAME. */
static void a_client_that_only_names_its_export_is_served(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};

        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                AUTO(kit_fini) struct kit kit = {0};

                bytes.n = 0;
                nbd_ask_flags(&bytes, flags);
                nbd_ask_option(&bytes, NBD_OPT_EXPORT_NAME, kit_text("/a?session_id=b"));
                kit_ask(&bytes, NBD_CMD_READ, 0, 0, 2 << 20);
                kit_check(NBD_TLS_NONE, &bytes,
                          "flags\noption 1 \"/a?session_id=b\"\nrequest 0 flags 0 at 0 +2097152\n",
                          "export name");
                nbd_wire_init(&kit.wire, NBD_TLS_NONE);
                kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
                assert_int_equal(kit.wire.no_zeroes, (flags & NBD_NO_ZEROES) != 0);
        }
}

static void a_client_may_list_and_leave(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};

        (void)state;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
        nbd_ask_option(&bytes, NBD_OPT_ABORT, (struct span){0});
        nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
        kit_check(NBD_TLS_OFFERED, &bytes, "flags\noption 3\noption 2\n", "list");
}

static void contexts_count_only_for_the_export_that_they_were_set_for(void **state) {
        static const struct {
                const char *set, *again, *go;
                bool wrong;
                const char *want;
        } table[] = {
                {"a", NULL, "a", false, "option 7 \"a\" contexts\n"},
                {"", NULL, "", false, "option 7 \"\" contexts\n"},
                {"a", NULL, "b", false, "option 7 \"b\"\n"},
                {"a", NULL, "ab", false, "option 7 \"ab\"\n"},
                {NULL, NULL, "", false, "option 7 \"\"\n"},
                {"b", "a", "a", false, "option 7 \"a\" contexts\n"},
                {"a", "b", "a", false, "option 7 \"a\"\n"},
                {"a", NULL, "a", true, "option 7 \"a\"\n"}, /* a set that fails replaces the one before too */
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0};
                AUTO(kit_fini) struct kit kit = {0};
                static const char *const query[] = {"base:allocation"};
                const char *end;

                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
                nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
                if (table[i].set)
                        nbd_ask_contexts(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text(table[i].set), query, 1);
                if (table[i].again)
                        nbd_ask_contexts(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text(table[i].again), query,
                                         1);
                if (table[i].wrong)
                        nbd_ask_option(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text("?"));
                nbd_ask_export(&bytes, NBD_OPT_GO, kit_text(table[i].go), 0);
                nbd_wire_init(&kit.wire, NBD_TLS_NONE);
                kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
                end = buf_text(&kit.said) + kit.said.n - strlen(table[i].want);
                assert_string_equal(end, table[i].want);
        }
}

/* ---- mistakes of the handshake --------------------------------------------------------------- */

static void an_option_with_a_mistake_is_refused_and_the_next_is_heard(void **state) {
        static const struct {
                const char *what;
                uint32_t code;
                const uint8_t *data;
                size_t n;
                uint32_t type;
        } table[] = {
                {"unknown", 4, BYTES(""), NBD_REP_ERR_UNSUP},
                {"unknown, with data", 77, BYTES("12345"), NBD_REP_ERR_UNSUP},
                {"extended headers", 11, BYTES(""), NBD_REP_ERR_UNSUP},
                {"none", 0, BYTES(""), NBD_REP_ERR_UNSUP},
                {"LIST with data", NBD_OPT_LIST, BYTES("x"), NBD_REP_ERR_INVALID},
                {"STRUCTURED_REPLY with data", NBD_OPT_STRUCTURED_REPLY, BYTES("x"), NBD_REP_ERR_INVALID},
                {"STARTTLS with data", NBD_OPT_STARTTLS, BYTES("x"), NBD_REP_ERR_INVALID},
                {"STARTTLS where there is none", NBD_OPT_STARTTLS, BYTES(""), NBD_REP_ERR_POLICY},
                {"GO, empty", NBD_OPT_GO, BYTES(""), NBD_REP_ERR_INVALID},
                {"GO, half a length", NBD_OPT_GO, BYTES("\0\0\0"), NBD_REP_ERR_INVALID},
                {"GO, no infos", NBD_OPT_GO, BYTES("\0\0\0\1a"), NBD_REP_ERR_INVALID},
                {"GO, half the infos", NBD_OPT_GO, BYTES("\0\0\0\1a\0\2\0\1"), NBD_REP_ERR_INVALID},
                {"GO, more than its infos", NBD_OPT_GO, BYTES("\0\0\0\1a\0\1\0\1\0"), NBD_REP_ERR_INVALID},
                {"GO, a name longer than all", NBD_OPT_GO, BYTES("\0\0\0\4a\0\0"), NBD_REP_ERR_INVALID},
                {"GO, the longest name", NBD_OPT_GO, BYTES("\xff\xff\xff\xff\0\0"), NBD_REP_ERR_INVALID},
                {"GO, not UTF-8", NBD_OPT_GO, BYTES("\0\0\0\1\xff\0\0"), NBD_REP_ERR_INVALID},
                {"GO, a zero in it", NBD_OPT_GO, BYTES("\0\0\0\2a\0\0\0"), NBD_REP_ERR_INVALID},
                {"INFO, no infos", NBD_OPT_INFO, BYTES("\0\0\0\1a"), NBD_REP_ERR_INVALID},
                {"contexts too early", NBD_OPT_LIST_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\0"),
                 NBD_REP_ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0}, want = {0};

                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
                nbd_ask_option(&bytes, table[i].code, (struct span){table[i].data, table[i].n});
                nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
                buf_print(&want, "flags\nrefused %u %x\noption 3\n", table[i].code, table[i].type);
                kit_check(NBD_TLS_NONE, &bytes, buf_text(&want), table[i].what);
        }
}

static void queries_are_counted_against_their_bytes(void **state) {
        static const struct {
                const char *what;
                const uint8_t *data;
                size_t n;
                const char *want;
        } table[] = {
                {"none", BYTES("\0\0\0\1a\0\0\0\0"), "option 9 \"a\"\n"},
                {"one", BYTES("\0\0\0\1a\0\0\0\1\0\0\0\5base:"), "option 9 \"a\" query 2\n"},
                {"an empty one", BYTES("\0\0\0\1a\0\0\0\1\0\0\0\0"), "option 9 \"a\" query 0\n"},
                {"no count", BYTES("\0\0\0\1a\0\0\0"), "refused 9 80000003\n"},
                {"fewer than it says", BYTES("\0\0\0\1a\0\0\0\2\0\0\0\1x"), "refused 9 80000003\n"},
                {"far fewer", BYTES("\0\0\0\1a\xff\xff\xff\xff\0\0\0\1x"), "refused 9 80000003\n"},
                {"longer than all", BYTES("\0\0\0\1a\0\0\0\1\0\0\0\2x"), "refused 9 80000003\n"},
                {"more than it says", BYTES("\0\0\0\1a\0\0\0\1\0\0\0\1xy"), "refused 9 80000003\n"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0}, want = {0};

                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
                nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
                nbd_ask_option(&bytes, NBD_OPT_LIST_META_CONTEXT, (struct span){table[i].data, table[i].n});
                buf_print(&want, "flags\noption 8\n%s", table[i].want);
                kit_check(NBD_TLS_NONE, &bytes, buf_text(&want), table[i].what);
        }
}

static void names_and_options_have_a_longest(void **state) {
        static const struct {
                uint32_t code;
                size_t name;
                const char *want;
        } table[] = {
                {NBD_OPT_INFO, NBD_NAME_MAX, "option 6"},
                {NBD_OPT_INFO, NBD_NAME_MAX + 1, "refused 6 80000009\n"},
                {NBD_OPT_LIST_META_CONTEXT, NBD_NAME_MAX + 1, "refused 9 80000009\n"},
                {NBD_OPT_INFO, NBD_OPTION_MAX - 6, "refused 6 80000009\n"},
                {NBD_OPT_INFO, NBD_OPTION_MAX - 5, "refused 6 80000009\n"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0}, name = {0};
                AUTO(kit_fini) struct kit kit = {0};

                repeat(&name, 'n', table[i].name);
                nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
                nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
                if (table[i].code == NBD_OPT_INFO)
                        nbd_ask_export(&bytes, table[i].code, (struct span){name.data, name.n}, 0);
                else
                        nbd_ask_contexts(&bytes, table[i].code, (struct span){name.data, name.n}, NULL, 0);
                nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
                nbd_wire_init(&kit.wire, NBD_TLS_NONE);
                kit_feed(&kit, (struct span){bytes.data, bytes.n}, 1 << 20);
                assert_non_null(strstr(buf_text(&kit.said), table[i].want));
                assert_non_null(strstr(buf_text(&kit.said), "\noption 3\n"));
        }
}

/* What it says of its length is never waited for in memory. */
static void an_option_of_4_gib_is_let_pass(void **state) {
        AUTO(buf_fini) struct buf bytes = {0}, piece = {0};
        AUTO(kit_fini) struct kit kit = {0};

        (void)state;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        add_header(&bytes, NBD_OPT_GO, UINT32_MAX);
        nbd_wire_init(&kit.wire, NBD_TLS_NONE);
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        repeat(&piece, 1, 1 << 20);
        for (unsigned i = 0; i < 100; i++)
                kit_feed(&kit, (struct span){piece.data, piece.n}, SIZE_MAX);
        assert_int_equal(kit.held.n, 0);
        assert_string_equal(buf_text(&kit.said), "flags\n");
        assert_int_equal(kit.wire.left, UINT32_MAX - (100u << 20));
}

static void what_cannot_go_on_ends_the_session(void **state) {
        static const struct {
                const char *what;
                uint32_t flags;
                const uint8_t *data;
                size_t n;
                const char *want;
        } table[] = {
                {"HTTP", 0x47455420, BYTES(""), "over corrupt: client flags 0x47455420 are not known\n"},
                {"a flag that was not offered", 4 | 1, BYTES(""),
                 "over corrupt: client flags 0x5 are not known\n"},
                {"no option", 1, BYTES("IHAVEOPZ\0\0\0\3\0\0\0\0"),
                 "flags\nover corrupt: no option begins here\n"},
                {"an option of a client that knows only EXPORT_NAME", 0, BYTES("IHAVEOPT\0\0\0\3\0\0\0\0"),
                 "flags\nover corrupt: option 3 of a client that is not fixed newstyle\n"},
                {"EXPORT_NAME, not UTF-8", 1, BYTES("IHAVEOPT\0\0\0\1\0\0\0\2\xc3("),
                 "flags\nover corrupt: option EXPORT_NAME: the export's name is not UTF-8\n"},
                {"EXPORT_NAME, too long", 1, BYTES("IHAVEOPT\0\0\0\1\0\0\x10\1"),
                 "flags\nover corrupt: option EXPORT_NAME: a name of 4097 bytes\n"},
                {"no request", 1, BYTES("IHAVEOPT\0\0\0\1\0\0\0\0IHAVEOPT\0\0\0\3\0\0\0\0            "),
                 "flags\noption 1 \"\"\nover corrupt: no request begins here\n"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = {0};

                nbd_ask_flags(&bytes, table[i].flags);
                buf_add(&bytes, table[i].data, table[i].n);
                kit_check(NBD_TLS_NONE, &bytes, table[i].want, table[i].what);
        }
}

static void one_client_has_so_many_options_and_no_more(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        AUTO(kit_fini) struct kit kit = {0};

        (void)state;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        for (unsigned i = 0; i < NBD_OPTIONS_MAX; i++)
                nbd_ask_option(&bytes, i & 1 ? NBD_OPT_LIST : 99, (struct span){0});
        nbd_wire_init(&kit.wire, NBD_TLS_NONE);
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        assert_false(kit.is_over);
        bytes.n = 0;
        nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        assert_true(kit.is_over);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void where_tls_is_required_nothing_else_is_heard(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};

        (void)state;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
        nbd_ask_option(&bytes, 99, kit_text("data"));
        nbd_ask_export(&bytes, NBD_OPT_GO, kit_text("a"), 0);
        nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
        nbd_ask_option(&bytes, NBD_OPT_ABORT, (struct span){0});
        kit_check(NBD_TLS_REQUIRED, &bytes,
                  "flags\nrefused 3 80000005\nrefused 99 80000005\nrefused 7 80000005\n"
                  "refused 8 80000005\noption 2\n",
                  "all but ABORT");
        bytes.n = 0;
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_option(&bytes, NBD_OPT_EXPORT_NAME, kit_text("a"));
        kit_check(NBD_TLS_REQUIRED, &bytes, "flags\nover denied: option EXPORT_NAME: this server wants TLS\n",
                  "EXPORT_NAME");
}

static void what_was_agreed_on_before_tls_is_forgotten(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        AUTO(kit_fini) struct kit kit = {0};
        static const char *const query[] = {"base:allocation"};

        (void)state;
        nbd_wire_init(&kit.wire, NBD_TLS_OFFERED);
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
        nbd_ask_option(&bytes, NBD_OPT_STRUCTURED_REPLY, (struct span){0});
        nbd_ask_contexts(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text("a"), query, 1);
        nbd_ask_option(&bytes, NBD_OPT_STARTTLS, (struct span){0});
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        bytes.n = 0;
        nbd_ask_option(&bytes, NBD_OPT_STARTTLS, (struct span){0});
        nbd_ask_contexts(&bytes, NBD_OPT_SET_META_CONTEXT, kit_text("a"), query, 1);
        nbd_ask_export(&bytes, NBD_OPT_GO, kit_text("a"), 0);
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        assert_string_equal(buf_text(&kit.said), "flags\noption 8\noption 10 \"a\" query 1\noption 5\n"
                                                 "refused 5 80000003\nrefused 10 80000003\noption 7 \"a\"\n");
        assert_true(kit.wire.no_zeroes);
}

static void bytes_between_starttls_and_tls_end_the_session(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        struct nbd_wire wire;
        struct nbd_event event;
        struct err_note note = {0};
        size_t used;

        (void)state;
        /* In one piece with it … */
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_option(&bytes, NBD_OPT_STARTTLS, (struct span){0});
        nbd_ask_option(&bytes, NBD_OPT_LIST, (struct span){0});
        nbd_wire_init(&wire, NBD_TLS_REQUIRED);
        assert_ok(nbd_wire_next(&wire, (struct span){bytes.data, bytes.n}, &used, &event, &note));
        assert_err(nbd_wire_next(&wire, (struct span){bytes.data + 4, bytes.n - 4}, &used, &event, &note),
                   ERR_DENIED, "between STARTTLS and TLS");
        /* … and after it. */
        nbd_wire_init(&wire, NBD_TLS_REQUIRED);
        assert_ok(nbd_wire_next(&wire, (struct span){bytes.data, 4}, &used, &event, &note));
        assert_ok(nbd_wire_next(&wire, (struct span){bytes.data + 4, 16}, &used, &event, &note));
        assert_int_equal(event.kind, NBD_OPTION);
        assert_ok(nbd_wire_next(&wire, (struct span){bytes.data, 0}, &used, &event, &note));
        assert_err(nbd_wire_next(&wire, (struct span){bytes.data + 20, 1}, &used, &event, &note), ERR_DENIED,
                   "between STARTTLS and TLS");
}

/* ---- a write's data -------------------------------------------------------------------------- */

static void a_writes_data_may_be_taken_past_the_decoder(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        AUTO(kit_fini) struct kit kit = {0};

        (void)state;
        nbd_wire_init(&kit.wire, NBD_TLS_NONE);
        nbd_ask_flags(&bytes, NBD_FIXED_NEWSTYLE);
        nbd_ask_export(&bytes, NBD_OPT_GO, kit_text("a"), 0);
        kit_ask(&bytes, NBD_CMD_WRITE, 0, 0, UINT32_MAX);
        buf_print(&bytes, "abc");
        assert_int_equal(nbd_wire_left(&kit.wire), 0);
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        assert_int_equal(nbd_wire_left(&kit.wire), UINT32_MAX - 3u);
        nbd_wire_took(&kit.wire, UINT32_MAX - 4u);
        assert_int_equal(nbd_wire_left(&kit.wire), 1);
        nbd_wire_took(&kit.wire, 1);
        assert_int_equal(nbd_wire_left(&kit.wire), 0);
        bytes.n = 0;
        kit_ask(&bytes, NBD_CMD_TRIM, 0, 1, 2);
        kit_feed(&kit, (struct span){bytes.data, bytes.n}, SIZE_MAX);
        assert_non_null(strstr(buf_text(&kit.said), "request 4 flags 0 at 1 +2\n"));
}

static void a_cookie_is_kept_as_it_is(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        struct nbd_wire wire = {.state = NBD_REQUESTS};
        struct nbd_event event;
        struct err_note note = {0};
        size_t used;

        (void)state;
        kit_ask(&bytes, NBD_CMD_READ, 0, 0, 1);
        assert_ok(nbd_wire_next(&wire, (struct span){bytes.data, bytes.n}, &used, &event, &note));
        assert_memory_equal(event.request.cookie, "\1\2\3\4\5\6\7\10", 8);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_session_of_qemu_is_told_step_by_step),
                cmocka_unit_test(a_client_that_only_names_its_export_is_served),
                cmocka_unit_test(a_client_may_list_and_leave),
                cmocka_unit_test(contexts_count_only_for_the_export_that_they_were_set_for),
                cmocka_unit_test(an_option_with_a_mistake_is_refused_and_the_next_is_heard),
                cmocka_unit_test(queries_are_counted_against_their_bytes),
                cmocka_unit_test(names_and_options_have_a_longest),
                cmocka_unit_test(an_option_of_4_gib_is_let_pass),
                cmocka_unit_test(what_cannot_go_on_ends_the_session),
                cmocka_unit_test(one_client_has_so_many_options_and_no_more),
                cmocka_unit_test(where_tls_is_required_nothing_else_is_heard),
                cmocka_unit_test(what_was_agreed_on_before_tls_is_forgotten),
                cmocka_unit_test(bytes_between_starttls_and_tls_end_the_session),
                cmocka_unit_test(a_writes_data_may_be_taken_past_the_decoder),
                cmocka_unit_test(a_cookie_is_kept_as_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
