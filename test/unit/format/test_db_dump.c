// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "db_dump.h"

static enum err check(const char *text, struct db_dump_count *ret, struct err_note *note) {
        return db_dump_check((struct span){(const uint8_t *)text, strlen(text)}, ret, note);
}

static void what_is_written_is_a_dump_with_its_values(void **state) {
        json_t *manifest = json_pack("{s:s}", "version", "1");
        json_t *tables = json_pack("{s:{s:{s:s, s:i, s:b, s:[s, s], s:{s:s, s:i}, s:f}}, s:{}}", "VM",
                                   "OpaqueRef:a", "name", "<\"it's\" & \n\x01>", "n", 12, "is", 1, "set",
                                   "a b", "c'd\\", "map", "k", "v", "n", 5, "real", 0.5, "SR");
        AUTO(buf_fini) struct buf xml = {0};
        struct db_dump_count count = {0};
        struct err_note note = {0};
        const char *text;

        (void)state;
        assert_non_null(tables);
        db_dump_encode(manifest, tables, &xml);
        text = buf_text(&xml);
        assert_non_null(strstr(text, "<pair key=\"version\" value=\"1\"/>"));
        assert_non_null(strstr(
                text,
                "<row ref=\"OpaqueRef:a\" name=\"&lt;&quot;it's&quot; &amp; &#10;>\" n=\"12\" is=\"true\""));
        assert_non_null(strstr(text, "set=\"('a b' 'c\\'d\\\\')\""));
        assert_non_null(strstr(text, "map=\"(('k' 'v') ('n' '5'))\""));
        assert_non_null(strstr(text, "real=\"0.5\""));
        assert_ok(check(text, &count, &note));
        assert_int_equal(count.n_tables, 2);
        assert_int_equal(count.n_rows, 1);
        json_decref(manifest);
        json_decref(tables);
}

static void what_is_no_dump_is_refused_with_its_line(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                {"", "line 1: no XML"},
                {"<database>", "no XML"},
                {"<database></database>", "no manifest"},
                {"<html/>", "line 1: html: it does not belong here"},
                {"<database><table name='VM'/></database>", "before the manifest"},
                {"<database><manifest/><manifest/></database>", "does not belong here"},
                {"<database><manifest/><table/></database>", "no name"},
                {"<database><manifest/>\n<table name='VM'><row/></table></database>",
                 "line 2: row: it has no ref"},
                {"<database><manifest/><table name='VM'><pair/></table></database>", "does not belong here"},
                {"<database><manifest><pair><pair/></pair></manifest></database>", "does not belong here"},
                {"<!DOCTYPE x [<!ENTITY a 'b'>]><database><manifest/></database>", "document type"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct db_dump_count count;
                struct err_note note = {0};

                assert_int_equal(check(cases[i].text, &count, &note), ERR_CORRUPT);
                if (!strstr(note.text, cases[i].says))
                        fail_msg("%s: said %s", cases[i].text, note.text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_a_dump_with_its_values),
                cmocka_unit_test(what_is_no_dump_is_refused_with_its_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
