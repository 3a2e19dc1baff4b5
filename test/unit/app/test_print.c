// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "print.h"

static const struct field fields[] = {
        {"name", FIELD_TEXT, "", false},  {"size", FIELD_SIZE, "", false}, {"is_open", FIELD_BOOL, "", false},
        {"secret", FIELD_TEXT, "", true}, {"a.b", FIELD_TIME, "", false},  {0},
};

static void assert_prints(const struct verb *verb, const char *json, const char *want) {
        AUTO(json_decref) json_t *result = json_loads(json, 0, NULL);
        AUTO(buf_fini) struct buf buf = {0};

        assert_non_null(result);
        print_result(&buf, verb, result, false);
        assert_string_equal(buf_text(&buf), want);
}

static void a_record_is_a_line_for_each_field(void **state) {
        const struct verb verb = {.shape = SHAPE_RECORD, .fields = fields};

        (void)state;
        assert_prints(
                &verb,
                "{\"name\": \"x\", \"size\": 2048, \"is_open\": true, \"secret\": \"s\", \"a\": {\"b\": 0}}",
                "name     x\nsize     2.00 KiB (2048 bytes)\nis open  yes\na b      1970-01-01T00:00:00Z\n");
        assert_prints(&verb, "{\"name\": null}", "name  -\n");
}

static void text_of_several_lines_stays_in_its_column(void **state) {
        const struct field two[] = {{"name", FIELD_TEXT, "", false}, {"xml", FIELD_LINES, "", false}, {0}};
        const struct verb verb = {.shape = SHAPE_RECORD, .fields = two};

        (void)state;
        assert_prints(&verb, "{\"name\": \"x\\ny\", \"xml\": \"<a>\\n  \\u001b<b/>\\n</a>\"}",
                      "name  x?y\nxml   <a>\n        ?<b/>\n      </a>\n");
        assert_prints(&verb, "{\"xml\": null}", "xml  -\n");
}

static void a_table_has_columns(void **state) {
        const struct verb verb = {.shape = SHAPE_TABLE, .rows = "rows", .fields = fields};

        (void)state;
        assert_prints(&verb, "{\"rows\": []}", "");
        assert_prints(&verb,
                      "{\"rows\": [{\"name\": \"é\", \"size\": 1, \"is_open\": false}, "
                      "{\"name\": \"long name\", \"size\": 104857600, \"is_open\": true}]}",
                      "name          size  is_open  a.b\n"
                      "é              1 B  no       -\n"
                      "long name  100 MiB  yes      -\n");
}

static void a_tree_stands_under_its_parents(void **state) {
        const struct field one[] = {{"name", FIELD_TEXT, "", false}, {0}};
        const struct verb tree = {.shape = SHAPE_TREE, .rows = "rows", .fields = one};

        (void)state;
        assert_prints(&tree, "{\"rows\": [{\"name\": \"a\", \"level\": 0}, {\"name\": \"b\", \"level\": 1}]}",
                      "name\na\n  b\n");
}

static void findings_name_severity_and_place(void **state) {
        const struct verb verb = {.shape = SHAPE_FINDINGS, .rows = "files"};

        (void)state;
        assert_prints(&verb,
                      "{\"files\": [{\"file\": \"f\", \"summary\": \"1 error\", \"findings\": "
                      "[{\"severity\": \"error\", "
                      "\"part\": \"BAT\", \"at\": 1536, \"text\": \"bad\", \"repair\": \"drop it\"}]}]}",
                      "error  BAT at 1536: bad\n       repair: drop it\nf: 1 error\n");
}

static void what_moves_the_cursor_is_not_printed(void **state) {
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        print_safely(&buf, "a\033[2Jb\nc\x7f\xc2\x9b"
                           "d é");
        assert_string_equal(buf_text(&buf), "a?[2Jb?c??d é");
}

static void errors_are_json_whatever_they_hold(void **state) {
        AUTO(buf_fini) struct buf buf = {0};
        AUTO(json_decref) json_t *back = NULL;

        (void)state;
        print_json_error(&buf, "not_found", "open \"\xff\".vhd:\n none");
        back = json_loads(buf_text(&buf), 0, NULL);
        assert_non_null(back);
        assert_string_equal(json_string_value(json_object_get(json_object_get(back, "error"), "message")),
                            "open \"?\".vhd:\n none");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_is_a_line_for_each_field),
                cmocka_unit_test(text_of_several_lines_stays_in_its_column),
                cmocka_unit_test(a_table_has_columns),
                cmocka_unit_test(a_tree_stands_under_its_parents),
                cmocka_unit_test(findings_name_severity_and_place),
                cmocka_unit_test(what_moves_the_cursor_is_not_printed),
                cmocka_unit_test(errors_are_json_whatever_they_hold),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
