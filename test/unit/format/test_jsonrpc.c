// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "jsonrpc.h"

static enum err decode(const char *line, struct jsonrpc *ret, struct err_note *note) {
        return jsonrpc_decode((struct span){(const uint8_t *)line, strlen(line)}, ret, note);
}

static void every_kind_comes_back_as_it_was_written(void **state) {
        static const struct {
                const char *line;
                enum jsonrpc_kind kind;
        } table[] = {
                {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"vdi.list\",\"params\":{\"sr\":\"/a\\nb\"}}\n",
                 JSONRPC_CALL},
                {"{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"done\":9007199254740993}}\n",
                 JSONRPC_NOTIFICATION},
                {"{\"jsonrpc\":\"2.0\",\"id\":-3,\"result\":{\"uuid\":null}}\n", JSONRPC_RESULT},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no "
                 "\\\"x\\\"\",\"data\":"
                 "{\"code\":\"busy\"}}}\n",
                 JSONRPC_ERROR},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(jsonrpc_fini) struct jsonrpc message = {0};
                AUTO(buf_fini) struct buf again = {0};
                struct err_note note = {0};
                struct span line = {(const uint8_t *)table[i].line, strlen(table[i].line) - 1};

                assert_ok(jsonrpc_decode(line, &message, &note));
                assert_int_equal(message.kind, table[i].kind);
                assert_ok(jsonrpc_encode(&message, &again, &note));
                assert_string_equal(buf_text(&again), table[i].line);
        }
}

static void what_a_message_says_is_told(void **state) {
        AUTO(jsonrpc_fini) struct jsonrpc call = {0}, error = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(decode("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"vdi.list\",\"more\":1}", &call, &note));
        assert_int_equal(call.id, 7);
        assert_string_equal(call.method, "vdi.list");
        assert_int_equal(json_object_size(call.params), 0);
        assert_ok(decode("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-5,\"message\":\"m\"}}", &error,
                         &note));
        assert_int_equal(error.code, -5);
        assert_string_equal(error.message, "m");
        assert_null(error.data);
}

static void what_is_no_message_is_refused_with_a_reason(void **state) {
        static const struct {
                const char *line, *words;
        } table[] = {
                {"", "message: "},
                {"{", "message: "},
                {"[]", "not JSON-RPC 2.0"},
                {"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}", "not JSON-RPC 2.0"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1}", "not one of"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":{}}", "not one of"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"result\":{}}", "duplicate"},
                {"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}", "\"id\" is not an integer"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}", "\"id\" is not an integer"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", "\"result\" is not an object"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[]}",
                 "\"params\" is not an object"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", "not the name"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", "not the name"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\u0000b\"}", "message: "},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", "no code and message"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"m\",\"data\":1}}",
                 "\"data\" is not an object"},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}} x", "message: "},
                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}", "message: "},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct jsonrpc message = {0};
                struct err_note note = {0};

                assert_err(decode(table[i].line, &message, &note), ERR_CORRUPT, table[i].words);
                assert_null(message.params);
        }
}

static void a_line_of_brackets_does_not_end_the_stack(void **state) {
        enum { DEEP = 1 << 20 };
        AUTO_FREE char *line = malloc(DEEP);
        struct jsonrpc message = {0};
        struct err_note note = {0};

        (void)state;
        memset(line, '[', DEEP);
        assert_err(jsonrpc_decode((struct span){(uint8_t *)line, DEEP}, &message, &note), ERR_CORRUPT,
                   "deeper");
        /* Brackets within text are text. */
        assert_ok(decode("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":"
                         "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[\"}}",
                         &message, &note));
        jsonrpc_fini(&message);
}

static void a_method_may_not_be_longer_than_its_room(void **state) {
        AUTO_FREE char *name = malloc(JSONRPC_METHOD_MAX + 2);
        struct err_note note = {0};

        (void)state;
        for (unsigned more = 0; more < 2; more++) {
                AUTO(buf_fini) struct buf line = {0};
                AUTO(jsonrpc_fini) struct jsonrpc message = {0};
                enum err got;

                memset(name, 'm', JSONRPC_METHOD_MAX + more);
                name[JSONRPC_METHOD_MAX + more] = 0;
                buf_print(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"}", name);
                got = decode(buf_text(&line), &message, &note);
                assert_int_equal(got, more ? ERR_CORRUPT : ERR_NONE);
        }
}

static void text_that_is_too_long_is_cut_between_characters(void **state) {
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct err_note note = {0};

        (void)state;
        buf_print(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"");
        for (unsigned i = 0; i < ERR_TEXT_SIZE; i++)
                buf_print(&line, "\xc3\xbc");
        buf_print(&line, "\"}}");
        assert_ok(decode(buf_text(&line), &message, &note));
        assert_int_equal(strlen(message.message), ERR_TEXT_SIZE - 2);
}

static void an_error_that_is_not_utf8_is_sent_all_the_same(void **state) {
        struct jsonrpc error = {
                .kind = JSONRPC_ERROR, .id = 1, .code = JSONRPC_VERB_FAILED, .message = "open a\xff"};
        AUTO(buf_fini) struct buf line = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(jsonrpc_encode(&error, &line, &note));
        assert_non_null(strstr(buf_text(&line), "\"open a?\""));
}

static void a_name_that_is_not_utf8_is_refused_and_nothing_added(void **state) {
        AUTO(jsonrpc_fini)
        struct jsonrpc call = {.kind = JSONRPC_CALL, .id = 1, .method = "m", .params = json_object()};
        AUTO(buf_fini) struct buf line = {0};
        struct err_note note = {0};

        (void)state;
        json_object_set_new(call.params, "file", json_string_nocheck("a\xff"));
        buf_print(&line, "before");
        assert_err(jsonrpc_encode(&call, &line, &note), ERR_UNSUPPORTED, "UTF-8");
        assert_int_equal(line.n, strlen("before"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_comes_back_as_it_was_written),
                cmocka_unit_test(what_a_message_says_is_told),
                cmocka_unit_test(what_is_no_message_is_refused_with_a_reason),
                cmocka_unit_test(a_line_of_brackets_does_not_end_the_stack),
                cmocka_unit_test(a_method_may_not_be_longer_than_its_room),
                cmocka_unit_test(text_that_is_too_long_is_cut_between_characters),
                cmocka_unit_test(an_error_that_is_not_utf8_is_sent_all_the_same),
                cmocka_unit_test(a_name_that_is_not_utf8_is_refused_and_nothing_added),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
