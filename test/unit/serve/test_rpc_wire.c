// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "rpc_wire.h"

static const struct verb *verb_named(const char *noun, const char *verb) {
        return verbs_find(verbs_find_noun(noun), verb);
}

static struct span line_of(struct buf *line) {
        struct span span;
        size_t n;

        assert_true(rpc_find_line(line->data, line->n, &span, &n));
        assert_int_equal(n, line->n);
        return span;
}

static void a_line_is_found_only_when_it_is_whole(void **state) {
        const uint8_t *data = (const uint8_t *)"abc\nde";
        struct span line;
        size_t n;

        (void)state;
        assert_false(rpc_find_line(data, 3, &line, &n));
        assert_true(rpc_find_line(data, 6, &line, &n));
        assert_int_equal(line.n, 3);
        assert_int_equal(n, 4);
        assert_false(rpc_find_line(data + 4, 2, &line, &n));
}

static void a_call_arrives_as_it_was_made(void **state) {
        AUTO(json_decref) json_t *params = json_pack("{s:s, s:I}", "sr", "/sr", "size", (json_int_t)1 << 40);
        struct verb_call call = {.verb = verb_named("vdi", "create"), .state_dir = "/state"};
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct rpc_call got;
        struct err_note note = {0};

        (void)state;
        assert_ok(rpc_put_call(&call, params, true, false, &line, &note));
        assert_ok(jsonrpc_decode(line_of(&line), &message, &note));
        assert_string_equal(message.method, "vdi.create");
        assert_ok(rpc_take_call(&message, false, &got, &note));
        assert_ptr_equal(got.verb, call.verb);
        assert_true(json_equal(got.params, params));
        assert_string_equal(got.state_dir, "/state");
        assert_true(got.has_input && !got.has_output);
        json_decref(got.params);
}

static void only_verbs_on_an_sr_are_taken(void **state) {
        static const char *const methods[] = {"vhd.info", "sr.create", "sr.list", "vdi",
                                              "vdi.",     ".list",     "x.y"};

        (void)state;
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
                AUTO(jsonrpc_fini)
                struct jsonrpc message = {.kind = JSONRPC_CALL, .params = json_pack("{s:{}}", "params")};
                struct rpc_call got = {0};
                struct err_note note = {0};

                snprintf(message.method, sizeof message.method, "%s", methods[i]);
                assert_err(rpc_take_call(&message, false, &got, &note), ERR_UNSUPPORTED, "no verb on an SR");
        }
}

static void a_daemon_takes_verbs_of_any_kind(void **state) {
        static const char *const methods[] = {"vhd.info", "sr.create", "sr.list", "vdi.list"};
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
                AUTO(jsonrpc_fini)
                struct jsonrpc message = {.kind = JSONRPC_CALL, .params = json_pack("{s:{}}", "params")};
                struct rpc_call got = {0};

                snprintf(message.method, sizeof message.method, "%s", methods[i]);
                assert_ok(rpc_take_call(&message, true, &got, &note));
                json_decref(got.params);
        }
}

static void parameters_that_are_too_long_are_refused_here(void **state) {
        AUTO_FREE char *text = malloc(RPC_CALL_MAX + 1);
        AUTO(json_decref) json_t *params = NULL;
        struct verb_call call = {.verb = verb_named("vdi", "create")};
        AUTO(buf_fini) struct buf line = {0};
        struct err_note note = {0};

        (void)state;
        memset(text, 'x', RPC_CALL_MAX);
        text[RPC_CALL_MAX] = 0;
        params = json_pack("{s:s}", "name", text);
        assert_err(rpc_put_call(&call, params, false, false, &line, &note), ERR_TOO_LARGE, "parameters");
        assert_int_equal(line.n, 0);
}

/* Puts an answer and takes it. */
static enum err answer(const struct verb_call *call, enum err failed, const struct err_note *failure,
                       struct verb_call *ret, struct err_note *note) {
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        bool is_not_here = true;

        rpc_put_answer(call, failed, failure, &line);
        assert_int_equal(jsonrpc_decode(line_of(&line), &message, note), ERR_NONE);
        ret->result = json_object();
        failed = rpc_take_answer(&message, ret, &is_not_here, note);
        assert_false(is_not_here);
        return failed;
}

static void a_result_arrives_with_its_outcome(void **state) {
        AUTO(verb_call_fini)
        struct verb_call call = {.outcome = VERB_FINDINGS, .result = json_pack("{s:s}", "uuid", "u")};
        AUTO(verb_call_fini) struct verb_call got = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(answer(&call, ERR_NONE, &note, &got, &note));
        assert_true(json_equal(got.result, call.result));
        assert_int_equal(got.outcome, VERB_FINDINGS);
}

static void every_error_arrives_as_itself(void **state) {
        static const enum err codes[] = {
#define X(code, text) code,
                ERR_TABLE(X)
#undef X
        };

        (void)state;
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
                struct verb_call call = {.outcome = VERB_USAGE};
                AUTO(verb_call_fini) struct verb_call got = {0};
                struct err_note failure = {.code = codes[i], .text = "open x: no"}, note = {0};

                if (codes[i] == ERR_NONE)
                        continue;
                assert_err(answer(&call, codes[i], &failure, &got, &note), codes[i], "open x: no");
                assert_string_equal(note.text, "open x: no");
                assert_int_equal(got.outcome, VERB_USAGE);
        }
}

static void an_owner_that_is_leaving_says_to_try_again(void **state) {
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct verb_call call = {0};
        struct err_note leaving = {.code = ERR_CLOSED, .text = "leaving"}, note = {0};
        bool is_not_here = false;

        (void)state;
        rpc_put_error(RPC_NOT_HERE, VERB_DONE, &leaving, &line);
        assert_ok(jsonrpc_decode(line_of(&line), &message, &note));
        assert_err(rpc_take_answer(&message, &call, &is_not_here, &note), ERR_CLOSED, "leaving");
        assert_true(is_not_here);
}

static void an_answer_to_another_call_is_none(void **state) {
        struct jsonrpc message = {.kind = JSONRPC_RESULT, .id = RPC_ID + 1};
        struct verb_call call = {0};
        struct err_note note = {0};
        bool is_not_here;

        (void)state;
        assert_err(rpc_take_answer(&message, &call, &is_not_here, &note), ERR_CORRUPT, "another call");
        message.id = RPC_ID;
        assert_err(rpc_take_answer(&message, &call, &is_not_here, &note), ERR_CORRUPT, "no result");
}

static void an_answer_that_is_too_long_says_so(void **state) {
        AUTO_FREE char *text = malloc(RPC_ANSWER_MAX + 1);
        AUTO(verb_call_fini) struct verb_call call = {0}, got = {0};
        struct err_note note = {0};

        (void)state;
        memset(text, 'x', RPC_ANSWER_MAX);
        text[RPC_ANSWER_MAX] = 0;
        call.result = json_pack("{s:s}", "text", text);
        assert_err(answer(&call, ERR_NONE, &note, &got, &note), ERR_TOO_LARGE, "it is done");
}

static void progress_arrives_as_it_was(void **state) {
        const struct rpc_progress put = {
                .doing = "export", .done = 5, .total = (uint64_t)1 << 42, .has_ended = true};
        struct rpc_progress got;
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0}, bad = {.params = json_pack("{s:s}", "doing", "x")};
        struct err_note note = {0};

        (void)state;
        rpc_put_progress(&put, &line);
        assert_ok(jsonrpc_decode(line_of(&line), &message, &note));
        assert_string_equal(message.method, RPC_PROGRESS);
        assert_ok(rpc_take_progress(&message, &got, &note));
        assert_string_equal(got.doing, "export");
        assert_true(got.done == put.done && got.total == put.total && got.has_ended);
        assert_err(rpc_take_progress(&bad, &got, &note), ERR_CORRUPT, "no progress");
}

static void a_line_arrives_as_it_was_said(void **state) {
        AUTO(buf_fini) struct buf line = {0};
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct err_note note = {0};

        (void)state;
        rpc_put_said("a \"line\"\nand \xff", &line);
        assert_ok(jsonrpc_decode(line_of(&line), &message, &note));
        assert_string_equal(message.method, RPC_SAID);
        assert_string_equal(json_string_value(json_object_get(message.params, "line")), "a \"line\"\nand ?");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_line_is_found_only_when_it_is_whole),
                cmocka_unit_test(a_call_arrives_as_it_was_made),
                cmocka_unit_test(only_verbs_on_an_sr_are_taken),
                cmocka_unit_test(a_daemon_takes_verbs_of_any_kind),
                cmocka_unit_test(parameters_that_are_too_long_are_refused_here),
                cmocka_unit_test(a_result_arrives_with_its_outcome),
                cmocka_unit_test(every_error_arrives_as_itself),
                cmocka_unit_test(an_owner_that_is_leaving_says_to_try_again),
                cmocka_unit_test(an_answer_to_another_call_is_none),
                cmocka_unit_test(an_answer_that_is_too_long_says_so),
                cmocka_unit_test(progress_arrives_as_it_was),
                cmocka_unit_test(a_line_arrives_as_it_was_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
