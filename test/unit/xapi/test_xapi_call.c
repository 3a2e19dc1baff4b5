// SPDX-License-Identifier: Apache-2.0
#include "house.h"

/* As it came: nothing is put in front of params, which are taken. */
static const char *run_bare(struct house *house, const char *name, json_t *params) {
        xapi_call_fini(&house->call);
        house->call = (struct xapi_call){.xapi = house->xapi, .name = name, .given = params, .peer = "test"};
        xapi_call_run(&house->call);
        json_decref(params);
        return json_string_value(json_array_get(house->call.error, 0));
}

static void a_session_comes_of_a_password(void **state) {
        struct house *house = *state;
        AUTO_FREE char *password = house_password(house);
        AUTO_FREE char *ref = NULL;

        assert_null(run_bare(house, "session.login_with_password", json_pack("[s, s]", "root", password)));
        ref = mem_text(json_string_value(house->call.result));
        assert_null(run_bare(house, "session.login_with_password",
                             json_pack("[s, s, s]", "root", password, "1.0")));
        assert_null(run_bare(house, "session.login_with_password",
                             json_pack("[s, s, s, s]", "root", password, "1.0", "me")));
        assert_null(run_bare(house, "pool.get_all", json_pack("[s]", ref)));
        assert_null(run_bare(house, "session.get_this_host", json_pack("[s, s]", ref, ref)));
        assert_string_equal(json_string_value(house->call.result), xapi_ref_of(&house->host.uuid).s);
        assert_null(run_bare(house, "session.logout", json_pack("[s]", ref)));
        assert_string_equal(run_bare(house, "pool.get_all", json_pack("[s]", ref)), "SESSION_INVALID");
}

static void a_wrong_password_gives_no_session(void **state) {
        struct house *house = *state;

        assert_string_equal(run_bare(house, "session.login_with_password", json_pack("[s, s]", "root", "x")),
                            "SESSION_AUTHENTICATION_FAILED");
        assert_string_equal(json_string_value(json_array_get(house->call.error, 1)), "root");
        assert_int_equal(json_array_size(house->call.error), 3);
}

static void whatever_is_no_session_is_refused(void **state) {
        struct house *house = *state;
        struct auth_who who;
        struct err_note note = {0};
        AUTO_FREE char *public_ref = NULL;

        assert_string_equal(run_bare(house, "pool.get_all", json_pack("[s]", "x")), "SESSION_INVALID");
        assert_string_equal(run_bare(house, "pool.get_all", json_pack("[s]", XAPI_NULL_REF)),
                            "SESSION_INVALID");
        assert_string_equal(run_bare(house, "pool.get_all", json_pack("[i]", 1)), "FIELD_TYPE_ERROR");
        assert_string_equal(run_bare(house, "pool.get_all", json_array()),
                            "MESSAGE_PARAMETER_COUNT_MISMATCH");
        /* What is seen of a session cannot be used as one. */
        assert_ok(auth_check(house->host.auth, house->session.ref, &who, &note));
        public_ref = mem_text(xapi_ref_of(&who.session).s);
        assert_string_equal(run_bare(house, "pool.get_all", json_pack("[s]", public_ref)), "SESSION_INVALID");
}

static void parameters_are_counted(void **state) {
        struct house *house = *state;
        AUTO(json_decref)
        json_t *want =
                json_pack("[s, s, s, s]", "MESSAGE_PARAMETER_COUNT_MISMATCH", "VDI.get_record", "1", "2");

        house_fails(house, "VDI.get_record", json_pack("[s, s]", "a", "b"),
                    "MESSAGE_PARAMETER_COUNT_MISMATCH", "VDI.get_record");
        assert_true(json_equal(house->call.error, want));
        house_fails(house, "VDI.get_record", json_array(), "MESSAGE_PARAMETER_COUNT_MISMATCH",
                    "VDI.get_record");
        house_fails(house, "VDI.snapshot", json_pack("[s, {}, s]", "a", "b"),
                    "MESSAGE_PARAMETER_COUNT_MISMATCH", "VDI.snapshot");
}

static void unknown_methods_are_said_to_be_so(void **state) {
        struct house *house = *state;

        house_fails(house, "VDI.explode", json_array(), "MESSAGE_METHOD_UNKNOWN", "VDI.explode");
        assert_string_equal(run_bare(house, "VDI.explode", json_array()), "MESSAGE_METHOD_UNKNOWN");
        assert_string_equal(run_bare(house, "", json_array()), "MESSAGE_METHOD_UNKNOWN");
}

static void each_role_may_do_what_it_may(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *token = NULL;
        struct err_note note = {0};

        assert_ok(auth_token_create(house->host.auth, "looker", ROLE_READ_ONLY, 0, &token, &note));
        assert_null(run_bare(house, "VDI.get_record", json_pack("[s, s]", token, vdi)));
        assert_string_equal(run_bare(house, "VDI.destroy", json_pack("[s, s]", token, vdi)),
                            "RBAC_PERMISSION_DENIED");
        assert_string_equal(json_string_value(json_array_get(house->call.error, 1)), "vdi.destroy");
        assert_string_equal(run_bare(house, "VDI.set_other_config", json_pack("[s, s, {}]", token, vdi)),
                            "RBAC_PERMISSION_DENIED");
        assert_string_equal(run_bare(house, "Async.VDI.destroy", json_pack("[s, s]", token, vdi)),
                            "RBAC_PERMISSION_DENIED");
        assert_null(run_bare(house, "event.from", json_pack("[s, [s], s, f]", token, "*", "", 0.0)));
        /* It is still there. */
        assert_null(run_bare(house, "VDI.get_record", json_pack("[s, s]", token, vdi)));
}

static void the_list_of_methods_needs_no_session(void **state) {
        struct house *house = *state;

        assert_null(run_bare(house, "system.listMethods", json_array()));
        assert_true(json_array_size(house->call.result) > 500);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(a_session_comes_of_a_password),        CASE(a_wrong_password_gives_no_session),
                CASE(whatever_is_no_session_is_refused),    CASE(parameters_are_counted),
                CASE(unknown_methods_are_said_to_be_so),    CASE(each_role_may_do_what_it_may),
                CASE(the_list_of_methods_needs_no_session),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
