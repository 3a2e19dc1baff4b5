// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

#include "../service/xva_kit.h"
#include "pack.h"
#include "xmlrpc.h"

/* The kit's host with a VM of the kit's disk, and an archive of it. */
struct vm_kit {
        struct stream_kit of;
        struct uuid vm;
        struct buf archive;
};

static void fetch_archive(struct vm_kit *kit, struct buf *ret) {
        AUTO_FREE char *target = mem_format("/export?uuid=%s", uuid_format(&kit->vm).s);
        const uint8_t *body;
        size_t n;

        stream_kit_ask(&kit->of, &net_weather_fine, 1, "GET", target, "");
        http_kit_run(&kit->of.http, 60);
        body = stream_kit_body(&kit->of, &n);
        buf_add(ret, body, n);
        stream_kit_forget_tasks(&kit->of);
}

static void vm_kit_init(struct vm_kit *kit) {
        *kit = (struct vm_kit){0};
        stream_kit_init(&kit->of);
        kit->vm = xva_kit_vm(kit->of.objects, &kit->of.of_host.uuid, &kit->of.vdi, 1);
        fetch_archive(kit, &kit->archive);
}

static void vm_kit_fini(struct vm_kit *kit) {
        buf_fini(&kit->archive);
        stream_kit_fini(&kit->of);
}

/* A PUT's head, and as much of its body as is given. */
static void put(struct vm_kit *kit, const struct net_weather *weather, const char *query, const char *headers,
                const void *body, size_t n) {
        AUTO_FREE char *text = mem_format("PUT /import/?session_id=%s%s HTTP/1.1\r\nHost: h\r\n%s\r\n",
                                          kit->of.session.ref, query, headers);

        http_kit_connect(&kit->of.http, 5, weather);
        http_kit_say(&kit->of.http, text, strlen(text));
        http_kit_say(&kit->of.http, body, n);
        http_kit_run(&kit->of.http, 3600);
}

static char *length_header(uint64_t n) {
        return mem_format("Content-Length: %llu\r\n", (unsigned long long)n);
}

static struct buf packed_of(const struct buf *archive, enum pack_kind kind) {
        struct buf packed = {0};
        struct err_note note;

        (void)buf_extend(&packed, PACK_ROOM(archive->n));
        assert_ok(pack_frame(kind, (struct span){archive->data, archive->n}, packed.data, packed.n, &packed.n,
                             &note));
        return packed;
}

static void assert_nothing_came(struct vm_kit *kit) {
        assert_int_equal(sr_n_vdis(kit->of.sr), 1);
        assert_int_equal(objects_count(kit->of.objects, XAPI_VM), 1);
}

/* What the only task says came in, exported again, has the kit's disk. */
static void assert_came(struct vm_kit *kit) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        AUTO(json_decref) json_t *all = objects_all(kit->of.objects, XAPI_TASK), *value = NULL;
        AUTO(buf_fini) struct buf again = {0};
        const struct uuid old = kit->vm;
        struct err_note note;
        const char *error, *key, *result = NULL;
        json_t *task;

        assert_string_equal(stream_kit_task(&kit->of, &error), "success");
        json_object_foreach(all, key, task) result = json_string_value(json_object_get(task, "result"));
        assert_non_null(result);
        assert_memory_equal(result, "<value><array><data><value>OpaqueRef:", 37);
        assert_ok(xmlrpc_decode_value((struct span){(const uint8_t *)result, strlen(result)}, &value, &note));
        assert_int_equal(json_array_size(value), 1);
        assert_true(xapi_ref_parse(json_string_value(json_array_get(value, 0)), &kit->vm));
        assert_false(uuid_equal(&old, &kit->vm));
        stream_kit_forget_tasks(&kit->of);
        fetch_archive(kit, &again);
        kit->vm = old;
        xva_kit_take_apart(again.data, again.n, &archive);
        assert_int_equal(archive.n, 1);
        assert_int_equal(archive.disks[0].size, KIT_DISK);
        assert_memory_equal(archive.disks[0].data, kit->of.data, KIT_DISK);
}

static void what_went_out_comes_in_compressed_or_not(void **state) {
        (void)state;
        for (enum pack_kind kind = PACK_NONE; kind <= PACK_ZSTD; kind++) {
                AUTO(buf_fini) struct buf packed = {0};
                AUTO_FREE char *length = NULL, *query = NULL;
                const struct buf *body = &packed;
                struct vm_kit kit;

                vm_kit_init(&kit);
                if (kind == PACK_NONE)
                        body = &kit.archive;
                else
                        packed = packed_of(&kit.archive, kind);
                length = length_header(body->n);
                query = mem_format("&sr_id=%s", xapi_ref_of(&kit.of.of_host.uuid).s);
                put(&kit, &net_weather_bad, query, length, body->data, body->n);
                assert_int_equal(stream_kit_status(&kit.of), 200);
                assert_came(&kit);
                vm_kit_fini(&kit);
        }
}

/* In chunks, with a length that is far too large and the connection kept, and into the only SR. */
static void the_length_need_not_be_known(void **state) {
        (void)state;
        for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
                AUTO(buf_fini) struct buf chunks = {0};
                struct vm_kit kit;

                vm_kit_init(&kit);
                buf_print(&chunks, "%zx\r\n", kit.archive.n);
                buf_add(&chunks, kit.archive.data, kit.archive.n);
                buf_print(&chunks, "\r\n0\r\n\r\n");
                if (is_chunked)
                        put(&kit, &net_weather_bad, "", "Transfer-Encoding: chunked\r\n", chunks.data,
                            chunks.n);
                else
                        put(&kit, &net_weather_bad, "", "Content-Length: 1125899906842624\r\n",
                            kit.archive.data, kit.archive.n);
                assert_int_equal(stream_kit_status(&kit.of), 200);
                assert_came(&kit);
                vm_kit_fini(&kit);
        }
}

static void the_default_sr_of_the_pool_is_taken_where_none_is_named(void **state) {
        AUTO_FREE char *length = NULL;
        struct host_sr two[2];
        struct objects_change *change;
        struct err_note note;
        struct vm_kit kit;

        (void)state;
        vm_kit_init(&kit);
        length = length_header(kit.archive.n);
        two[0] = two[1] = kit.of.of_host;
        two[0].uuid = (struct uuid){{1}};
        kit.of.host.srs = two;
        kit.of.host.n_srs = 2;
        kit.of.host.pool = (struct uuid){{7, 7}};
        put(&kit, &net_weather_fine, "", length, kit.archive.data, kit.archive.n);
        assert_int_equal(stream_kit_status(&kit.of), 400);
        assert_heard(&kit.of.http, "the pool has no default SR");
        stream_kit_forget_tasks(&kit.of);
        objects_begin(kit.of.objects, &change);
        objects_put(change, XAPI_POOL, &kit.of.host.pool,
                    json_pack("{s:s}", "default_SR", xapi_ref_of(&two[1].uuid).s));
        assert_ok(objects_commit(change, NULL, &note));
        put(&kit, &net_weather_fine, "", length, kit.archive.data, kit.archive.n);
        assert_int_equal(stream_kit_status(&kit.of), 200);
        assert_came(&kit);
        vm_kit_fini(&kit);
}

static void what_cannot_be_taken_is_answered_at_once_and_nothing_stays(void **state) {
        static const struct {
                const char *query;
                size_t damaged_at; /* 0: not at all */
                const char *body;  /* NULL: the archive */
                unsigned status;
                const char *says, *error;
        } cases[] = {
                {"", 3 * 1024 * 1024, NULL, 400, "its checksum is", "IMPORT_ERROR"},
                {"&force=TRUE", 0, "<html>", 400, "this is no XVA", "IMPORT_ERROR"},
                {"&restore=true", 0, NULL, 409, "is busy: export", "OPERATION_NOT_ALLOWED"},
                {"", 0, "<html>", 400, "this is no XVA", "IMPORT_ERROR"},
                {"", 0, "\x28\xb5\x2f\xfd junk junk junk junk", 400, "zstd", "IMPORT_ERROR"},
                {"&sr_id=OpaqueRef:00000000-0000-4000-8000-000000000001", 0, NULL, 404, "not of this host",
                 "HANDLE_INVALID"},
                {"&sr_id=OpaqueRef:NULL", 0, NULL, 404, "neither a reference nor a uuid", "HANDLE_INVALID"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO(buf_fini) struct buf body = {0};
                struct vm_kit kit;
                const char *error;

                vm_kit_init(&kit);
                if (cases[i].body)
                        buf_add(&body, cases[i].body, strlen(cases[i].body));
                else
                        buf_add(&body, kit.archive.data, kit.archive.n);
                (void)buf_extend(&body, 2000);
                body.data[cases[i].damaged_at] ^= (uint8_t)(cases[i].damaged_at > 0);
                /* The rest of the body never comes. */
                put(&kit, &net_weather_bad, cases[i].query, "Content-Length: 1125899906842624\r\n", body.data,
                    body.n);
                assert_int_equal(stream_kit_status(&kit.of), cases[i].status);
                assert_heard(&kit.of.http, cases[i].says);
                assert_string_equal(stream_kit_task(&kit.of, &error), "failure");
                assert_string_equal(error, cases[i].error);
                assert_nothing_came(&kit);
                vm_kit_fini(&kit);
        }
}

static void damage_is_taken_where_that_is_forced(void **state) {
        AUTO_FREE char *length = NULL;
        struct vm_kit kit;
        const char *unused;

        (void)state;
        vm_kit_init(&kit);
        length = length_header(kit.archive.n);
        kit.archive.data[3 * 1024 * 1024] ^= 1;
        put(&kit, &net_weather_fine, "&force=true", length, kit.archive.data, kit.archive.n);
        assert_int_equal(stream_kit_status(&kit.of), 200);
        assert_string_equal(stream_kit_task(&kit.of, &unused), "success");
        assert_int_equal(objects_count(kit.of.objects, XAPI_VM), 2);
        vm_kit_fini(&kit);
}

static void a_body_that_ends_early_leaves_nothing(void **state) {
        static const uint64_t places[] = {1, 600, 30000, 1500000, 2600000};

        (void)state;
        for (unsigned i = 0; i < 2 * sizeof places / sizeof *places; i++) {
                AUTO_FREE char *length = NULL;
                struct vm_kit kit;
                const char *error;

                vm_kit_init(&kit);
                if (i % 2) {
                        /* The client declares less than there is. */
                        length = length_header(places[i / 2]);
                        put(&kit, &net_weather_bad, "", length, kit.archive.data, (size_t)places[i / 2]);
                        assert_int_equal(stream_kit_status(&kit.of), 400);
                } else {
                        AUTO_FREE char *text = mem_format("PUT /import?session_id=%s HTTP/1.1\r\nHost: h\r\n"
                                                          "Content-Length: %zu\r\n\r\n",
                                                          kit.of.session.ref, kit.archive.n);

                        http_kit_connect(&kit.of.http, i, &net_weather_bad);
                        net_sim_reset_at(kit.of.http.net, KIT_CLIENT, strlen(text) + places[i / 2] - 1);
                        http_kit_say(&kit.of.http, text, strlen(text));
                        http_kit_say(&kit.of.http, kit.archive.data, kit.archive.n);
                        http_kit_run(&kit.of.http, 3600);
                }
                assert_string_equal(stream_kit_task(&kit.of, &error), "failure");
                assert_string_equal(error, i % 2 ? "IMPORT_ERROR" : "CLIENT_ERROR");
                assert_nothing_came(&kit);
                vm_kit_fini(&kit);
        }
}

static void a_sender_may_pause_for_days_and_be_seen(void **state) {
        AUTO_FREE char *length = NULL;
        struct vm_kit kit;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        length = length_header(kit.archive.n);
        put(&kit, &net_weather_bad, "", length, kit.archive.data, kit.archive.n / 2);
        http_kit_run(&kit.of.http, 48 * 3600);
        assert_string_equal(stream_kit_task(&kit.of, &error), "pending");
        assert_int_equal(objects_count(kit.of.objects, XAPI_VM), 2);
        http_kit_say(&kit.of.http, kit.archive.data + kit.archive.n / 2, kit.archive.n - kit.archive.n / 2);
        http_kit_run(&kit.of.http, 3600);
        assert_int_equal(stream_kit_status(&kit.of), 200);
        assert_came(&kit);
        vm_kit_fini(&kit);
}

static void a_task_that_is_cancelled_ends_it(void **state) {
        AUTO(json_decref) json_t *all = NULL;
        AUTO_FREE char *length = NULL;
        struct err_note note;
        struct vm_kit kit;
        struct uuid task;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        length = length_header(kit.archive.n);
        put(&kit, &net_weather_bad, "", length, kit.archive.data, kit.archive.n / 2);
        all = objects_all(kit.of.objects, XAPI_TASK);
        assert_true(xapi_ref_parse(json_object_iter_key(json_object_iter(all)), &task));
        assert_ok(tasks_cancel(kit.of.tasks, &task, &note));
        http_kit_run(&kit.of.http, 60);
        assert_string_equal(stream_kit_task(&kit.of, &error), "cancelled");
        assert_int_equal(stream_kit_status(&kit.of), 409);
        assert_nothing_came(&kit);
        vm_kit_fini(&kit);
}

static void a_look_at_the_host_touches_nothing(void **state) {
        struct vm_kit kit;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        put(&kit, &net_weather_fine, "&sr_id=whatever", "Content-Length: 0\r\n", "", 0);
        assert_int_equal(stream_kit_status(&kit.of), 200);
        assert_string_equal(stream_kit_task(&kit.of, &error), "");
        assert_nothing_came(&kit);
        vm_kit_fini(&kit);
}

static void who_may_only_read_imports_nothing(void **state) {
        AUTO_FREE char *token = NULL, *length = NULL;
        struct err_note note;
        struct vm_kit kit;

        (void)state;
        vm_kit_init(&kit);
        length = length_header(kit.archive.n);
        assert_ok(auth_token_create(kit.of.auth, "looker", ROLE_READ_ONLY, 3600, &token, &note));
        snprintf(kit.of.session.ref, sizeof kit.of.session.ref, "%s", token);
        put(&kit, &net_weather_fine, "", length, kit.archive.data, kit.archive.n);
        assert_int_equal(stream_kit_status(&kit.of), 403);
        assert_nothing_came(&kit);
        vm_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_went_out_comes_in_compressed_or_not),
                cmocka_unit_test(the_length_need_not_be_known),
                cmocka_unit_test(the_default_sr_of_the_pool_is_taken_where_none_is_named),
                cmocka_unit_test(what_cannot_be_taken_is_answered_at_once_and_nothing_stays),
                cmocka_unit_test(damage_is_taken_where_that_is_forced),
                cmocka_unit_test(a_body_that_ends_early_leaves_nothing),
                cmocka_unit_test(a_sender_may_pause_for_days_and_be_seen),
                cmocka_unit_test(a_task_that_is_cancelled_ends_it),
                cmocka_unit_test(a_look_at_the_host_touches_nothing),
                cmocka_unit_test(who_may_only_read_imports_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
