// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "options.h"

/* Words up to a NULL. */
static enum err parse(struct options *ret, struct err_note *note, const char *const *words) {
        size_t n = 0;

        while (words[n])
                n++;
        return options_parse(words, n, ret, note);
}
#define PARSE(...) parse(&options, &note, (const char *const[]){__VA_ARGS__, NULL})

static const char *text_of(const struct options *options, const char *name) {
        return json_string_value(json_object_get(options->params, name));
}

static void a_value_stands_behind_its_option_or_an_equals_sign(void **state) {
        AUTO(options_fini) struct options options = {0}, other = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(PARSE("vhd", "create", "--size", "64M", "f.vhd"));
        assert_int_equal(options.task, TASK_CALL);
        assert_string_equal(options.noun->name, "vhd");
        assert_string_equal(options.verb->name, "create");
        assert_int_equal(json_integer_value(json_object_get(options.params, "size")), 64 << 20);
        assert_string_equal(text_of(&options, "file"), "f.vhd");
        assert_ok(parse(&other, &note, (const char *const[]){"vhd", "create", "f.vhd", "--size=64M", NULL}));
        assert_true(json_equal(options.params, other.params));
}

static void options_stand_anywhere_before_two_dashes(void **state) {
        AUTO(options_fini) struct options options = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(PARSE("--json", "vhd", "--progress", "check", "--", "--bitmaps", "-"));
        assert_true(options.is_json);
        assert_int_equal(options.progress, WHEN_ALWAYS);
        assert_null(json_object_get(options.params, "bitmaps"));
        assert_int_equal(json_array_size(json_object_get(options.params, "files")), 2);
}

static void a_socket_is_said_wherever_options_stand(void **state) {
        AUTO(options_fini) struct options options = {0}, other = {0}, wrong = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(PARSE("--socket", "a/b.sock", "sr", "list"));
        assert_string_equal(options.socket, "a/b.sock");
        assert_string_equal(options.verb->name, "list");
        assert_ok(parse(&other, &note, (const char *const[]){"sr", "list", "--socket=c", NULL}));
        assert_string_equal(other.socket, "c");
        assert_err(parse(&wrong, &note, (const char *const[]){"sr", "list", "--socket", NULL}), ERR_INVALID,
                   "--socket needs a value");
}

static void a_dash_alone_is_a_word(void **state) {
        AUTO(options_fini) struct options options = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(PARSE("vhd", "info", "-"));
        assert_string_equal(text_of(&options, "file"), "-");
}

static void asking_for_help_is_never_wrong(void **state) {
        static const char *const asked[][5] = {
                {"help", NULL},          {"--help", NULL},    {NULL}, {"vhd", NULL}, {"help", "vhd", NULL},
                {"vhd", "--help", NULL}, {"vhd", "-h", NULL},
        };
        (void)state;
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
                AUTO(options_fini) struct options options = {0};
                struct err_note note = {0};

                assert_ok(parse(&options, &note, asked[i]));
                assert_int_equal(options.task, TASK_HELP);
                assert_null(options.verb);
        }
        AUTO(options_fini) struct options options = {0};
        struct err_note note = {0};
        assert_ok(PARSE("vhd", "create", "a", "b", "--help"));
        assert_int_equal(options.task, TASK_HELP);
        assert_string_equal(options.verb->name, "create");
}

static void what_is_almost_right_is_answered_with_what_is_right(void **state) {
        static const struct {
                const char *words[6], *answer;
        } rows[] = {
                {{"vdh", "info"}, "did you mean 'vhd'"},
                {{"vhd", "inof", "f"}, "did you mean 'vhd info'"},
                {{"vhd", "snap"}, "did you mean 'vhd snapshot'"},
                {{"vhd", "create", "--sise", "1"}, "did you mean '--size'"},
                {{"vhd", "info", "--jsn"}, "did you mean '--json'"},
                {{"vhd", "xyzzy"}, "'catena vhd' lists them"},
                {{"xyzzy"}, "'catena help' lists them"},
                {{"vhd", "create", "--xyzzy=3"}, "'catena vhd create --help' lists them"},
                {{"vhd", "create", "-z"}, "unknown option '-z'"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(options_fini) struct options options = {0};
                struct err_note note = {0};

                assert_err(parse(&options, &note, rows[i].words), ERR_INVALID, rows[i].answer);
        }
}

static void a_wrong_word_is_refused_with_what_would_be_right(void **state) {
        static const struct {
                const char *words[8], *answer;
        } rows[] = {
                {{"vhd", "create", "--size"}, "--size needs a value (SIZE)"},
                {{"vhd", "create", "--size", "sixty"}, "not a size such as"},
                {{"vhd", "create", "--size", "1", "--size", "2"}, "--size is given twice"},
                {{"vhd", "create", "--fixed=yes"}, "--fixed takes no value"},
                {{"vhd", "create", "--json=yes"}, "--json takes no value"},
                {{"vhd", "create", "--uuid", "x"}, "'x' is not a uuid"},
                {{"vhd", "convert", "--format", "qcow2"}, "'qcow2' is none of vhd|fixed|raw"},
                {{"vhd", "convert", "--format", "vh"}, "'vh' is none of"},
                {{"vhd", "info", "a", "b"}, "'b' is one word too many"},
                {{"vhd", "info", ""}, "FILE is empty"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(options_fini) struct options options = {0};
                struct err_note note = {0};

                assert_err(parse(&options, &note, rows[i].words), ERR_INVALID, rows[i].answer);
        }
}

static void json_is_known_also_where_it_stands_behind_the_mistake(void **state) {
        AUTO(options_fini) struct options options = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(PARSE("vhd", "nothing", "--json"), ERR_INVALID, "nothing");
        assert_true(options.is_json);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_value_stands_behind_its_option_or_an_equals_sign),
                cmocka_unit_test(options_stand_anywhere_before_two_dashes),
                cmocka_unit_test(a_dash_alone_is_a_word),
                cmocka_unit_test(a_socket_is_said_wherever_options_stand),
                cmocka_unit_test(asking_for_help_is_never_wrong),
                cmocka_unit_test(what_is_almost_right_is_answered_with_what_is_right),
                cmocka_unit_test(a_wrong_word_is_refused_with_what_would_be_right),
                cmocka_unit_test(json_is_known_also_where_it_stands_behind_the_mistake),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
