// SPDX-License-Identifier: Apache-2.0
#include "house.h"
#include "xapi_message.h"

static char *make(struct house *house, const char *name, const char *object) {
        return house_text(house, "message.create",
                          json_pack("[s, i, s, s, s]", name, 3, "VDI", object, "body"));
}

static void notes_are_kept_until_they_are_deleted(void **state) {
        struct house *house = *state;
        AUTO_FREE char *message = make(house, "SNAPSHOT_FAILED", "u");

        assert_true(house_field_is(house, "message", message, "name", json_string("SNAPSHOT_FAILED")));
        assert_true(house_field_is(house, "message", message, "priority", json_integer(3)));
        assert_true(house_field_is(house, "message", message, "body", json_string("body")));
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        assert_true(house_field_is(house, "message", message, "cls", json_string("VDI")));
        (void)house_ok(house, "message.destroy", json_pack("[s]", message));
        house_fails(house, "message.destroy", json_pack("[s]", message), "HANDLE_INVALID", "message");
        house_fails(house, "message.create", json_pack("[s, i, s, s, s]", "n", 3, "Planet", "u", "b"),
                    "FIELD_TYPE_ERROR", "cls");
}

static size_t n_of(struct house *house, const char *name, json_t *params) {
        return json_object_size(house_ok(house, name, params));
}

static void they_are_found_by_object_and_time(void **state) {
        struct house *house = *state;
        AUTO_FREE char *a = make(house, "a", "u");
        AUTO_FREE char *b = make(house, "b", "v");
        static const char epoch[] = "19700101T00:00:00Z", far[] = "29990101T00:00:00Z";

        assert_int_equal(n_of(house, "message.get_since", json_pack("[s]", epoch)), 2);
        assert_int_equal(n_of(house, "message.get_since", json_pack("[s]", far)), 0);
        assert_int_equal(n_of(house, "message.get", json_pack("[s, s, s]", "VDI", "u", epoch)), 1);
        assert_int_equal(n_of(house, "message.get", json_pack("[s, s, s]", "VM", "u", epoch)), 0);
        assert_int_equal(n_of(house, "message.get", json_pack("[s, s, s]", "VDI", "w", epoch)), 0);
}

static void the_host_says_the_same_once(void **state) {
        struct house *house = *state;
        AUTO(json_decref) json_t *priority = json_integer(3);
        struct xapi_note note = {
                .name = "COALESCE_FAILED", .priority = priority, .cls = "SR", .obj_uuid = "u", .body = "why"};
        static const char epoch[] = "19700101T00:00:00Z";

        xapi_message_leave(&house->host, &note);
        xapi_message_leave(&house->host, &note);
        assert_int_equal(n_of(house, "message.get", json_pack("[s, s, s]", "SR", "u", epoch)), 1);
        note.body = "another reason";
        xapi_message_leave(&house->host, &note);
        assert_int_equal(n_of(house, "message.get", json_pack("[s, s, s]", "SR", "u", epoch)), 2);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(notes_are_kept_until_they_are_deleted),
                CASE(they_are_found_by_object_and_time),
                CASE(the_host_says_the_same_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
