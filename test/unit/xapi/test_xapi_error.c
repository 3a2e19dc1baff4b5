// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "xapi_error.h"

static void each_of_our_codes_is_one_of_theirs(void **state) {
        static const struct {
                enum err code;
                enum xapi_class_id class;
                const char *operation, *theirs; /* borrowed, static */
                int n;                          /* how long the array is */
        } rows[] = {
                {ERR_NO_SPACE, XAPI_VDI, "create", "SR_BACKEND_FAILURE_44", 4},
                {ERR_BUSY, XAPI_VDI, "destroy", "VDI_IN_USE", 4},
                {ERR_BUSY, XAPI_SR, "scan", "OTHER_OPERATION_IN_PROGRESS", 4},
                {ERR_NOT_FOUND, XAPI_VDI, "destroy", "HANDLE_INVALID", 4},
                {ERR_READ_ONLY, XAPI_VDI, "resize", "VDI_READONLY", 3},
                {ERR_READ_ONLY, XAPI_SR, "create", "SR_OPERATION_NOT_SUPPORTED", 3},
                {ERR_TOO_LARGE, XAPI_VDI, "snapshot", "SR_BACKEND_FAILURE_109", 4},
                {ERR_TOO_LARGE, XAPI_VDI, "clone", "SR_BACKEND_FAILURE_109", 4},
                {ERR_TOO_LARGE, XAPI_VDI, "update", "OPERATION_NOT_ALLOWED", 2},
                {ERR_TOO_LARGE, XAPI_SR, "create", "OPERATION_NOT_ALLOWED", 2},
                {ERR_CANCELLED, XAPI_VDI, "copy", "TASK_CANCELLED", 2},
                {ERR_UNSUPPORTED, XAPI_VDI, "copy", "SR_OPERATION_NOT_SUPPORTED", 3},
                {ERR_INVALID, XAPI_VDI, "resize", "OPERATION_NOT_ALLOWED", 2},
                {ERR_EXISTS, XAPI_VDI, "x", "OPERATION_NOT_ALLOWED", 2},
                {ERR_DENIED, XAPI_VDI, "x", "OPERATION_NOT_ALLOWED", 2},
                {ERR_MISMATCH, XAPI_VDI, "x", "OPERATION_NOT_ALLOWED", 2},
                {ERR_IO, XAPI_VDI, "snapshot", "VDI_IO_ERROR", 2},
                {ERR_CORRUPT, XAPI_VDI, "snapshot", "VDI_IO_ERROR", 2},
                {ERR_CUT_SHORT, XAPI_VDI, "snapshot", "VDI_IO_ERROR", 2},
                {ERR_NO_MEMORY, XAPI_VDI, "snapshot", "INTERNAL_ERROR", 2},
                {ERR_CLOSED, XAPI_VDI, "snapshot", "INTERNAL_ERROR", 2},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(xapi_call_fini) struct xapi_call call = {0};
                struct err_note note = {.code = rows[i].code, .text = "the reason"};
                const struct uuid uuid = {{7}};

                assert_false(xapi_fail_of(&call, &note, rows[i].class, &uuid, rows[i].operation));
                assert_string_equal(json_string_value(json_array_get(call.error, 0)), rows[i].theirs);
                assert_int_equal(json_array_size(call.error), rows[i].n);
        }
}

static void what_it_is_about_stands_where_clients_look_for_it(void **state) {
        AUTO(xapi_call_fini) struct xapi_call call = {0}, other = {0};
        struct err_note busy = {.code = ERR_BUSY, .text = "in use"},
                        full = {.code = ERR_NO_SPACE, .text = "full"};
        AUTO(json_decref) json_t *in_use = NULL;
        AUTO(json_decref)
        json_t *no_space = json_pack("[s, s, s, s]", "SR_BACKEND_FAILURE_44", "", "full", "");
        const struct uuid uuid = {{7}};

        (void)state;
        in_use = json_pack("[s, s, s, s]", "VDI_IN_USE", xapi_ref_of(&uuid).s, "destroy", "in use");
        (void)xapi_fail_of(&call, &busy, XAPI_VDI, &uuid, "destroy");
        (void)xapi_fail_of(&other, &full, XAPI_VDI, &uuid, "create");
        assert_true(json_equal(call.error, in_use));
        assert_true(json_equal(other.error, no_space));
}

static void the_first_error_stays(void **state) {
        AUTO(xapi_call_fini) struct xapi_call call = {0};
        AUTO(json_decref) json_t *want = json_pack("[s, s, s]", "HANDLE_INVALID", "VDI", "x");

        (void)state;
        assert_false(xapi_fail_handle(&call, "VDI", "x"));
        assert_false(xapi_fail(&call, "INTERNAL_ERROR", NULL));
        assert_true(json_equal(call.error, want));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_of_our_codes_is_one_of_theirs),
                cmocka_unit_test(what_it_is_about_stands_where_clients_look_for_it),
                cmocka_unit_test(the_first_error_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
