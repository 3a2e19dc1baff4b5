// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "host.h"
#include "store_sqlite.h"
#include "token_verbs.h"

/* As much of a daemon as these verbs need. */
struct desk {
        struct io *io; /* owned */
        struct host host;
        json_t *result; /* owned; of the last call */
        enum verb_outcome outcome;
};

static void desk_init(struct desk *desk) {
        struct err_note note = {0};

        *desk = (struct desk){.io = io_sim_new(1, 0)};
        desk->host.io = desk->io;
        assert_ok(io_make_dir(desk->io, KIT_STATE, &note));
        assert_ok(
                objects_open(desk->io, KIT_STATE "/state.db", store_sqlite_open, &desk->host.objects, &note));
        assert_ok(auth_open(desk->io, KIT_STATE, desk->host.objects, &desk->host.auth, &note));
}

static void desk_fini(struct desk *desk) {
        json_decref(desk->result);
        auth_close(desk->host.auth);
        objects_close(desk->host.objects);
        io_free(desk->io);
}
DEFINE_AUTO_IN_PLACE(struct desk, desk_fini);

/* params: takes it. */
static enum err ask(struct desk *desk, const char *verb, json_t *params, struct err_note *note) {
        AUTO(json_decref) json_t *taken = params;
        struct progress progress = {.io = desk->io};
        struct verb_call call = {.io = desk->io,
                                 .state_dir = KIT_STATE,
                                 .progress = &progress,
                                 .host = &desk->host,
                                 .params = taken,
                                 .verb = verbs_find(verbs_find_noun("token"), verb)};
        enum err failed = verb_call_run(&call, note);

        json_decref(desk->result);
        desk->result = json_incref(call.result);
        desk->outcome = call.outcome;
        verb_call_fini(&call);
        return failed;
}

static const char *said(const struct desk *desk, const char *field) {
        return json_string_value(json_object_get(desk->result, field));
}

static void a_token_is_told_once_and_lets_in(void **state) {
        AUTO(desk_fini) struct desk desk;
        AUTO_FREE char *token = NULL, *listed = NULL;
        struct err_note note = {0};
        struct auth_who who;

        (void)state;
        desk_init(&desk);
        assert_ok(ask(&desk, "create", json_pack("{s:s, s:s}", "name", "backup", "role", "operator"), &note));
        token = mem_text(said(&desk, "token"));
        assert_true(json_is_null(json_object_get(desk.result, "expires")));
        assert_ok(auth_check(desk.host.auth, token, &who, &note));
        assert_string_equal(who.user, "backup");
        assert_int_equal(who.role, ROLE_OPERATOR);
        assert_ok(ask(&desk, "list", json_object(), &note));
        listed = json_dumps(desk.result, 0);
        assert_null(strstr(listed, token));
        assert_non_null(strstr(listed, "backup"));
        assert_int_equal(
                ask(&desk, "create", json_pack("{s:s, s:s}", "name", "backup", "role", "admin"), &note),
                ERR_EXISTS);
}

static void a_token_ends_with_its_days_or_when_it_is_revoked(void **state) {
        AUTO(desk_fini) struct desk desk;
        AUTO_FREE char *first = NULL, *second = NULL;
        struct err_note note = {0};
        struct auth_who who;

        (void)state;
        desk_init(&desk);
        assert_ok(ask(&desk, "create",
                      json_pack("{s:s, s:s, s:i}", "name", "a", "role", "read-only", "days", 2), &note));
        first = mem_text(said(&desk, "token"));
        assert_int_equal(json_integer_value(json_object_get(desk.result, "expires")),
                         io_wall_ns(desk.io) / 1000000000 + INT64_C(2) * 86400);
        assert_ok(ask(&desk, "create", json_pack("{s:s, s:s}", "name", "b", "role", "admin"), &note));
        second = mem_text(said(&desk, "token"));
        io_sim_advance(desk.io, UINT64_C(2) * 86400 * 1000000000);
        assert_int_equal(auth_check(desk.host.auth, first, &who, &note), ERR_DENIED);
        assert_ok(ask(&desk, "revoke", json_pack("{s:s}", "name", "b"), &note));
        assert_int_equal(auth_check(desk.host.auth, second, &who, &note), ERR_DENIED);
        assert_int_equal(ask(&desk, "revoke", json_pack("{s:s}", "name", "b"), &note), ERR_NOT_FOUND);
        assert_ok(ask(&desk, "list", json_object(), &note));
        assert_int_equal(json_array_size(json_object_get(desk.result, "tokens")), 0);
}

static void what_makes_no_token_is_refused(void **state) {
        AUTO(desk_fini) struct desk desk;
        struct err_note note = {0};

        (void)state;
        desk_init(&desk);
        assert_int_equal(ask(&desk, "create", json_pack("{s:s}", "name", "a"), &note), ERR_INVALID);
        assert_int_equal(desk.outcome, VERB_USAGE);
        assert_int_equal(ask(&desk, "create",
                             json_pack("{s:s, s:s, s:i}", "name", "a", "role", "admin", "days", 0), &note),
                         ERR_INVALID);
        assert_int_equal(
                ask(&desk, "create", json_pack("{s:s, s:s}", "name", "root", "role", "admin"), &note),
                ERR_INVALID);
        assert_int_equal(ask(&desk, "create", json_pack("{s:s, s:s}", "name", "a b", "role", "admin"), &note),
                         ERR_INVALID);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_token_is_told_once_and_lets_in),
                cmocka_unit_test(a_token_ends_with_its_days_or_when_it_is_revoked),
                cmocka_unit_test(what_makes_no_token_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
