// SPDX-License-Identifier: Apache-2.0
#include "check.h"

static void the_note_says_who_did_what(void **state) {
        struct err_note note;

        (void)state;
        assert_int_equal(err_set(&note, ERR_IO, "read %d at %d", 512, 0), ERR_IO);
        assert_int_equal(err_wrap(&note, "open %s", "a.vhd"), ERR_IO);
        assert_string_equal(note.text, "open a.vhd: read 512 at 0");
}

static void a_long_note_is_cut_and_terminated(void **state) {
        char longer[2 * ERR_TEXT_SIZE];
        struct err_note note;

        (void)state;
        memset(longer, 'x', sizeof longer - 1);
        longer[sizeof longer - 1] = '\0';
        err_set(&note, ERR_CORRUPT, "%s", longer);
        assert_int_equal(strlen(note.text), ERR_TEXT_SIZE - 1);
        assert_int_equal(err_wrap(&note, "%s", longer), ERR_CORRUPT);
        assert_true(strlen(note.text) < ERR_TEXT_SIZE);
        err_set(&note, ERR_CORRUPT, "%s", longer);
        err_wrap(&note, "here");
        assert_int_equal(strncmp(note.text, "here: xx", 8), 0);
        assert_int_equal(strlen(note.text), ERR_TEXT_SIZE - 1);
}

static void each_code_has_a_name_and_a_text(void **state) {
        (void)state;
        for (enum err e = ERR_NONE; e <= ERR_CLOSED; e++) {
                assert_non_null(err_name(e));
                assert_non_null(err_text(e));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_note_says_who_did_what),
                cmocka_unit_test(a_long_note_is_cut_and_terminated),
                cmocka_unit_test(each_code_has_a_name_and_a_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
