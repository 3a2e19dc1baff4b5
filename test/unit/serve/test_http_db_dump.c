// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

#include "../service/xva_kit.h"
#include "http_db_dump.h"

static void kit_init(struct stream_kit *kit) {
        stream_kit_init(kit);
        (void)xva_kit_vm(kit->objects, &kit->of_host.uuid, &kit->vdi, 1);
}

static void put(struct stream_kit *kit, const char *query, const char *body) {
        AUTO_FREE char *text = mem_format("PUT /pool/xmldbdump?session_id=%s%s HTTP/1.1\r\nHost: h\r\n"
                                          "Content-Length: %zu\r\n\r\n%s",
                                          kit->session.ref, query, strlen(body), body);

        http_kit_connect(&kit->http, 1, &net_weather_bad);
        http_kit_tell(&kit->http, text);
        http_kit_run(&kit->http, 60);
}

static void a_dump_has_the_objects_and_is_taken_for_one(void **state) {
        AUTO_FREE char *dump = NULL;
        struct stream_kit kit;
        const uint8_t *body;
        const char *error;
        size_t n;

        (void)state;
        kit_init(&kit);
        stream_kit_ask(&kit, &net_weather_bad, 1, "GET", "/pool/xmldbdump", "");
        http_kit_run(&kit.http, 60);
        assert_int_equal(stream_kit_status(&kit), 200);
        assert_heard(&kit.http, "<table name=\"VM\">");
        assert_heard(&kit.http, "name_label=\"web\"");
        assert_heard(&kit.http, "</database>");
        assert_null(strstr(http_kit_heard(&kit.http), "<table name=\"session\">"));
        assert_null(strstr(http_kit_heard(&kit.http), kit.session.ref));
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        stream_kit_forget_tasks(&kit);
        body = stream_kit_body(&kit, &n);
        dump = mem_format("%.*s", (int)n, (const char *)body);
        put(&kit, "&dry_run=true", dump);
        assert_int_equal(stream_kit_status(&kit), 200);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        stream_kit_fini(&kit);
}

static void what_is_no_dump_and_what_would_be_put_back_is_refused(void **state) {
        struct stream_kit kit;
        const char *error;

        (void)state;
        kit_init(&kit);
        put(&kit, "&dry_run=true", "<database>");
        assert_int_equal(stream_kit_status(&kit), 400);
        assert_heard(&kit.http, "check a dump: line 1");
        assert_string_equal(stream_kit_task(&kit, &error), "failure");
        stream_kit_forget_tasks(&kit);
        put(&kit, "", "<database><manifest/></database>");
        assert_int_equal(stream_kit_status(&kit), 400);
        assert_heard(&kit.http, "a dump is not put back here");
        assert_string_equal(stream_kit_task(&kit, &error), "failure");
        stream_kit_fini(&kit);
}

static void it_is_for_the_administrator_alone(void **state) {
        AUTO_FREE char *token = NULL;
        struct stream_kit kit;
        struct err_note note;

        (void)state;
        kit_init(&kit);
        assert_ok(auth_token_create(kit.auth, "worker", ROLE_OPERATOR, 3600, &token, &note));
        snprintf(kit.session.ref, sizeof kit.session.ref, "%s", token);
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", "/pool/xmldbdump", "");
        assert_int_equal(stream_kit_status(&kit), 403);
        put(&kit, "&dry_run=true", "<database><manifest/></database>");
        assert_int_equal(stream_kit_status(&kit), 403);
        stream_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_dump_has_the_objects_and_is_taken_for_one),
                cmocka_unit_test(what_is_no_dump_and_what_would_be_put_back_is_refused),
                cmocka_unit_test(it_is_for_the_administrator_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
