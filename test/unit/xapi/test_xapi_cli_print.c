// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "verbs.h"
#include "xapi_cli_print.h"

static struct xapi_cli_column column(enum xapi_class_id class, const char *name) {
        struct xapi_cli_column found;

        assert_true(xapi_cli_column_find(class, name, &found));
        return found;
}

static void shows(enum xapi_class_id class, const char *name, json_t *value, const char *want) {
        struct xapi_cli_column shown = column(class, name);
        AUTO(json_decref) json_t *record = json_pack("{s:o}", shown.field->name, value);
        AUTO_FREE char *text = xapi_cli_shown(NULL, &shown, record);

        assert_string_equal(text, want);
}

static void values_are_shown_as_xe_does(void **state) {
        (void)state;
        shows(XAPI_VDI, "name-label", json_string("web"), "web");
        shows(XAPI_VDI, "virtual-size", json_integer(1 << 21), "2097152");
        shows(XAPI_VDI, "sharable", json_false(), "false");
        shows(XAPI_VDI, "tags", json_pack("[s, s]", "a", "b"), "a; b");
        shows(XAPI_VDI, "other-config", json_pack("{s:s, s:s}", "k", "v", "l", "w"), "k: v; l: w");
        shows(XAPI_VDI, "sr-uuid", json_string("OpaqueRef:x"), "x");
        shows(XAPI_VDI, "snapshot-of", json_string("OpaqueRef:NULL"), "<not in database>");
        shows(XAPI_TASK, "progress", json_real(0.5), "0.500");
        shows(XAPI_VM, "power-state", json_string("Halted"), "halted");
}

static void is_taken(const char *name, const char *text, json_t *want) {
        AUTO(json_decref) json_t *taken = want;
        AUTO(json_decref) json_t *got = xapi_cli_value(column(XAPI_VDI, name).field, text);

        if (taken)
                assert_true(json_equal(got, taken));
        else
                assert_null(got);
}

static void texts_become_values_or_are_none(void **state) {
        (void)state;
        is_taken("name-label", "7", json_string("7"));
        is_taken("virtual-size", "7", json_integer(7));
        is_taken("virtual-size", "7x", NULL);
        is_taken("virtual-size", "99999999999999999999", NULL);
        is_taken("virtual-size", "", NULL);
        is_taken("sharable", "true", json_true());
        is_taken("sharable", "yes", NULL);
        is_taken("tags", "a,b,", json_pack("[s, s]", "a", "b"));
        is_taken("tags", "", json_array());
        is_taken("sr-uuid", "no uuid", NULL);
        is_taken("other-config", "a", NULL);
}

static void lines_of_a_record_end_at_one_colon(void **state) {
        AUTO(json_decref)
        json_t *record = json_pack("{s:s, s:s, s:{s:s}, s:[s]}", "uuid", "u", "name_label", "n",
                                   "other_config", "k", "v", "tags", "t");
        xapi_cli_columns columns = {0};
        AUTO(buf_fini) struct buf text = {0};

        (void)state;
        *vec_add(&columns) = column(XAPI_VDI, "uuid");
        *vec_add(&columns) = column(XAPI_VDI, "name-label");
        *vec_add(&columns) = column(XAPI_VDI, "other-config");
        *vec_add(&columns) = column(XAPI_VDI, "tags");
        xapi_cli_add_record(NULL, &text, &columns, record);
        assert_string_equal(buf_text(&text), "uuid ( RO)            : u\n"
                                             "      name-label ( RW): n\n"
                                             "    other-config (MRW): k: v\n"
                                             "            tags (SRW): t\n");
        vec_fini(&columns);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_shown_as_xe_does),
                cmocka_unit_test(texts_become_values_or_are_none),
                cmocka_unit_test(lines_of_a_record_end_at_one_colon),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
