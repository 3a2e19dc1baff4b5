// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

static const char *code_of(enum err code) {
        const struct err_note note = {.code = code, .text = "why"};
        const struct uuid vdi = {{1, 2, 3}};
        AUTO(json_decref) json_t *error = http_task_error(&note, &vdi);
        static char text[64];
        size_t i;
        json_t *each;

        assert_true(json_array_size(error) > 0);
        json_array_foreach(error, i, each) assert_true(json_is_string(each));
        snprintf(text, sizeof text, "%s", json_string_value(json_array_get(error, 0)));
        return text;
}

static void each_failure_has_a_status_and_a_code(void **state) {
        static const struct {
                enum err code;
                unsigned status;
                const char *error;
        } table[] = {
                {ERR_NOT_FOUND, 404, "HANDLE_INVALID"}, {ERR_BUSY, 409, "VDI_IN_USE"},
                {ERR_READ_ONLY, 409, "VDI_READONLY"},   {ERR_NO_SPACE, 507, "SR_BACKEND_FAILURE_44"},
                {ERR_TOO_LARGE, 413, "VDI_TOO_LARGE"},  {ERR_CANCELLED, 409, "TASK_CANCELLED"},
                {ERR_CLOSED, 400, "CLIENT_ERROR"},      {ERR_DENIED, 403, "RBAC_PERMISSION_DENIED"},
                {ERR_INVALID, 400, "INTERNAL_ERROR"},   {ERR_UNSUPPORTED, 400, "INTERNAL_ERROR"},
                {ERR_IO, 500, "VDI_IO_ERROR"},          {ERR_CORRUPT, 400, "VDI_IO_ERROR"},
                {ERR_CUT_SHORT, 400, "VDI_IO_ERROR"},   {ERR_NO_MEMORY, 503, "VDI_IO_ERROR"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
                assert_int_equal(http_status_of(table[i].code), table[i].status);
                assert_string_equal(code_of(table[i].code), table[i].error);
        }
}

static void objects_are_named_by_reference_or_uuid(void **state) {
        static const char uuid[] = "b3e98168-ca32-4cdc-926e-71d6d8d0fa48";
        struct err_note note;
        struct uuid got;

        (void)state;
        assert_ok(http_parse_object(uuid, "vdi", &got, &note));
        assert_string_equal(uuid_format(&got).s, uuid);
        assert_ok(http_parse_object("OpaqueRef:b3e98168-ca32-4cdc-926e-71d6d8d0fa48", "vdi", &got, &note));
        assert_string_equal(uuid_format(&got).s, uuid);
        assert_int_equal(http_parse_object("OpaqueRef:NULL", "vdi", &got, &note), ERR_NOT_FOUND);
        assert_int_equal(http_parse_object("", "vdi", &got, &note), ERR_INVALID);
        assert_int_equal(http_parse_object(NULL, "vdi", &got, &note), ERR_INVALID);
}

/* A task that is named is worked on, once; the same again, or none of that name, is refused. */
static void a_task_that_is_named_is_taken_up(void **state) {
        const struct task_options options = {.label = "mine"};
        struct http_asker asker = {0}, second = {0};
        struct stream_kit kit;
        struct err_note note;
        struct uuid task;

        (void)state;
        stream_kit_init(&kit);
        assert_ok(tasks_create(kit.tasks, &options, &task, &note));
        asker.task_ref = mem_text(xapi_ref_of(&task).s);
        second.task_ref = mem_text(xapi_ref_of(&task).s);
        assert_ok(http_asker_begin_task(&asker, &kit.host, "theirs", &note));
        assert_true(uuid_equal(task_uuid(asker.task), &task));
        assert_int_equal(http_asker_begin_task(&second, &kit.host, "theirs", &note), ERR_BUSY);
        http_asker_fini(&second);
        http_asker_fini(&asker);
        {
                const char *error;

                assert_string_equal(stream_kit_task(&kit, &error), "failure");
        }
        stream_kit_fini(&kit);
}

static void wrong_credentials_do_not_let_in(void **state) {
        struct stream_kit kit;
        AUTO_FREE char *path = NULL;

        (void)state;
        stream_kit_init(&kit);
        path = mem_format(
                "GET /vdi/%s.raw HTTP/1.1\r\nHost: h\r\nAuthorization: Basic cm9vdDp3cm9uZw==\r\n\r\n",
                uuid_format(&kit.vdi).s);
        http_kit_connect(&kit.http, 1, &net_weather_fine);
        http_kit_tell(&kit.http, path);
        assert_int_equal(stream_kit_status(&kit), 401);
        http_kit_connect(&kit.http, 1, &net_weather_fine);
        http_kit_tell(&kit.http, "GET /vdi/x.raw HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(stream_kit_status(&kit), 401);
        stream_kit_fini(&kit);
}

static void a_token_lets_a_program_in_for_as_long_as_it_is_good(void **state) {
        AUTO_FREE char *token = NULL, *text = NULL;
        struct err_note note = {0};
        struct stream_kit kit;

        (void)state;
        stream_kit_init(&kit);
        assert_ok(auth_token_create(kit.auth, "backup", ROLE_READ_ONLY, 0, &token, &note));
        text = mem_format("GET /vdi/%s.raw HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n",
                          uuid_format(&kit.vdi).s, token);
        for (unsigned i = 0; i < 2; i++) {
                http_kit_connect(&kit.http, 1, &net_weather_fine);
                http_kit_tell(&kit.http, text);
                http_kit_run(&kit.http, 60);
                assert_int_equal(stream_kit_status(&kit), i ? 401 : 200);
                if (!i)
                        assert_ok(auth_token_revoke(kit.auth, "backup", &note));
        }
        stream_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_failure_has_a_status_and_a_code),
                cmocka_unit_test(objects_are_named_by_reference_or_uuid),
                cmocka_unit_test(a_task_that_is_named_is_taken_up),
                cmocka_unit_test(wrong_credentials_do_not_let_in),
                cmocka_unit_test(a_token_lets_a_program_in_for_as_long_as_it_is_good),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
