// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "config_verbs.h"

static void what_is_good_is_said_to_be(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *result = NULL;
        static const char text[] = "[http]\nlisten = 127.0.0.1:0\n";

        (void)state;
        kit_put_file(io, "/c.conf", text, strlen(text));
        result = kit_call(io, "config", "check", "{'file': '/c.conf'}");
        assert_true(json_is_true(json_object_get(result, "ok")));
        assert_int_equal(json_array_size(json_object_get(result, "errors")), 0);
        assert_int_equal(json_array_size(json_object_get(result, "files")), 1);
}

static void all_that_is_wrong_is_the_result(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        static const char text[] = "[http]\na = 1\nb = 2\n";
        struct err_note note = {0};
        enum verb_outcome outcome;
        json_t *result = NULL;

        (void)state;
        kit_put_file(io, "/c.conf", text, strlen(text));
        assert_ok(kit_try(io, "config", "check", "{'file': '/c.conf'}", &result, &outcome, &note));
        assert_int_equal(outcome, VERB_WRONG);
        assert_true(json_is_false(json_object_get(result, "ok")));
        assert_int_equal(json_array_size(json_object_get(result, "errors")), 2);
        json_decref(result);
}

static void a_file_that_is_not_there_is_an_error(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        assert_err(kit_fails(io, "config", "check", "{'file': '/c.conf'}", &note), ERR_NOT_FOUND, "/c.conf");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_good_is_said_to_be),
                cmocka_unit_test(all_that_is_wrong_is_the_result),
                cmocka_unit_test(a_file_that_is_not_there_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
