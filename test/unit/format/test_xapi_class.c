// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <jansson.h>

#include "xapi_class.h"

static struct uuid some_uuid(void) {
        struct uuid uuid = {{0}};

        (void)!uuid_parse("0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d", &uuid);
        return uuid;
}

static enum err check_json(enum xapi_class_id class, const char *field, const char *text,
                           struct err_note *note) {
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        enum err err;

        assert_non_null(value);
        assert_non_null(xapi_field_find(class, field));
        err = xapi_value_check(xapi_field_find(class, field), value, note);
        json_decref(value);
        return err;
}

static void every_class_is_found_whatever_the_case(void **state) {
        (void)state;
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                assert_non_null(xapi_classes[i].name);
                assert_int_equal(xapi_class_find(xapi_classes[i].name), i);
        }
        assert_int_equal(xapi_class_find("vdi"), XAPI_VDI);
        assert_int_equal(xapi_class_find("vm_GUEST_metrics"), XAPI_VM_GUEST_METRICS);
        assert_int_equal(xapi_class_find("crashdump"), XAPI_N_CLASSES);
        assert_int_equal(xapi_class_find(""), XAPI_N_CLASSES);
}

static void every_field_is_there_once_and_knows_what_it_refers_to(void **state) {
        (void)state;
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                assert_string_equal(xapi_classes[i].fields[0].name, "uuid");
                for (const struct xapi_field *field = xapi_classes[i].fields; field->name; field++) {
                        bool needs_of = field->type == XAPI_ENUM || field->type == XAPI_REF ||
                                        field->type == XAPI_ENUMS || field->type == XAPI_REFS ||
                                        field->type == XAPI_ENUM_MAP || field->type == XAPI_CHOICE_MAP ||
                                        field->type == XAPI_REF_MAP;

                        assert_ptr_equal(xapi_field_find((enum xapi_class_id)i, field->name), field);
                        assert_int_equal(needs_of, field->of != NULL);
                }
        }
        assert_null(xapi_field_find(XAPI_VDI, "power_state"));
}

static void a_new_record_has_every_field_and_each_passes_its_own_check(void **state) {
        struct uuid uuid = some_uuid();

        (void)state;
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                json_t *record = xapi_record_new((enum xapi_class_id)i, &uuid);
                size_t n = 0;

                for (const struct xapi_field *field = xapi_classes[i].fields; field->name; field++, n++) {
                        struct err_note note = {0};

                        assert_non_null(json_object_get(record, field->name));
                        assert_ok(xapi_value_check(field, json_object_get(record, field->name), &note));
                }
                assert_int_equal(json_object_size(record), n);
                assert_string_equal(json_string_value(json_object_get(record, "uuid")), uuid_format(&uuid).s);
                json_decref(record);
        }
}

static void a_default_is_what_the_table_says_or_else_empty(void **state) {
        static const struct {
                enum xapi_class_id class;
                const char *field, *want;
        } table[] = {
                {XAPI_VM, "power_state", "\"Halted\""},
                {XAPI_VM, "generation_id", "\"0:0\""},
                {XAPI_VM, "has_vendor_device", "true"},
                {XAPI_VM, "HVM_shadow_multiplier", "1.0"},
                {XAPI_VM, "blocked_operations", "{}"},
                {XAPI_VM, "snapshot_of", "\"OpaqueRef:NULL\""},
                {XAPI_VM, "snapshot_time", "\"19700101T00:00:00Z\""},
                {XAPI_VM, "domid", "-1"},
                {XAPI_VDI, "tags", "[]"},
                {XAPI_VDI, "type", "\"user\""},
                {XAPI_VDI, "on_boot", "\"persist\""},
                {XAPI_VBD, "mode", "\"RW\""},
                {XAPI_TASK, "status", "\"pending\""},
                {XAPI_TASK, "progress", "0.0"},
                {XAPI_HOST, "virtual_hardware_platform_versions", "[0]"},
                {XAPI_POOL, "local_auth_max_threads", "8"},
                {XAPI_NETWORK, "name_label", "\"\""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                json_t *value = xapi_field_default(xapi_field_find(table[i].class, table[i].field));
                char *text = json_dumps(value, JSON_ENCODE_ANY);

                assert_string_equal(text, table[i].want);
                free(text);
                json_decref(value);
        }
}

static void what_fits_a_field_is_taken(void **state) {
        struct err_note note = {0};

        (void)state;
        assert_ok(check_json(XAPI_VDI, "virtual_size", "9007199254740993", &note));
        assert_ok(check_json(XAPI_VM, "HVM_shadow_multiplier", "1", &note));
        assert_ok(check_json(XAPI_VDI, "type", "\"cbt_metadata\"", &note));
        assert_ok(check_json(XAPI_VDI, "type", "\"system\"", &note));
        assert_ok(check_json(XAPI_VDI, "SR", "\"OpaqueRef:0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d\"", &note));
        assert_ok(check_json(XAPI_VBD, "VDI", "\"OpaqueRef:NULL\"", &note));
        assert_ok(check_json(XAPI_VBD, "VDI", "\"\"", &note));
        assert_ok(check_json(XAPI_VDI, "snapshot_time", "\"20250319T04:16:24Z\"", &note));
        assert_ok(check_json(XAPI_VDI, "snapshot_time", "\"20250319T04:16:24\"", &note));
        assert_ok(check_json(XAPI_VDI, "other_config", "{\"a\":\"b\"}", &note));
        assert_ok(check_json(XAPI_VM, "blocked_operations", "{\"start\":\"why\"}", &note));
        assert_ok(check_json(XAPI_SM, "features", "{\"VDI_CREATE\":1}", &note));
        assert_ok(check_json(XAPI_VDI, "allowed_operations", "[\"copy\",\"blocked\"]", &note));
}

static void what_does_not_fit_is_refused_with_what_would(void **state) {
        static const struct {
                enum xapi_class_id class;
                const char *field, *value, *words;
        } table[] = {
                {XAPI_VDI, "name_label", "7", "name_label: text is wanted"},
                {XAPI_VDI, "virtual_size", "\"7\"", "virtual_size: an integer"},
                {XAPI_VDI, "virtual_size", "7.5", "an integer"},
                {XAPI_VDI, "sharable", "1", "true or false"},
                {XAPI_VM, "HVM_shadow_multiplier", "\"1\"", "a number"},
                {XAPI_VDI, "type", "\"use\"", "one of system|user|"},
                {XAPI_VDI, "type", "\"user|ephemeral\"", "one of"},
                {XAPI_VDI, "type", "\"\"", "one of"},
                {XAPI_VDI, "SR", "\"OpaqueRef:7\"", "a reference of class SR"},
                {XAPI_VDI, "SR", "\"0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d\"", "a reference of class SR"},
                {XAPI_VDI, "snapshot_time", "\"yesterday\"", "20250319T04:16:24Z"},
                {XAPI_VDI, "snapshot_time", "\"20250319T04:16:24Z!\"", "a time"},
                {XAPI_VDI, "tags", "{}", "a set"},
                {XAPI_VDI, "tags", "[7]", "text"},
                {XAPI_VDI, "other_config", "[]", "a map"},
                {XAPI_VDI, "other_config", "{\"a\":7}", "text"},
                {XAPI_VM, "blocked_operations", "{\"fly\":\"why\"}", "one of"},
                {XAPI_VM, "current_operations", "{\"x\":\"fly\"}", "one of"},
                {XAPI_SM, "features", "{\"x\":\"1\"}", "an integer"},
                {XAPI_VM, "blobs", "{\"x\":\"y\"}", "a reference of class blob"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct err_note note = {0};

                assert_err(check_json(table[i].class, table[i].field, table[i].value, &note), ERR_INVALID,
                           table[i].words);
        }
}

static void a_reference_holds_its_uuid(void **state) {
        struct uuid uuid = some_uuid(), back, null = {{0}};

        (void)state;
        assert_string_equal(xapi_ref_of(&uuid).s, "OpaqueRef:0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d");
        assert_true(xapi_ref_parse(xapi_ref_of(&uuid).s, &back));
        assert_true(uuid_equal(&uuid, &back));
        assert_string_equal(xapi_ref_of(&null).s, XAPI_NULL_REF);
        assert_false(xapi_ref_parse(XAPI_NULL_REF, &back));
        assert_false(xapi_ref_parse("", &back));
        assert_false(xapi_ref_parse("OpaqueRef:", &back));
        assert_false(xapi_ref_parse("OpaqueRef:00000000-0000-0000-0000-000000000000", &back));
}

static void a_time_goes_there_and_back(void **state) {
        static const struct {
                int64_t seconds;
                const char *text;
        } table[] = {
                {0, "19700101T00:00:00Z"},          {1742357784, "20250319T04:16:24Z"},
                {951782400, "20000229T00:00:00Z"},  {951868800, "20000301T00:00:00Z"},
                {4107542399, "21000228T23:59:59Z"}, {-1, "19691231T23:59:59Z"},
        };
        int64_t seconds;

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                assert_string_equal(xapi_time_of(table[i].seconds).s, table[i].text);
                assert_true(xapi_time_parse(table[i].text, &seconds));
                assert_int_equal(seconds, table[i].seconds);
        }
        for (int64_t day = 0; day < 60000; day++) {
                assert_true(xapi_time_parse(xapi_time_of(day * 86400 + 86399).s, &seconds));
                assert_int_equal(seconds, day * 86400 + 86399);
        }
        assert_string_equal(xapi_time_of(-60000000000).s, "00680903T13:20:00Z");
        assert_string_equal(xapi_time_of(INT64_MIN).s, "00010101T00:00:00Z");
        assert_string_equal(xapi_time_of(INT64_MAX).s, "99991231T23:59:59Z");
        assert_true(xapi_time_parse("19700101T00:00:01", &seconds));
        assert_int_equal(seconds, 1);
        assert_false(xapi_time_parse("19701301T00:00:00Z", &seconds));
        assert_false(xapi_time_parse("19700132T00:00:00Z", &seconds));
        assert_false(xapi_time_parse("19700101T24:00:00Z", &seconds));
        assert_false(xapi_time_parse("1970-01-01T00:00:00Z", &seconds));
        assert_false(xapi_time_parse("", &seconds));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_class_is_found_whatever_the_case),
                cmocka_unit_test(every_field_is_there_once_and_knows_what_it_refers_to),
                cmocka_unit_test(a_new_record_has_every_field_and_each_passes_its_own_check),
                cmocka_unit_test(a_default_is_what_the_table_says_or_else_empty),
                cmocka_unit_test(what_fits_a_field_is_taken),
                cmocka_unit_test(what_does_not_fit_is_refused_with_what_would),
                cmocka_unit_test(a_reference_holds_its_uuid),
                cmocka_unit_test(a_time_goes_there_and_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
