// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xapi_cli_ask.h"

static enum err parse(const char *body, size_t n, struct xapi_cli_ask *ret, struct err_note *note) {
        AUTO(buf_fini) struct buf buf = {0};

        buf_add(&buf, body, n);
        return xapi_cli_ask_parse(&buf, ret, note);
}

static void words_are_told_apart(void **state) {
        static const char body[] =
                "--minimal\nvdi-list\nname-label=a=b c\n\nname-label=second\n--all\nlate\nx=";
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask ask = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(parse(body, strlen(body), &ask, &note));
        assert_string_equal(ask.command, "vdi-list");
        assert_true(ask.is_minimal);
        assert_string_equal(xapi_cli_named(&ask, "name-label"), "a=b c");
        assert_string_equal(xapi_cli_named(&ask, "all"), "true");
        assert_string_equal(xapi_cli_named(&ask, "x"), "");
        assert_null(xapi_cli_named(&ask, "name"));
}

static void nothing_is_a_command_without_a_name(void **state) {
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask ask = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(parse("", 0, &ask, &note));
        assert_string_equal(ask.command, "");
        assert_false(ask.is_minimal);
}

static void minimal_may_be_said_in_two_ways(void **state) {
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask yes = {0};
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask no = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(parse("x\nminimal=true", 14, &yes, &note));
        assert_ok(parse("x\nminimal=false", 15, &no, &note));
        assert_true(yes.is_minimal);
        assert_false(no.is_minimal);
}

static void yes_has_several_words(void **state) {
        static const char body[] = "x\na=true\nb=t\nc=yes\nd=1\n--e\nf=no\ng=\nh=true\r";
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask ask = {0};
        struct err_note note = {0};
        char name[] = "a";

        (void)state;
        assert_ok(parse(body, strlen(body), &ask, &note));
        for (; *name < 'j'; (*name)++)
                assert_int_equal(xapi_cli_says(&ask, name), strchr("abcdeh", *name) != NULL);
}

static void lines_may_end_as_they_do_on_other_systems(void **state) {
        static const char body[] = "vdi-list\r\nname-label=web\r\n\r\n";
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask ask = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(parse(body, strlen(body), &ask, &note));
        assert_string_equal(ask.command, "vdi-list");
        assert_string_equal(xapi_cli_named(&ask, "name-label"), "web");
        assert_int_equal(ask.named.n, 1);
}

static void so_many_words_are_refused(void **state) {
        AUTO(buf_fini) struct buf body = {0};
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask fits = {0};
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask not = {0};
        struct err_note note = {0};

        (void)state;
        buf_print(&body, "vdi-list");
        for (unsigned i = 0; i < XAPI_CLI_WORDS_MAX; i++)
                buf_print(&body, "\na=b");
        assert_ok(xapi_cli_ask_parse(&body, &fits, &note));
        buf_print(&body, "\nc=d");
        assert_err(xapi_cli_ask_parse(&body, &not, &note), ERR_TOO_LARGE, "1000 words");
}

static void what_is_no_text_is_refused(void **state) {
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask bad = {0};
        AUTO(xapi_cli_ask_fini) struct xapi_cli_ask zero = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(parse("name=\xff", 6, &bad, &note), ERR_CORRUPT, "UTF-8");
        assert_err(parse("a\0b", 3, &zero, &note), ERR_CORRUPT, "UTF-8");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_told_apart),
                cmocka_unit_test(nothing_is_a_command_without_a_name),
                cmocka_unit_test(minimal_may_be_said_in_two_ways),
                cmocka_unit_test(yes_has_several_words),
                cmocka_unit_test(lines_may_end_as_they_do_on_other_systems),
                cmocka_unit_test(so_many_words_are_refused),
                cmocka_unit_test(what_is_no_text_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
