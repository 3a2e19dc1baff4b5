// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "verbs.h"

static enum err echo(struct verb_call *call, struct err_note *note) {
        if (call_flag(call, "refuse"))
                return call_usage(call, note, "--refuse was given");
        call_put(call, "name", json_of_text(call_text(call, "name")));
        call_put(call, "size", json_of_u64(call_number(call, "size")));
        call_put(call, "has_size", json_boolean(call_has(call, "size")));
        return ERR_NONE;
}

static const struct param params[] = {
        {.name = "name", .kind = PARAM_TEXT, .flags = PARAM_REQUIRED, .help = "h"},
        {.name = "size", .kind = PARAM_SIZE, .help = "h"},
        {.name = "kind", .kind = PARAM_CHOICE, .choices = "a|bc", .fallback = "bc", .help = "h"},
        {.name = "refuse", .kind = PARAM_FLAG, .help = "h"},
        {.name = "files", .kind = PARAM_PATH, .flags = PARAM_POSITIONAL | PARAM_REPEATED, .help = "h"},
        {0},
};
static const struct verb verb = {.name = "echo", .params = params, .run = echo};

static enum err run(const char *json, struct verb_call *ret, json_t **ret_params, struct err_note *note) {
        *ret_params = json_loads(json, 0, NULL);
        *ret = (struct verb_call){.verb = &verb, .params = *ret_params};
        return verb_call_run(ret, note);
}

static void parameters_that_are_missing_get_their_default(void **state) {
        AUTO(verb_call_fini) struct verb_call call = {0};
        AUTO(json_decref) json_t *given = NULL;
        struct err_note note = {0};

        (void)state;
        assert_ok(run("{\"name\": \"x\"}", &call, &given, &note));
        assert_string_equal(call_text(&call, "kind"), "bc");
        assert_false(call_has(&call, "size"));
        assert_int_equal(call_number(&call, "size"), 0);
        assert_string_equal(json_string_value(json_object_get(call.result, "name")), "x");
}

static void parameters_as_json_are_checked_like_words(void **state) {
        static const struct {
                const char *json, *answer;
        } rows[] = {
                {"{}", "--name is missing"},
                {"{\"name\": 3}", "--name: text is wanted"},
                {"{\"name\": \"x\", \"size\": \"64M\"}", "--size: a number is wanted"},
                {"{\"name\": \"x\", \"size\": -1}", "--size: a number is wanted"},
                {"{\"name\": \"x\", \"kind\": \"b\"}", "'b' is none of a|bc"},
                {"{\"name\": \"x\", \"refuse\": 1}", "true or false"},
                {"{\"name\": \"x\", \"other\": 1}", "no parameter is named 'other'"},
                {"{\"name\": \"x\", \"files\": \"f\"}", "a list is wanted"},
                {"{\"name\": \"x\", \"files\": [1]}", "a list of text is wanted"},
                {"{\"name\": \"x\", \"refuse\": true}", "--refuse was given"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(verb_call_fini) struct verb_call call = {0};
                AUTO(json_decref) json_t *given = NULL;
                struct err_note note = {0};

                assert_err(run(rows[i].json, &call, &given, &note), ERR_INVALID, rows[i].answer);
                assert_int_equal(call.outcome, VERB_USAGE);
        }
}

static void text_that_is_not_utf8_becomes_json_all_the_same(void **state) {
        static const struct {
                const char *text, *want;
        } rows[] = {{"plain é", "plain é"},
                    {"\xff", "?"},
                    {"a\xc3", "a?"},
                    {"\xed\xa0\x80", "???"},
                    {"\xf0\x9f\x98\x80\x80", "\xf0\x9f\x98\x80?"}};

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(json_decref) json_t *value = json_of_text(rows[i].text);

                assert_string_equal(json_string_value(value), rows[i].want);
        }
        assert_true(json_is_null(json_of_text(NULL)));
}

/* What the command line and later the web depend on. */
static void the_table_keeps_its_own_rules(void **state) {
        (void)state;
        for (const struct noun *noun = verb_nouns; noun->name; noun++) {
                for (const struct verb *const *each = noun->verbs; *each; each++) {
                        bool is_repeated = false;

                        assert_non_null((*each)->summary);
                        assert_non_null((*each)->run);
                        assert_ptr_equal(verbs_find(noun, (*each)->name), *each);
                        if ((*each)->shape == SHAPE_TABLE || (*each)->shape == SHAPE_TREE)
                                assert_non_null((*each)->rows);
                        for (const struct param *p = (*each)->params; p->name; p++) {
                                assert_non_null(p->help);
                                assert_ptr_equal(verbs_find_param(*each, p->name), p);
                                assert_true((p->kind == PARAM_CHOICE) == (p->choices != NULL));
                                if (p->flags & PARAM_POSITIONAL)
                                        assert_false(is_repeated); /* nothing behind a repeated one */
                                is_repeated = is_repeated || p->flags & PARAM_REPEATED;
                        }
                }
        }
        assert_null(verbs_find_noun("nothing"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parameters_that_are_missing_get_their_default),
                cmocka_unit_test(parameters_as_json_are_checked_like_words),
                cmocka_unit_test(text_that_is_not_utf8_becomes_json_all_the_same),
                cmocka_unit_test(the_table_keeps_its_own_rules),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
