// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "verbs.h"
#include "xapi_cli_column.h"

static void each_column_is_found_by_its_name(void **state) {
        (void)state;
        for (unsigned class = 0; class < XAPI_N_CLASSES; class ++) {
                xapi_cli_columns all = {0};

                xapi_cli_columns_all(class, &all);
                VEC_EACH (&all, each) {
                        struct xapi_cli_column found;

                        assert_non_null(each->field);
                        assert_true(xapi_cli_column_find(class, each->name, &found));
                        assert_ptr_equal(found.field, each->field);
                        assert_ptr_equal(found.further, each->further);
                }
                vec_fini(&all);
        }
}

static void each_field_has_a_column(void **state) {
        (void)state;
        for (unsigned class = 0; class < XAPI_N_CLASSES; class ++) {
                xapi_cli_columns all = {0};
                size_t n = 0;

                xapi_cli_columns_all(class, &all);
                while (xapi_classes[class].fields[n].name)
                        n++;
                for (size_t i = 0; i < n; i++)
                        assert_ptr_equal(all.data[i].field, &xapi_classes[class].fields[i]);
                vec_fini(&all);
        }
}

/* As add_step of xapi_cli_print.c goes it. */
static void each_path_leads_to_a_field(void **state) {
        (void)state;
        for (unsigned class = 0; class < XAPI_N_CLASSES; class ++) {
                xapi_cli_columns all = {0};

                xapi_cli_columns_all(class, &all);
                VEC_EACH (&all, each) {
                        const struct xapi_field *field = each->field;

                        for (const char *at = each->further; at && *at; at += at[strcspn(at, ".")] != 0) {
                                size_t n = strcspn(at, ".");
                                AUTO_FREE char *name = mem_format("%.*s", (int)n, at);

                                field = xapi_field_find(xapi_class_find(field->of), name);
                                assert_non_null(field);
                                at += n;
                        }
                }
                vec_fini(&all);
        }
}

static void is(enum xapi_class_id class, const char *name, const char *field, const char *kind) {
        struct xapi_cli_column column;

        assert_true(xapi_cli_column_find(class, name, &column));
        assert_string_equal(column.field->name, field);
        assert_string_equal(xapi_cli_kind(&column), kind);
}

static void names_are_those_of_xe(void **state) {
        struct xapi_cli_column column;

        (void)state;
        is(XAPI_VDI, "sr-uuid", "SR", " RO");
        is(XAPI_VDI, "sr-name-label", "SR", " RO");
        is(XAPI_VDI, "vbd-uuids", "VBDs", "SRO");
        is(XAPI_VDI, "name-label", "name_label", " RW");
        is(XAPI_VDI, "other-config", "other_config", "MRW");
        is(XAPI_SR, "VDIs", "VDIs", "SRO");
        is(XAPI_PBD, "sr-uuid", "SR", " RO");
        is(XAPI_MESSAGE, "class", "cls", " RO");
        assert_false(xapi_cli_column_find(XAPI_VDI, "name_label", &column));
        assert_false(xapi_cli_column_find(XAPI_VDI, "SR", &column));
        assert_false(xapi_cli_column_find(XAPI_VDI, "", &column));
}

static void words_are_those_of_xe(void **state) {
        struct xapi_cli_column column;

        (void)state;
        assert_true(xapi_cli_column_find(XAPI_VDI, "type", &column));
        assert_string_equal(xapi_cli_word(&column, "user"), "User");
        assert_string_equal(xapi_cli_word(&column, "rrd"), "rrd");
        assert_true(xapi_cli_column_find(XAPI_VBD, "type", &column));
        assert_string_equal(xapi_cli_word(&column, "Disk"), "Disk");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_column_is_found_by_its_name),
                cmocka_unit_test(each_field_has_a_column),
                cmocka_unit_test(each_path_leads_to_a_field),
                cmocka_unit_test(names_are_those_of_xe),
                cmocka_unit_test(words_are_those_of_xe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
