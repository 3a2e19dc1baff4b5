// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "xapi_check.h"

static void what_clients_send_becomes_what_was_meant(void **state) {
        static const struct {
                enum xapi_type type;
                const char *given, *made; /* borrowed, static; JSON; NULL: refused */
        } rows[] = {
                {XAPI_INT, "5", "5"},
                {XAPI_INT, "\"5\"", "5"},
                {XAPI_INT, "\"-5\"", "-5"},
                {XAPI_INT, "\"9223372036854775807\"", "9223372036854775807"},
                {XAPI_INT, "\"9223372036854775808\"", NULL},
                {XAPI_INT, "\"\"", NULL},
                {XAPI_INT, "\"5x\"", NULL},
                {XAPI_INT, "5.5", NULL},
                {XAPI_INT, "true", NULL},
                {XAPI_INT, "null", NULL},
                {XAPI_FLOAT, "60.1", "60.1"},
                {XAPI_FLOAT, "60", "60.0"},
                {XAPI_FLOAT, "\"0.5\"", "0.5"},
                {XAPI_FLOAT, "\"nan\"", NULL},
                {XAPI_FLOAT, "\"x\"", NULL},
                {XAPI_FLOAT, "[]", NULL},
                {XAPI_BOOL, "true", "true"},
                {XAPI_BOOL, "1", NULL},
                {XAPI_BOOL, "\"true\"", NULL},
                {XAPI_STRING, "\"x\"", "\"x\""},
                {XAPI_STRING, "5", NULL},
                {XAPI_STRING, "null", NULL},
                {XAPI_STRINGS, "[\"a\", \"b\"]", "[\"a\", \"b\"]"},
                {XAPI_STRINGS, "[1]", NULL},
                {XAPI_STRINGS, "{}", NULL},
                {XAPI_MAP, "{\"a\": \"b\"}", "{\"a\": \"b\"}"},
                {XAPI_MAP, "{\"a\": 1}", NULL},
                {XAPI_MAP, "[]", NULL},
                {XAPI_TIME, "\"20250319T04:16:24Z\"", "\"20250319T04:16:24Z\""},
                {XAPI_TIME, "\"yesterday\"", NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                const struct xapi_field field = {.name = "it", .type = rows[i].type};
                AUTO(json_decref) json_t *given = json_loads(rows[i].given, JSON_DECODE_ANY, NULL);
                AUTO(json_decref)
                json_t *want = rows[i].made ? json_loads(rows[i].made, JSON_DECODE_ANY, NULL) : NULL;
                AUTO(json_decref) json_t *made = xapi_check_value(&field, given);

                assert_non_null(given);
                if (want ? !json_equal(made, want) : made != NULL)
                        fail_msg("%s", rows[i].given);
        }
}

static void a_record_is_checked_member_by_member(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);

        house_fails(house, "VDI.create", json_pack("[s]", "x"), "FIELD_TYPE_ERROR", "record");
        house_fails(house, "VDI.create", json_pack("[{s:s}]", "SR", sr), "FIELD_TYPE_ERROR", "virtual_size");
        house_fails(house, "VDI.create", json_pack("[{s:i}]", "virtual_size", 1), "FIELD_TYPE_ERROR", "SR");
        house_fails(house, "VDI.create", json_pack("[{s:s, s:s}]", "SR", sr, "virtual_size", "big"),
                    "FIELD_TYPE_ERROR", "virtual_size");
        house_fails(house, "VDI.create",
                    json_pack("[{s:s, s:i, s:s}]", "SR", sr, "virtual_size", 1, "type", "round"),
                    "FIELD_TYPE_ERROR", "type");
        house_fails(house, "VDI.create",
                    json_pack("[{s:s, s:i, s:{s:i}}]", "SR", sr, "virtual_size", 1, "other_config", "a", 1),
                    "FIELD_TYPE_ERROR", "other_config");
        house_fails(house, "VDI.create", json_pack("[{s:s, s:i}]", "SR", XAPI_NULL_REF, "virtual_size", 1),
                    "HANDLE_INVALID", "SR");
        /* Of another version's fields nothing is known. */
        (void)house_ok(house, "VDI.create",
                       json_pack("[{s:s, s:s, s:n}]", "SR", sr, "virtual_size", "1", "of_tomorrow"));
}

static void references_are_looked_up(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);

        house_fails(house, "VDI.destroy", json_pack("[s]", sr), "HANDLE_INVALID", "VDI");
        assert_string_equal(json_string_value(json_array_get(house->call.error, 2)), sr);
        house_fails(house, "VDI.destroy", json_pack("[s]", ""), "HANDLE_INVALID", "VDI");
        house_fails(house, "VDI.destroy", json_pack("[i]", 1), "FIELD_TYPE_ERROR", "self");
        house_fails(house, "VDI.destroy", json_pack("[n]"), "FIELD_TYPE_ERROR", "self");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_clients_send_becomes_what_was_meant),
                CASE(a_record_is_checked_member_by_member),
                CASE(references_are_looked_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
