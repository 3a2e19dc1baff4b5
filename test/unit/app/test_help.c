// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stdlib.h>

#include "help.h"

static void assert_says(struct buf *buf, const char *words) {
        if (!strstr(buf_text(buf), words)) {
                print_error("'%s' is not in:\n%s\n", words, buf_text(buf));
                fail();
        }
}

static void every_verb_has_help_that_names_its_parameters(void **state) {
        (void)state;
        for (const struct noun *noun = verb_nouns; noun->name; noun++) {
                for (const struct verb *const *verb = noun->verbs; *verb; verb++) {
                        AUTO(buf_fini) struct buf buf = {0};

                        help_write(&buf, noun, *verb);
                        assert_says(&buf, (*verb)->name);
                        for (const struct param *param = (*verb)->params; param->name; param++) {
                                AUTO(buf_fini) struct buf title = {0};

                                buf_print(&title, param->flags & PARAM_POSITIONAL ? "%s" : "--%s",
                                          param->flags & PARAM_POSITIONAL ? param_shown(param) : param->name);
                                assert_says(&buf, buf_text(&title));
                                assert_non_null(param->help);
                        }
                        for (const struct field *field = (*verb)->fields; field && field->name; field++)
                                assert_says(&buf, field->name);
                }
        }
}

static void lines_fit_a_terminal(void **state) {
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        help_write(&buf, NULL, NULL);
        for (const struct noun *noun = verb_nouns; noun->name; noun++)
                for (const struct verb *const *verb = noun->verbs; *verb; verb++)
                        help_write(&buf, noun, *verb);
        for (const char *line = buf_text(&buf); *line;) {
                size_t n = strcspn(line, "\n");

                assert_true(n < 100);
                line += n + (line[n] == '\n');
        }
}

/* The page in man/ is the one that the program makes: `catena help --man > man/catena.1`. */
static void the_man_page_is_the_one_that_is_made_of_the_table(void **state) {
        AUTO(buf_fini) struct buf made = {0}, kept = {0};
        const char *source = getenv("CATENA_SOURCE");
        char path[4096], part[4096];
        size_t n;

        (void)state;
        assert_non_null(source);
        snprintf(path, sizeof path, "%s/man/catena.1", source);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        while ((n = fread(part, 1, sizeof part, file)) > 0)
                buf_add(&kept, part, n);
        fclose(file);
        help_write_man(&made);
        assert_string_equal(buf_text(&made), buf_text(&kept));
}

static void no_line_of_the_man_page_is_taken_for_a_request(void **state) {
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        help_write_man(&buf);
        for (const char *line = buf_text(&buf); *line;) {
                size_t n = strcspn(line, "\n");

                assert_true(line[0] != '\'');
                if (line[0] == '.')
                        assert_true(strchr("TSPBIb\\", line[1]) != NULL);
                line += n + (line[n] == '\n');
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_verb_has_help_that_names_its_parameters),
                cmocka_unit_test(lines_fit_a_terminal),
                cmocka_unit_test(the_man_page_is_the_one_that_is_made_of_the_table),
                cmocka_unit_test(no_line_of_the_man_page_is_taken_for_a_request),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
