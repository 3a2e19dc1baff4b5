// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xapi_where.h"

static json_t *vm;

static int set_up(void **state) {
        (void)state;
        vm = json_pack("{s:s, s:b, s:i, s:s, s:{s:s}, s:[s]}", "name_label", "a \"web\"", "is_a_template", 0,
                       "VCPUs_max", 4, "power_state", "Halted", "other_config", "k", "v", "tags", "x");
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        json_decref(vm);
        return 0;
}

static bool matches(const char *text) {
        AUTO(xapi_where_free) struct xapi_where *where = NULL;
        struct err_note note = {0};

        assert_ok(xapi_where_parse(text, &where, &note));
        return xapi_where_matches(where, vm);
}

static void what_clients_ask_is_understood(void **state) {
        static const struct {
                const char *text;
                bool matches;
        } rows[] = {
                {"true", true},
                {"TRUE", true},
                {" false ", false},
                {"field \"power_state\" = \"Halted\"", true},
                {"field \"power_state\"=\"Running\"", false},
                {"field 'power_state' = 'Halted'", true},
                {"(field \"power_state\" = \"Halted\")", true},
                {"not field \"power_state\" = \"Halted\"", false},
                {"not (not true)", true},
                {"field \"is_a_template\" = \"false\" and field \"VCPUs_max\" = \"4\"", true},
                {"field \"is_a_template\" = \"true\" or field \"VCPUs_max\" = \"4\"", true},
                {"field \"name_label\" = \"a \\\"web\\\"\"", true},
                {"field \"name_label\" = 'a \"web\"'", true},
                {"\"x\" = \"x\"", true},
                {"\"Halted\" = field \"power_state\"", true},
                {"field \"tags\" = '[\"x\"]'", true},
                {"field \"other_config\" = '{\"k\":\"v\"}'", true},
                {"field \"no_such\" = \"\"", false},
                {"field \"no_such\" = field \"no_such\"", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (matches(rows[i].text) != rows[i].matches)
                        fail_msg("%s", rows[i].text);
}

static void and_binds_closer_than_or_and_not_closest(void **state) {
        (void)state;
        assert_true(matches("true or true and false"));
        assert_true(matches("true or false and false"));
        assert_false(matches("(true or true) and false"));
        assert_true(matches("not false and true"));
        assert_false(matches("not true or false"));
        assert_true(matches("false and false or true"));
}

static void what_is_not_understood_is_refused_with_its_place(void **state) {
        static const struct {
                const char *text, *words;
        } rows[] = {
                {"", "at 0"},
                {"field", "a text in quotes was expected"},
                {"field \"a\"", "= was expected"},
                {"field \"a\" = \"b", "the end of a text"},
                {"field \"a\" = \"b\\", "the end of a text"},
                {"true true", "the end was expected"},
                {"(true", ") was expected"},
                {"truely", "a text in quotes"},
                {"true and", "a text in quotes"},
                {"field \"a\" == \"b\"", "a text in quotes"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(xapi_where_free) struct xapi_where *where = NULL;
                struct err_note note = {0};

                assert_err(xapi_where_parse(rows[i].text, &where, &note), ERR_INVALID, rows[i].words);
        }
}

static char *repeated(const char *start, unsigned n, const char *end) {
        char *text = calloc(1, n * strlen(start) + strlen(end) + 1);

        for (unsigned i = 0; i < n; i++)
                memcpy(text + i * strlen(start), start, strlen(start));
        strcat(text, end);
        return text;
}

static void depth_and_length_are_bounded(void **state) {
        AUTO_FREE char *deep = repeated("not ", WHERE_DEPTH_MAX + 1, "true");
        AUTO_FREE char *fine = repeated("not ", WHERE_DEPTH_MAX - 1, "true");
        AUTO_FREE char *within = repeated("(", 100000, "");
        AUTO_FREE char *many = repeated("true and ", WHERE_NODES_MAX, "true");
        AUTO(xapi_where_free) struct xapi_where *where = NULL;
        struct err_note note = {0};

        (void)state;
        assert_err(xapi_where_parse(deep, &where, &note), ERR_TOO_LARGE, "within one another");
        assert_err(xapi_where_parse(within, &where, &note), ERR_TOO_LARGE, "within one another");
        assert_err(xapi_where_parse(many, &where, &note), ERR_TOO_LARGE, "more than");
        assert_ok(xapi_where_parse(fine, &where, &note));
        assert_false(xapi_where_matches(where, vm));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_clients_ask_is_understood),
                cmocka_unit_test(and_binds_closer_than_or_and_not_closest),
                cmocka_unit_test(what_is_not_understood_is_refused_with_its_place),
                cmocka_unit_test(depth_and_length_are_bounded),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
