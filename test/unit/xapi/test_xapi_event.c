// SPDX-License-Identifier: Apache-2.0
#include "house.h"

/* events of event.from, with *ret_token its token (the caller's to free); borrowed from the call. */
static json_t *from(struct house *house, json_t *classes, const char *token, char **ret_token) {
        json_t *batch = house_ok(house, "event.from", json_pack("[o, s, f]", classes, token, 0.0));

        if (ret_token) {
                free(*ret_token);
                *ret_token = mem_text(json_string_value(json_object_get(batch, "token")));
        }
        return json_object_get(batch, "events");
}

static const char *text_of(const json_t *event, const char *name) {
        return json_string_value(json_object_get(event, name));
}

static void from_the_beginning_everything_is_added(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *token = NULL;
        json_t *events = from(house, json_pack("[s]", "*"), "", &token), *each;
        json_t *counts = json_object_get(house->call.result, "valid_ref_counts");
        unsigned n_vdis = 0;
        size_t i;

        json_array_foreach(events, i, each) {
                assert_string_equal(text_of(each, "operation"), "add");
                assert_string_not_equal(text_of(each, "class"), "session");
                n_vdis +=
                        strcmp(text_of(each, "class"), "vdi") == 0 && strcmp(text_of(each, "ref"), vdi) == 0;
                assert_non_null(json_object_get(json_object_get(each, "snapshot"), "uuid"));
        }
        assert_int_equal(n_vdis, 1);
        assert_int_equal(json_integer_value(json_object_get(counts, "vdi")), 1);
        assert_int_equal(json_integer_value(json_object_get(counts, "sr")), 2);
        assert_int_equal(json_integer_value(json_object_get(counts, "task")), 0);
        assert_int_equal(strlen(token), 41);
}

static void each_change_is_told_once_and_in_order(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;
        AUTO_FREE char *vdi = NULL;
        AUTO_FREE char *other = NULL;
        json_t *events;

        (void)from(house, json_pack("[s]", "vdi"), "", &token);
        vdi = house_make_vdi(house, "web", 1);
        other = house_make_vdi(house, "db", 1);
        (void)house_ok(house, "VDI.add_to_other_config", json_pack("[s, s, s]", vdi, "a", "b"));
        events = from(house, json_pack("[s]", "VDI"), token, &token);
        assert_int_equal(json_array_size(events), 2);
        assert_string_equal(text_of(json_array_get(events, 0), "ref"), other);
        assert_string_equal(text_of(json_array_get(events, 1), "ref"), vdi);
        assert_string_equal(text_of(json_array_get(events, 1), "operation"), "add");
        assert_int_equal(json_array_size(from(house, json_pack("[s]", "vdi"), token, &token)), 0);
        (void)house_ok(house, "VDI.destroy", json_pack("[s]", other));
        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", vdi, "x"));
        events = from(house, json_pack("[s]", "vdi"), token, &token);
        assert_int_equal(json_array_size(events), 2);
        assert_string_equal(text_of(json_array_get(events, 0), "operation"), "del");
        assert_null(json_object_get(json_array_get(events, 0), "snapshot"));
        assert_string_equal(text_of(json_array_get(events, 1), "operation"), "mod");
}

static void who_wants_one_object_hears_of_it_alone(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 1);
        AUTO_FREE char *other = house_make_vdi(house, "db", 1);
        AUTO_FREE char *wish = mem_format("vdi/%s", vdi);
        json_t *events = from(house, json_pack("[s, s]", wish, "no_such_class"), "", NULL);

        assert_int_equal(json_array_size(events), 1);
        assert_string_equal(text_of(json_array_get(events, 0), "ref"), vdi);
        assert_int_equal(json_array_size(from(house, json_array(), "", NULL)), 0);
        house_fails(house, "event.from", json_pack("[[s], s, f]", "", "", 0.0),
                    "EVENT_SUBSCRIPTION_PARSE_FAILURE", "");
        house_fails(house, "event.from", json_pack("[[s], s, f]", "a/b/c", "", 0.0),
                    "EVENT_SUBSCRIPTION_PARSE_FAILURE", "a/b/c");
}

static void a_token_that_says_nothing_here_is_refused(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;
        AUTO_FREE char *later = NULL;
        static const char *const wrong[] = {"x", "5", "00000000000000000001",
                                            "0000000000000000000a,00000000000000000001",
                                            "00000000000000000001,0000000000000000000x"};

        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
                house_fails(house, "event.from", json_pack("[[s], s, f]", "*", wrong[i], 0.0),
                            "EVENT_FROM_TOKEN_PARSE_FAILURE", wrong[i]);
        (void)from(house, json_pack("[s]", "*"), "", &token);
        later = mem_format("09999999%s", token + 8);
        house_fails(house, "event.from", json_pack("[[s], s, f]", "*", later, 0.0), "EVENTS_LOST", NULL);
}

static void a_token_of_before_a_restart_is_lost(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;

        (void)from(house, json_pack("[s]", "*"), "", &token);
        house_stop(house);
        memset(&house->call, 0, sizeof house->call);
        house_start(house);
        house_fails(house, "event.from", json_pack("[[s], s, f]", "*", token, 0.0), "EVENTS_LOST", NULL);
}

static void an_injected_event_is_told_with_a_later_token(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;
        AUTO_FREE char *injected = NULL;
        AUTO_FREE char *pool = mem_text(xapi_ref_of(&house->host.pool).s);
        json_t *events;

        (void)from(house, json_pack("[s]", "pool"), "", &token);
        injected = house_text(house, "event.inject", json_pack("[s, s]", "pool", pool));
        assert_true(strcmp(injected, token) > 0);
        events = from(house, json_pack("[s]", "pool"), token, &token);
        assert_int_equal(json_array_size(events), 1);
        assert_string_equal(text_of(json_array_get(events, 0), "operation"), "mod");
        assert_true(strcmp(token, injected) >= 0);
        house_fails(house, "event.inject", json_pack("[s, s]", "pool", "x"), "HANDLE_INVALID", "pool");
        house_fails(house, "event.inject", json_pack("[s, s]", "vdi", pool), "HANDLE_INVALID", "VDI");
        house_fails(house, "event.inject", json_pack("[s, s]", "nothing", pool), "HANDLE_INVALID", "nothing");
}

static void who_has_nothing_to_hear_waits_until_its_time(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;
        AUTO(json_decref) json_t *params = NULL;

        (void)from(house, json_pack("[s]", "vdi"), "", &token);
        params = json_pack("[s, [s], s, f]", house->session.ref, "vdi", token, 60.1);
        xapi_call_fini(&house->call);
        house->call = (struct xapi_call){
                .xapi = house->xapi, .name = "event.from", .given = params, .peer = "test"};
        xapi_call_run(&house->call);
        assert_true(house->call.is_waiting);
        assert_int_equal(house->call.wait_generation, objects_generation(house->host.objects));
        assert_int_equal(house->call.wait_until_ns - io_now_ns(house->io), UINT64_C(60100000000));
        io_sleep_ns(house->io, UINT64_C(60200000000));
        xapi_call_run(&house->call);
        assert_false(house->call.is_waiting);
        assert_int_equal(json_array_size(json_object_get(house->call.result, "events")), 0);
}

static void who_waits_when_the_daemon_stops_is_answered(void **state) {
        struct house *house = *state;
        AUTO_FREE char *token = NULL;

        (void)from(house, json_pack("[s]", "vdi"), "", &token);
        xapi_drain(house->xapi);
        (void)house_ok(house, "event.from", json_pack("[[s], s, f]", "vdi", token, 1e300));
        assert_false(house->call.is_waiting);
}

static void sessions_may_register_and_ask_for_what_is_next(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = NULL;
        json_t *events;

        house_fails(house, "event.next", json_array(), "SESSION_NOT_REGISTERED", house->session.ref);
        (void)house_ok(house, "event.register", json_pack("[[s]]", "vdi"));
        (void)house_ok(house, "event.register", json_pack("[[s]]", "task"));
        vdi = house_make_vdi(house, "web", 1);
        events = house_ok(house, "event.next", json_array());
        assert_int_equal(json_array_size(events), 1);
        assert_string_equal(text_of(json_array_get(events, 0), "ref"), vdi);
        (void)house_ok(house, "event.next", json_array());
        assert_true(house->call.is_waiting);
        (void)house_ok(house, "event.unregister", json_pack("[[s]]", "vdi"));
        (void)house_ok(house, "VDI.set_name_label", json_pack("[s, s]", vdi, "x"));
        (void)house_ok(house, "event.next", json_array());
        assert_true(house->call.is_waiting);
        assert_int_equal(json_integer_value(house_ok(house, "event.get_current_id", json_array())),
                         objects_generation(house->host.objects));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(from_the_beginning_everything_is_added),
                CASE(each_change_is_told_once_and_in_order),
                CASE(who_wants_one_object_hears_of_it_alone),
                CASE(a_token_that_says_nothing_here_is_refused),
                CASE(a_token_of_before_a_restart_is_lost),
                CASE(an_injected_event_is_told_with_a_later_token),
                CASE(who_has_nothing_to_hear_waits_until_its_time),
                CASE(who_waits_when_the_daemon_stops_is_answered),
                CASE(sessions_may_register_and_ask_for_what_is_next),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
