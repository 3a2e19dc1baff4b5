// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

#include "stream.h"

static char *target(const struct stream_kit *kit, const struct uuid *vdi, const char *more) {
        (void)kit;
        return mem_format("/export_raw_vdi/?vdi=%s%s", uuid_format(vdi).s, more);
}

/* What a stream of the VDI should be, read without HTTP. */
static struct buf stream_of(struct stream_kit *kit, const struct uuid *vdi, const struct uuid *base,
                            bool has_whole_blocks, const uint8_t *like) {
        struct chain *chain, *under = NULL;
        struct stream_source_options options = {.format = STREAM_VHD, .has_whole_blocks = has_whole_blocks};
        struct buf bytes = {0};
        struct err_note note;

        memcpy(options.uuid.b, like + 68, 16); /* the footer's uuid */
        assert_ok(sr_open_chain(kit->sr, vdi, CHAIN_READ, &chain, &note));
        if (base) {
                assert_ok(sr_open_chain(kit->sr, base, CHAIN_READ, &under, &note));
                options.base = under;
                options.parent_name = "x.vhd";
                memcpy(options.parent_uuid.b, like + 512 + 40, 16);
        }
        {
                AUTO(stream_source_free) struct stream_source *source = NULL;
                size_t n;

                assert_ok(stream_source_new(chain, &options, &source, &note));
                (void)buf_extend(&bytes, stream_source_length(source));
                assert_ok(stream_source_pull(source, bytes.data, bytes.n, &n, &note));
        }
        if (under)
                assert_ok(sr_close_chain(kit->sr, under, &note));
        assert_ok(sr_close_chain(kit->sr, chain, &note));
        return bytes;
}

/* But for the time at which it was made, and the checksum over it. */
static void assert_same_stream(struct buf *want, const uint8_t *got, size_t n) {
        const size_t footers[] = {0, n - 512};

        assert_int_equal(n, want->n);
        for (unsigned i = 0; i < 2; i++) {
                memcpy(want->data + footers[i] + 24, got + footers[i] + 24, 4);
                memcpy(want->data + footers[i] + 64, got + footers[i] + 64, 4);
        }
        assert_memory_equal(got, want->data, n);
}

static struct uuid snapshot(struct stream_kit *kit) {
        const struct vdi_options options = {0};
        struct err_note note;
        struct uuid uuid;

        assert_ok(sr_vdi_snapshot(kit->sr, &kit->vdi, &options, &uuid, &note));
        return uuid;
}

static void a_raw_disk_comes_whole_with_its_length(void **state) {
        struct stream_kit kit;
        AUTO_FREE char *path = NULL;
        const uint8_t *body;
        const char *error;
        size_t n;

        (void)state;
        stream_kit_init(&kit);
        path = target(&kit, &kit.vdi, "");
        stream_kit_ask(&kit, &net_weather_bad, 3, "GET", path, "");
        http_kit_run(&kit.http, 3600);
        assert_int_equal(stream_kit_status(&kit), 200);
        assert_heard(&kit.http, "Content-Length: 5244416\r\n");
        assert_heard(&kit.http, "task-id: OpaqueRef:");
        body = stream_kit_body(&kit, &n);
        assert_int_equal(n, KIT_DISK);
        assert_memory_equal(body, kit.data, n);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        stream_kit_fini(&kit);
}

static void a_vhd_has_whole_blocks_unless_exact_is_asked_for(void **state) {
        struct stream_kit kit;

        (void)state;
        stream_kit_init(&kit);
        for (int is_exact = 0; is_exact < 2; is_exact++) {
                AUTO_FREE char *path =
                        target(&kit, &kit.vdi, is_exact ? "&format=vhd&exact=1" : "&format=VHD");
                AUTO(buf_fini) struct buf want = {0};
                const uint8_t *body;
                size_t n;

                stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "");
                http_kit_run(&kit.http, 60);
                body = stream_kit_body(&kit, &n);
                want = stream_of(&kit, &kit.vdi, NULL, !is_exact, body);
                assert_same_stream(&want, body, n);
        }
        stream_kit_fini(&kit);
}

static void a_delta_holds_the_blocks_that_differ(void **state) {
        AUTO(buf_fini) struct buf want = {0};
        AUTO_FREE char *more = NULL, *path = NULL;
        struct stream_kit kit;
        struct uuid old, new;
        const uint8_t *body;
        size_t n;

        (void)state;
        stream_kit_init(&kit);
        old = snapshot(&kit);
        stream_kit_write(&kit, 3 * 1024 * 1024, 4096, 'n');
        new = snapshot(&kit);
        more = mem_format("&format=vhd&base=%s%s", XAPI_REF_PREFIX, uuid_format(&old).s);
        path = target(&kit, &new, more);
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "");
        http_kit_run(&kit.http, 60);
        body = stream_kit_body(&kit, &n);
        assert_true(n > 2 * 1024 * 1024 && n < 3 * 1024 * 1024);
        want = stream_of(&kit, &new, &old, true, body);
        /* Past the head, whose parent has another name here. */
        assert_int_equal(n, want.n);
        assert_memory_equal(body + n - 2097152, want.data + n - 2097152, 2097152 - 512);
        stream_kit_fini(&kit);
}

static void what_cannot_be_exported_is_said_before_the_first_byte(void **state) {
        static const struct {
                const char *target; /* with a word for the VDI's uuid */
                unsigned status;
                const char *says, *error;
        } cases[] = {
                {"/export_raw_vdi?vdi=OpaqueRef:NULL", 404, "neither a reference nor a uuid",
                 "HANDLE_INVALID"},
                {"/export_raw_vdi", 400, "vdi= is missing", "INTERNAL_ERROR"},
                {"/export_raw_vdi?vdi=11111111-2222-3333-4444-555555555555", 404, "not in any SR",
                 "HANDLE_INVALID"},
                {"/export_raw_vdi?vdi=VDI&format=qcow2", 404, "Unknown format qcow2", "INTERNAL_ERROR"},
                {"/export_raw_vdi?vdi=VDI&format=raw&base=VDI", 400, "base= is for format=vhd",
                 "INTERNAL_ERROR"},
                {"/export_raw_vdi?vdi=VDI&format=vhd&base=VDI", 400, "no snapshot", "INTERNAL_ERROR"},
                {"/vdi/VDI.qcow2", 404, "/vdi/UUID.vhd", ""},
                {"/vdi/VDI", 404, "/vdi/UUID.vhd", ""},
                {"/vdi", 404, "/vdi/UUID.vhd", ""},
        };
        struct stream_kit kit;

        (void)state;
        stream_kit_init(&kit);
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO(buf_fini) struct buf path = {0};
                const char *error;

                for (const char *at = cases[i].target; *at; at++) {
                        if (strncmp(at, "VDI", 3) == 0) {
                                buf_print(&path, "%s", uuid_format(&kit.vdi).s);
                                at += 2;
                        } else {
                                buf_add(&path, at, 1);
                        }
                }
                stream_kit_ask(&kit, &net_weather_fine, 1, "GET", buf_text(&path), "");
                assert_int_equal(stream_kit_status(&kit), cases[i].status);
                assert_heard(&kit.http, cases[i].says);
                (void)stream_kit_task(&kit, &error);
                assert_string_equal(error, cases[i].error);
                stream_kit_forget_tasks(&kit);
        }
        stream_kit_fini(&kit);
}

static void who_is_not_known_gets_nothing(void **state) {
        struct stream_kit kit;
        AUTO_FREE char *path = NULL;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        path = target(&kit, &kit.vdi, "");
        kit.session.ref[15] ^= 1;
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "");
        assert_int_equal(stream_kit_status(&kit), 401);
        assert_heard(&kit.http, "WWW-Authenticate: Basic");
        assert_null(strstr(http_kit_heard(&kit.http), kit.session.ref));
        assert_string_equal(stream_kit_task(&kit, &error), "");
        assert_null(strstr(buf_text(&kit.log), "OpaqueRef"));
        stream_kit_fini(&kit);
}

static void a_disk_that_is_written_to_is_refused(void **state) {
        struct stream_kit kit;
        AUTO_FREE char *path = NULL;
        struct chain *writer;
        struct err_note note;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        path = target(&kit, &kit.vdi, "");
        assert_ok(sr_open_chain(kit.sr, &kit.vdi, CHAIN_WRITE, &writer, &note));
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "");
        assert_int_equal(stream_kit_status(&kit), 409);
        assert_heard(&kit.http, "export a snapshot of it");
        (void)stream_kit_task(&kit, &error);
        assert_string_equal(error, "VDI_IN_USE");
        assert_ok(sr_close_chain(kit.sr, writer, &note));
        stream_kit_fini(&kit);
}

/* Whoever has the whole body may delete the disk at once; a reader who goes away leaves nothing open. */
static void the_disk_is_closed_before_the_last_byte_and_when_the_reader_goes(void **state) {
        static const uint64_t places[] = {1, 100, 500, 66000, KIT_DISK / 2, KIT_DISK - 20000, UINT64_MAX};

        (void)state;
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                bool is_whole = places[i] == UINT64_MAX;
                AUTO_FREE char *path = NULL;
                struct stream_kit kit;
                struct err_note note;
                const char *error;

                stream_kit_init(&kit);
                path = target(&kit, &kit.vdi, "");
                http_kit_connect(&kit.http, i, &net_weather_bad);
                net_sim_reset_at(kit.http.net, KIT_SERVER, places[i]);
                {
                        AUTO_FREE char *text = mem_format("GET %s&session_id=%s HTTP/1.1\r\nHost: h\r\n\r\n",
                                                          path, kit.session.ref);

                        http_kit_tell(&kit.http, text);
                }
                http_kit_run(&kit.http, 3600);
                assert_string_equal(stream_kit_task(&kit, &error), is_whole ? "success" : "failure");
                assert_string_equal(error, is_whole ? "" : "CLIENT_ERROR");
                assert_ok(sr_vdi_delete(kit.sr, &kit.vdi, &note));
                stream_kit_fini(&kit);
        }
}

static void a_reader_may_pause_for_days_while_the_disk_lives_on(void **state) {
        AUTO_FREE char *path = NULL;
        struct stream_kit kit;
        struct uuid kept;
        const uint8_t *body;
        uint8_t *want;
        size_t n;

        (void)state;
        stream_kit_init(&kit);
        kept = snapshot(&kit);
        want = mem_zero(KIT_DISK);
        memcpy(want, kit.data, KIT_DISK);
        path = target(&kit, &kept, "");
        kit.http.is_deaf = true;
        stream_kit_ask(&kit, &net_weather_bad, 1, "GET", path, "");
        kit.http.is_deaf = true;
        http_kit_run(&kit.http, 36 * 3600);
        stream_kit_write(&kit, 0, 1024 * 1024, 'x');
        (void)snapshot(&kit);
        kit.http.is_deaf = false;
        http_kit_got(&kit.http);
        http_kit_run(&kit.http, 3600);
        body = stream_kit_body(&kit, &n);
        assert_int_equal(n, KIT_DISK);
        assert_memory_equal(body, want, n);
        free(want);
        stream_kit_fini(&kit);
}

static void a_task_that_is_cancelled_breaks_the_stream(void **state) {
        AUTO(json_decref) json_t *all = NULL;
        AUTO_FREE char *path = NULL;
        struct stream_kit kit;
        struct err_note note;
        struct uuid task;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        path = target(&kit, &kit.vdi, "");
        http_kit_connect(&kit.http, 1, &net_weather_fine);
        kit.http.is_deaf = true;
        {
                AUTO_FREE char *text =
                        mem_format("GET %s&session_id=%s HTTP/1.1\r\nHost: h\r\n\r\n", path, kit.session.ref);

                http_kit_tell(&kit.http, text);
        }
        all = objects_all(kit.objects, XAPI_TASK);
        assert_int_equal(json_object_size(all), 1);
        assert_true(xapi_ref_parse(json_object_iter_key(json_object_iter(all)), &task));
        assert_string_equal(stream_kit_task(&kit, &error), "pending");
        assert_ok(tasks_cancel(kit.tasks, &task, &note));
        http_kit_run(&kit.http, 60);
        assert_string_equal(stream_kit_task(&kit, &error), "cancelled");
        assert_ok(sr_vdi_delete(kit.sr, &kit.vdi, &note));
        stream_kit_fini(&kit);
}

static void a_range_of_a_disk_is_that_range(void **state) {
        AUTO_FREE char *path = NULL;
        struct stream_kit kit;
        const uint8_t *body;
        size_t n;

        (void)state;
        stream_kit_init(&kit);
        path = mem_format("/vdi/%s.raw", uuid_format(&kit.vdi).s);
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "Range: bytes=4999-70001\r\n");
        assert_int_equal(stream_kit_status(&kit), 206);
        assert_heard(&kit.http, "Content-Range: bytes 4999-70001/5244416\r\n");
        body = stream_kit_body(&kit, &n);
        assert_int_equal(n, 70001 - 4999 + 1);
        assert_memory_equal(body, kit.data + 4999, n);
        stream_kit_ask(&kit, &net_weather_fine, 1, "GET", path, "Range: bytes=5244416-\r\n");
        assert_int_equal(stream_kit_status(&kit), 416);
        stream_kit_ask(&kit, &net_weather_fine, 1, "HEAD", path, "");
        assert_heard(&kit.http, "Content-Length: 5244416\r\n");
        (void)stream_kit_body(&kit, &n);
        assert_int_equal(n, 0);
        stream_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_raw_disk_comes_whole_with_its_length),
                cmocka_unit_test(a_vhd_has_whole_blocks_unless_exact_is_asked_for),
                cmocka_unit_test(a_delta_holds_the_blocks_that_differ),
                cmocka_unit_test(what_cannot_be_exported_is_said_before_the_first_byte),
                cmocka_unit_test(who_is_not_known_gets_nothing),
                cmocka_unit_test(a_disk_that_is_written_to_is_refused),
                cmocka_unit_test(the_disk_is_closed_before_the_last_byte_and_when_the_reader_goes),
                cmocka_unit_test(a_reader_may_pause_for_days_while_the_disk_lives_on),
                cmocka_unit_test(a_task_that_is_cancelled_breaks_the_stream),
                cmocka_unit_test(a_range_of_a_disk_is_that_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
