// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "xapi_method.h"

static void every_class_answers_with_all_fields(void **state) {
        struct house *house = *state;

        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                AUTO_FREE char *name = mem_format("%s.get_all_records", xapi_classes[i].name);
                const char *ref;
                json_t *all, *record;

                if (i == XAPI_SESSION)
                        continue;
                all = house_ok(house, name, json_array());
                json_object_foreach(all, ref, record) {
                        size_t n = 0;

                        for (const struct xapi_field *field = xapi_classes[i].fields; field->name;
                             field++, n++) {
                                struct err_note note = {0};

                                assert_non_null(json_object_get(record, field->name));
                                assert_ok(
                                        xapi_value_check(field, json_object_get(record, field->name), &note));
                        }
                        assert_int_equal(json_object_size(record), n);
                }
        }
}

static void a_getter_says_what_the_record_says(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);

        for (const struct xapi_field *field = xapi_classes[XAPI_VDI].fields; field->name; field++) {
                AUTO_FREE char *name = mem_format("VDI.get_%s", field->name);
                AUTO(json_decref) json_t *value = house_field(house, "VDI", vdi, field->name);

                assert_true(json_equal(house_ok(house, name, json_pack("[s]", vdi)), value));
        }
}

static void objects_are_found_by_uuid_and_name(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        const char *uuid = vdi + strlen(XAPI_REF_PREFIX);

        assert_string_equal(json_string_value(house_ok(house, "VDI.get_by_uuid", json_pack("[s]", uuid))),
                            vdi);
        assert_string_equal(json_string_value(house_ok(house, "VDI.get_uuid", json_pack("[s]", vdi))), uuid);
        assert_int_equal(json_array_size(house_ok(house, "VDI.get_by_name_label", json_pack("[s]", "web"))),
                         1);
        assert_int_equal(json_array_size(house_ok(house, "VDI.get_by_name_label", json_pack("[s]", "no"))),
                         0);
        assert_int_equal(json_array_size(house_ok(house, "VDI.get_all", json_array())), 1);
        assert_int_equal(
                json_object_size(house_ok(house, "VDI.get_all_records_where",
                                          json_pack("[s]", "field \"name_label\" = \"web\" and field "
                                                           "\"managed\" = \"true\""))),
                1);
        house_fails(house, "VDI.get_by_uuid", json_pack("[s]", "x"), "UUID_INVALID", "VDI");
        house_fails(house, "SR.get_by_uuid", json_pack("[s]", uuid), "UUID_INVALID", "SR");
        house_fails(house, "VDI.get_record", json_pack("[s]", XAPI_NULL_REF), "HANDLE_INVALID", "VDI");
        house_fails(house, "VDI.get_record", json_pack("[s]", uuid), "HANDLE_INVALID", "VDI");
        house_fails(house, "VDI.get_all_records_where", json_pack("[s]", "field"), "VALUE_NOT_SUPPORTED",
                    "expr");
}

static void maps_are_changed_key_by_key(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "k", "v"));
        house_fails(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "k", "w"),
                    "MAP_DUPLICATE_KEY", "VDI");
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "k", "v")));
        (void)house_ok(house, "VDI.remove_from_other_config", json_pack("[s, s]", vdi, "k"));
        (void)house_ok(house, "VDI.remove_from_other_config", json_pack("[s, s]", vdi, "k"));
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_object()));
        (void)house_ok(house, "VDI.set_other_config", json_pack("[s, {s:s}]", vdi, "a", "b"));
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "a", "b")));
        house_fails(house, "VDI.set_other_config", json_pack("[s, {s:i}]", vdi, "a", 1), "FIELD_TYPE_ERROR",
                    "other_config");
        house_fails(house, "VDI.add_to_other_config", json_pack("[s, s, i]", vdi, "n", 1), "FIELD_TYPE_ERROR",
                    "other_config");
        house_fails(house, "VDI.add_to_other_config", json_pack("[s, i, s]", vdi, 1, "n"), "FIELD_TYPE_ERROR",
                    "key");
}

static void sets_are_changed_value_by_value(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);

        for (unsigned i = 0; i < 2; i++) {
                const char *class = i ? "VDI" : "SR", *ref = i ? vdi : sr;
                AUTO_FREE char *add = mem_format("%s.add_tags", class);
                AUTO_FREE char *remove = mem_format("%s.remove_tags", class);
                AUTO_FREE char *set = mem_format("%s.set_tags", class);

                (void)house_ok(house, add, json_pack("[s, s]", ref, "a"));
                (void)house_ok(house, add, json_pack("[s, s]", ref, "b"));
                (void)house_ok(house, add, json_pack("[s, s]", ref, "b"));
                assert_true(house_field_is(house, class, ref, "tags", json_pack("[s, s]", "a", "b")));
                (void)house_ok(house, remove, json_pack("[s, s]", ref, "a"));
                (void)house_ok(house, remove, json_pack("[s, s]", ref, "none"));
                assert_true(house_field_is(house, class, ref, "tags", json_pack("[s]", "b")));
                (void)house_ok(house, set, json_pack("[s, []]", ref));
                assert_true(house_field_is(house, class, ref, "tags", json_array()));
                house_fails(house, add, json_pack("[s, i]", ref, 1), "FIELD_TYPE_ERROR", "tags");
        }
}

static void what_follows_from_the_file_cannot_be_set_away(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        AUTO(json_decref) json_t *before = house_field(house, "VDI", vdi, "sm_config");
        const char *parent = json_string_value(json_object_get(before, "vhd-parent"));

        assert_non_null(parent);
        (void)house_ok(house, "VDI.set_sm_config",
                       json_pack("[s, {s:s, s:s}]", vdi, "mine", "x", "vhd-parent", "nonsense"));
        assert_true(house_field_is(
                house, "VDI", vdi, "sm_config",
                json_pack("{s:s, s:s, s:s}", "mine", "x", "vhd-parent", parent, "image-format", "vhd")));
        (void)house_ok(house, "VDI.remove_from_sm_config", json_pack("[s, s]", vdi, "vhd-parent"));
        (void)house_ok(house, "VDI.remove_from_sm_config", json_pack("[s, s]", vdi, "mine"));
        assert_true(house_field_is(house, "VDI", vdi, "sm_config", json_incref(before)));
}

static void what_clients_set_is_there_after_a_restart(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *pool = mem_text(xapi_ref_of(&house->host.pool).s);

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "k", "v"));
        (void)house_ok(house, "SR.add_to_other_config", json_pack("[s, s, s]", sr, "k", "v"));
        (void)house_ok(house, "pool.set_name_label", json_pack("[s, s]", pool, "mine"));
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "k", "v")));
        assert_true(house_field_is(house, "SR", sr, "other_config", json_pack("{s:s}", "k", "v")));
        assert_true(house_field_is(house, "pool", pool, "name_label", json_string("mine")));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(every_class_answers_with_all_fields),
                CASE(a_getter_says_what_the_record_says),
                CASE(objects_are_found_by_uuid_and_name),
                CASE(maps_are_changed_key_by_key),
                CASE(sets_are_changed_value_by_value),
                CASE(what_follows_from_the_file_cannot_be_set_away),
                CASE(what_clients_set_is_there_after_a_restart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
