// SPDX-License-Identifier: Apache-2.0
#include "house.h"

enum { BLOCK = 2 << 20 };

static void a_disk_is_as_it_was_asked_for(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *vdi = house_text(
                house, "VDI.create",
                json_pack("[{s:s, s:s, s:s, s:i, s:s, s:b, s:{s:s}, s:{s:s}, s:{s:s}, s:[s]}]", "SR", sr,
                          "name_label", "web", "name_description", "of the web", "virtual_size", BLOCK + 1,
                          "type", "system", "sharable", 1, "other_config", "a", "b", "xenstore_data", "c",
                          "d", "sm_config", "e", "f", "tags", "t"));

        assert_true(house_field_is(house, "VDI", vdi, "name_label", json_string("web")));
        assert_true(house_field_is(house, "VDI", vdi, "name_description", json_string("of the web")));
        assert_true(house_field_is(house, "VDI", vdi, "virtual_size", json_integer(2 * BLOCK)));
        assert_true(house_field_is(house, "VDI", vdi, "type", json_string("system")));
        assert_true(house_field_is(house, "VDI", vdi, "sharable", json_true()));
        assert_true(house_field_is(house, "VDI", vdi, "other_config", json_pack("{s:s}", "a", "b")));
        assert_true(house_field_is(house, "VDI", vdi, "xenstore_data", json_pack("{s:s}", "c", "d")));
        assert_true(house_field_is(house, "VDI", vdi, "sm_config",
                                   json_pack("{s:s, s:s}", "e", "f", "image-format", "vhd")));
        assert_true(house_field_is(house, "VDI", vdi, "tags", json_pack("[s]", "t")));
        assert_true(house_field_is(house, "VDI", vdi, "managed", json_true()));
        assert_true(
                house_field_is(house, "VDI", vdi, "location", json_string(vdi + strlen(XAPI_REF_PREFIX))));
        assert_true(house_field_is(house, "VDI", vdi, "SR", json_string(sr)));
        assert_true(house_field_is(house, "SR", sr, "VDIs", json_pack("[s]", vdi)));
}

static void sizes_that_cannot_be_are_refused(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 4 * BLOCK);

        house_fails(house, "VDI.create", json_pack("[{s:s, s:i}]", "SR", sr, "virtual_size", 0),
                    "VALUE_NOT_SUPPORTED", "virtual_size");
        house_fails(house, "VDI.create", json_pack("[{s:s, s:i}]", "SR", sr, "virtual_size", -5),
                    "VALUE_NOT_SUPPORTED", "virtual_size");
        house_fails(house, "VDI.create",
                    json_pack("[{s:s, s:I}]", "SR", sr, "virtual_size", (json_int_t)1 << 42), "VDI_TOO_LARGE",
                    NULL);
        house_fails(house, "VDI.create",
                    json_pack("[{s:s, s:I}]", "SR", sr, "virtual_size", (json_int_t)INT64_MAX),
                    "VDI_TOO_LARGE", NULL);
        house_fails(house, "VDI.resize", json_pack("[s, i]", vdi, BLOCK), "OPERATION_NOT_ALLOWED", NULL);
        (void)house_ok(house, "VDI.resize", json_pack("[s, s]", vdi, "8388609"));
        assert_true(house_field_is(house, "VDI", vdi, "virtual_size", json_integer(5 * BLOCK)));
}

static void a_snapshot_knows_what_it_is_of(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *snapshot = NULL;
        AUTO(json_decref) json_t *config = NULL;
        AUTO(json_decref) json_t *time = NULL;
        AUTO_FREE char *base = NULL;

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        snapshot = house_text(house, "VDI.snapshot", json_pack("[s, {}]", vdi));
        assert_true(house_field_is(house, "VDI", snapshot, "is_a_snapshot", json_true()));
        assert_true(house_field_is(house, "VDI", snapshot, "snapshot_of", json_string(vdi)));
        assert_true(house_field_is(house, "VDI", snapshot, "name_label", json_string("web")));
        assert_true(house_field_is(house, "VDI", snapshot, "other_config", json_pack("{s:s}", "a", "b")));
        assert_true(house_field_is(house, "VDI", vdi, "snapshots", json_pack("[s]", snapshot)));
        time = house_field(house, "VDI", snapshot, "snapshot_time");
        assert_string_not_equal(json_string_value(time), "19700101T00:00:00Z");
        assert_true(house_field_is(house, "VDI", vdi, "snapshot_time", json_string("19700101T00:00:00Z")));
        /* Both stand on a hidden node, which is a VDI that is not managed. */
        config = house_field(house, "VDI", snapshot, "sm_config");
        assert_true(house_field_is(house, "VDI", vdi, "sm_config", json_incref(config)));
        base = mem_format("OpaqueRef:%s", json_string_value(json_object_get(config, "vhd-parent")));
        assert_true(house_field_is(house, "VDI", base, "managed", json_false()));
        assert_true(house_field_is(house, "VDI", base, "name_label", json_string("base copy")));
        assert_true(
                house_field_is(house, "VDI", base, "sm_config", json_pack("{s:s}", "image-format", "vhd")));
        assert_true(house_field_is(house, "VDI", base, "allowed_operations", json_array()));
}

static void a_snapshot_outlives_what_it_is_of(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *first = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        AUTO_FREE char *second = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        AUTO(json_decref) json_t *snapshots = house_field(house, "VDI", vdi, "snapshots");

        assert_int_equal(json_array_size(snapshots), 2);
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", first));
        assert_true(house_field_is(house, "VDI", vdi, "snapshots", json_pack("[s]", second)));
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", vdi));
        assert_true(house_field_is(house, "VDI", second, "is_a_snapshot", json_true()));
        assert_true(house_field_is(house, "VDI", second, "snapshot_of", json_string(XAPI_NULL_REF)));
}

static void a_base_copy_is_nobodys_to_change(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        AUTO(json_decref) json_t *config = house_field(house, "VDI", snapshot, "sm_config");
        AUTO_FREE char *base =
                mem_format("OpaqueRef:%s", json_string_value(json_object_get(config, "vhd-parent")));

        house_fails(house, "VDI.destroy", json_pack("[s]", base), "VDI_NOT_MANAGED", base);
        house_fails(house, "VDI.snapshot", json_pack("[s]", base), "VDI_NOT_MANAGED", base);
        house_fails(house, "VDI.set_name_label", json_pack("[s, s]", base, "x"), "VDI_NOT_MANAGED", base);
        house_fails(house, "VDI.resize", json_pack("[s, i]", snapshot, 2 * BLOCK), "VDI_READONLY", snapshot);
}

static void a_clone_is_a_disk_of_its_own(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *clone = house_text(house, "VDI.clone", json_pack("[s]", vdi));

        assert_true(house_field_is(house, "VDI", clone, "is_a_snapshot", json_false()));
        assert_true(house_field_is(house, "VDI", clone, "snapshot_of", json_string(XAPI_NULL_REF)));
        assert_true(house_field_is(house, "VDI", clone, "name_label", json_string("web")));
}

static void a_copy_shares_nothing_and_a_move_leaves_nothing(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *two = house_sr(house, 1);
        AUTO_FREE char *copy = NULL;
        AUTO_FREE char *moved = NULL;

        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        copy = house_text(house, "VDI.copy", json_pack("[s, s]", vdi, two));
        assert_true(house_field_is(house, "VDI", copy, "SR", json_string(two)));
        assert_true(house_field_is(house, "VDI", copy, "name_label", json_string("web")));
        assert_true(house_field_is(house, "VDI", copy, "other_config", json_pack("{s:s}", "a", "b")));
        assert_true(
                house_field_is(house, "VDI", copy, "sm_config", json_pack("{s:s}", "image-format", "vhd")));
        moved = house_text(house, "VDI.pool_migrate", json_pack("[s, s, {}]", vdi, two));
        assert_true(house_field_is(house, "VDI", moved, "SR", json_string(two)));
        assert_true(house_field_is(house, "VDI", moved, "other_config", json_pack("{s:s}", "a", "b")));
        assert_string_equal(moved, vdi);
}

static void a_copy_goes_into_a_disk_that_is_there(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *two = house_sr(house, 1);
        AUTO_FREE char *small = house_make_vdi(house, "small", 1);
        AUTO_FREE char *base = NULL, *into = NULL, *given = NULL, *again = NULL;

        (void)house_ok(house, "VDI.resize", json_pack("[s, i]", vdi, 2 * BLOCK));
        base = house_text(house, "VDI.snapshot", json_pack("[s]", vdi));
        into = house_text(house, "VDI.copy", json_pack("[s, s]", base, two));
        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", into, "standby"));
        given = house_text(house, "VDI.copy", json_pack("[s, s, s, s]", vdi, XAPI_NULL_REF, base, into));
        assert_string_equal(given, into);
        assert_true(house_field_is(house, "VDI", into, "name_label", json_string("standby")));
        again = house_text(house, "VDI.copy", json_pack("[s, s, s, s]", vdi, two, XAPI_NULL_REF, into));
        assert_string_equal(again, into);
        house_fails(house, "VDI.copy", json_pack("[s, s, s, s]", vdi, XAPI_NULL_REF, base, small),
                    "VDI_TOO_SMALL", small);
        house_fails(house, "VDI.copy", json_pack("[s, s, s, s]", vdi, two, base, XAPI_NULL_REF),
                    "VALUE_NOT_SUPPORTED", "base_vdi");
        house_fails(house, "VDI.copy", json_pack("[s, s, s, s]", vdi, XAPI_NULL_REF, into, into),
                    "VALUE_NOT_SUPPORTED", "base_vdi");
        house_fails(house, "VDI.copy", json_pack("[s, s, s, s]", into, two, XAPI_NULL_REF, small),
                    "VALUE_NOT_SUPPORTED", "sr");
}

static void what_is_deleted_is_gone_at_once(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);

        (void)house_ok(house, "VDI.destroy", json_pack("[s]", vdi));
        house_fails(house, "VDI.get_record", json_pack("[s]", vdi), "HANDLE_INVALID", "VDI");
        house_fails(house, "VDI.destroy", json_pack("[s]", vdi), "HANDLE_INVALID", "VDI");
        assert_true(house_field_is(house, "SR", sr, "VDIs", json_array()));
}

static void names_are_the_srs_to_remember(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);
        AUTO_FREE char *sr = house_sr(house, 0);

        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", vdi, "db"));
        (void)house_ok(house, "VDI.set_name_description", json_pack("[s, s]", vdi, "of the db"));
        (void)house_ok(house, "SR.set_name_label", json_pack("[s, s]", sr, "mine"));
        (void)house_ok(house, "SR.set_name_description", json_pack("[s, s]", sr, "my own"));
        assert_true(house_field_is(house, "VDI", vdi, "name_label", json_string("db")));
        assert_true(house_field_is(house, "VDI", vdi, "name_description", json_string("of the db")));
        assert_true(house_field_is(house, "SR", sr, "name_label", json_string("mine")));
        assert_true(house_field_is(house, "SR", sr, "name_description", json_string("my own")));
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        assert_true(house_field_is(house, "VDI", vdi, "name_label", json_string("db")));
        assert_true(house_field_is(house, "SR", sr, "name_label", json_string("mine")));
}

static const char *name_in_the_sr(struct house *house, const char *ref) {
        struct uuid vdi;

        assert_true(xapi_ref_parse(ref, &vdi));
        return sr_get_vdi(house->srs[0].sr, &vdi)->row.name;
}

/* The command calls it by its uuid; clients see that it has none, and neither has what is made of it. */
static void a_disk_without_a_name_has_none(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "", BLOCK);
        AUTO_FREE char *snapshot = house_text(house, "VDI.snapshot", json_pack("[s, {}]", vdi));
        AUTO_FREE char *clone = house_text(house, "VDI.clone", json_pack("[s, {}]", snapshot));
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *copy = house_text(house, "VDI.copy", json_pack("[s, s]", vdi, sr));
        const char *all[] = {vdi, snapshot, clone, copy};

        for (unsigned i = 0; i < 4; i++) {
                assert_true(house_field_is(house, "VDI", all[i], "name_label", json_string("")));
                assert_string_equal(name_in_the_sr(house, all[i]), all[i] + strlen(XAPI_REF_PREFIX));
        }
        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", vdi, "db"));
        assert_true(house_field_is(house, "VDI", vdi, "name_label", json_string("db")));
        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", vdi, ""));
        assert_true(house_field_is(house, "VDI", vdi, "name_label", json_string("")));
        assert_string_equal(name_in_the_sr(house, vdi), vdi + strlen(XAPI_REF_PREFIX));
}

static void what_only_clients_care_for_is_kept_as_they_say(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", BLOCK);

        (void)house_ok(house, "VDI.set_sharable", json_pack("[s, b]", vdi, 1));
        (void)house_ok(house, "VDI.set_read_only", json_pack("[s, b]", vdi, 1));
        (void)house_ok(house, "VDI.set_on_boot", json_pack("[s, s]", vdi, "reset"));
        (void)house_ok(house, "VDI.set_allow_caching", json_pack("[s, b]", vdi, 1));
        (void)house_ok(house, "VDI.update", json_pack("[s]", vdi));
        assert_true(house_field_is(house, "VDI", vdi, "sharable", json_true()));
        assert_true(house_field_is(house, "VDI", vdi, "read_only", json_true()));
        assert_true(house_field_is(house, "VDI", vdi, "on_boot", json_string("reset")));
        assert_true(house_field_is(house, "VDI", vdi, "allow_caching", json_true()));
        house_fails(house, "VDI.set_on_boot", json_pack("[s, s]", vdi, "sometimes"), "FIELD_TYPE_ERROR",
                    "value");
}

static void an_sr_says_what_it_is(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 3 * BLOCK);
        AUTO_FREE char *pool = mem_text(xapi_ref_of(&house->host.pool).s);

        (void)house_ok(house, "SR.scan", json_pack("[s]", sr));
        (void)house_ok(house, "SR.update", json_pack("[s]", sr));
        assert_true(house_field_is(house, "SR", sr, "type", json_string("file")));
        assert_true(house_field_is(house, "SR", sr, "virtual_allocation", json_integer(3 * BLOCK)));
        assert_true(house_field_is(house, "SR", sr, "name_label", json_string("one")));
        assert_true(house_field_is(house, "pool", pool, "default_SR", json_string(sr)));
        assert_true(json_object_get(house_ok(house, "SR.get_chain_health", json_pack("[s]", sr)), "chains") !=
                    NULL);
        assert_int_equal(json_array_size(house_ok(house, "SR.get_supported_types", json_array())), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_disk_is_as_it_was_asked_for),
                CASE(sizes_that_cannot_be_are_refused),
                CASE(a_snapshot_knows_what_it_is_of),
                CASE(a_snapshot_outlives_what_it_is_of),
                CASE(a_base_copy_is_nobodys_to_change),
                CASE(a_clone_is_a_disk_of_its_own),
                CASE(a_copy_shares_nothing_and_a_move_leaves_nothing),
                CASE(a_copy_goes_into_a_disk_that_is_there),
                CASE(what_is_deleted_is_gone_at_once),
                CASE(names_are_the_srs_to_remember),
                CASE(a_disk_without_a_name_has_none),
                CASE(what_only_clients_care_for_is_kept_as_they_say),
                CASE(an_sr_says_what_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
