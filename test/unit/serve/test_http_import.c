// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

#include "stream.h"

/* A PUT's head, and as much of its body as is given. */
static void put(struct stream_kit *kit, const struct net_weather *weather, const char *query,
                const char *headers, const void *body, size_t n) {
        AUTO_FREE char *text =
                mem_format("PUT /import_raw_vdi/?session_id=%s%s HTTP/1.1\r\nHost: h\r\n%s\r\n",
                           kit->session.ref, query, headers);

        http_kit_connect(&kit->http, 5, weather);
        http_kit_say(&kit->http, text, strlen(text));
        http_kit_say(&kit->http, body, n);
        http_kit_run(&kit->http, 3600);
}

static char *query_of(const struct uuid *vdi, const char *more) {
        return mem_format("&vdi=%s%s", uuid_format(vdi).s, more);
}

static char *length_header(uint64_t n) {
        return mem_format("Content-Length: %llu\r\n", (unsigned long long)n);
}

static struct uuid new_disk(struct stream_kit *kit) {
        const struct vdi_options options = {.name = "b", .size = KIT_DISK, .kind = IMAGE_VHD};
        struct err_note note;
        struct uuid uuid;

        assert_ok(sr_vdi_create(kit->sr, &options, &uuid, &note));
        return uuid;
}

static void assert_holds(struct stream_kit *kit, const struct uuid *vdi, const uint8_t *data) {
        AUTO_FREE uint8_t *got = mem_zero(KIT_DISK);
        struct chain *chain;
        struct err_note note;

        assert_ok(sr_open_chain(kit->sr, vdi, CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, got, KIT_DISK, 0, &note));
        assert_memory_equal(got, data, KIT_DISK);
        assert_ok(sr_close_chain(kit->sr, chain, &note));
}

/* The kit's disk as a VHD. */
static struct buf vhd(struct stream_kit *kit) {
        const struct stream_source_options options = {
                .format = STREAM_VHD, .uuid = {{1, 2, 3}}, .has_whole_blocks = true};
        struct buf bytes = {0};
        struct chain *chain;
        struct err_note note;

        assert_ok(sr_open_chain(kit->sr, &kit->vdi, CHAIN_READ, &chain, &note));
        {
                AUTO(stream_source_free) struct stream_source *source = NULL;
                size_t n;

                assert_ok(stream_source_new(chain, &options, &source, &note));
                (void)buf_extend(&bytes, stream_source_length(source));
                assert_ok(stream_source_pull(source, bytes.data, bytes.n, &n, &note));
        }
        assert_ok(sr_close_chain(kit->sr, chain, &note));
        return bytes;
}

static void a_raw_disk_goes_onto_its_vdi(void **state) {
        AUTO_FREE char *query = NULL, *length = length_header(KIT_DISK);
        struct stream_kit kit;
        struct uuid to;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        to = new_disk(&kit);
        query = query_of(&to, "");
        put(&kit, &net_weather_bad, query, length, kit.data, KIT_DISK);
        assert_int_equal(stream_kit_status(&kit), 200);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        assert_holds(&kit, &to, kit.data);
        stream_kit_fini(&kit);
}

static void a_vhd_goes_onto_its_vdi_whatever_length_is_declared(void **state) {
        static const uint64_t pib = UINT64_C(1) << 50;

        (void)state;
        for (int way = 0; way < 3; way++) {
                AUTO_FREE char *query = NULL, *length = NULL;
                AUTO(buf_fini) struct buf stream = {0}, chunked = {0};
                struct stream_kit kit;
                struct uuid to;
                const char *error;

                stream_kit_init(&kit);
                to = new_disk(&kit);
                stream = vhd(&kit);
                query = query_of(&to, "&format=vhd");
                length = way == 2 ? mem_text("Transfer-Encoding: chunked\r\n")
                                  : length_header(way ? pib : stream.n);
                if (way == 2) {
                        buf_print(&chunked, "%zx\r\n", stream.n);
                        buf_add(&chunked, stream.data, stream.n);
                        buf_print(&chunked, "\r\n0\r\n\r\n");
                }
                put(&kit, &net_weather_fine, query, length, way == 2 ? chunked.data : stream.data,
                    way == 2 ? chunked.n : stream.n);
                assert_int_equal(stream_kit_status(&kit), 200);
                assert_string_equal(stream_kit_task(&kit, &error), "success");
                assert_holds(&kit, &to, kit.data);
                stream_kit_fini(&kit);
        }
}

/* A client that does not know the length cuts the connection when it has sent all. */
static void a_sender_that_hangs_up_behind_the_end_has_imported(void **state) {
        AUTO_FREE char *query = NULL, *text = NULL;
        AUTO(buf_fini) struct buf stream = {0};
        struct stream_kit kit;
        struct uuid to;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        to = new_disk(&kit);
        stream = vhd(&kit);
        query = query_of(&to, "&format=vhd");
        text = mem_format("PUT /import_raw_vdi/?session_id=%s%s HTTP/1.1\r\nHost: h\r\nContent-Length: "
                          "1125899906842624\r\n\r\n",
                          kit.session.ref, query);
        http_kit_connect(&kit.http, 5, &net_weather_bad);
        http_kit_say(&kit.http, text, strlen(text));
        http_kit_say(&kit.http, stream.data, stream.n);
        while (kit.http.said < kit.http.to_say.n)
                http_kit_run(&kit.http, 1);
        conn_free(TAKE(kit.http.client));
        http_kit_run(&kit.http, 3600);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        assert_holds(&kit, &to, kit.data);
        stream_kit_fini(&kit);
}

/* All memory for streams is out when it comes. */
static void what_a_sender_left_here_when_he_hung_up_counts(void **state) {
        const struct vdi_options options = {.name = "empty", .size = KIT_DISK, .kind = IMAGE_VHD};
        struct part *out[PARTS_MAX];
        AUTO(buf_fini) struct buf stream = {0};
        AUTO_FREE uint8_t *zeros = mem_zero(KIT_DISK);
        struct parts_wait unused = {0};
        struct stream_kit kit;
        struct err_note note;
        struct uuid to;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        to = kit.vdi;
        assert_ok(sr_vdi_create(kit.sr, &options, &kit.vdi, &note));
        stream = vhd(&kit);
        unused.loop = kit.http.loop;
        for (unsigned i = 0; i < PARTS_MAX; i++)
                out[i] = parts_take(http_house_parts(kit.house), &unused);
        {
                AUTO_FREE char *text =
                        mem_format("PUT /import_raw_vdi/?session_id=%s&vdi=%s&format=vhd HTTP/1.1\r\n"
                                   "Host: h\r\nContent-Length: 1125899906842624\r\n\r\n",
                                   kit.session.ref, uuid_format(&to).s);

                http_kit_connect(&kit.http, 5, &net_weather_bad);
                http_kit_say(&kit.http, text, strlen(text));
        }
        http_kit_say(&kit.http, stream.data, stream.n);
        http_kit_run(&kit.http, 60);
        assert_int_equal(kit.http.said, kit.http.to_say.n);
        conn_free(TAKE(kit.http.client));
        http_kit_run(&kit.http, 60);
        for (unsigned i = 0; i < PARTS_MAX; i++)
                parts_give(http_house_parts(kit.house), out[i]);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        assert_holds(&kit, &to, zeros);
        stream_kit_fini(&kit);
}

static void a_new_disk_is_made_where_an_sr_is_named(void **state) {
        AUTO_FREE char *query = NULL, *length = length_header(KIT_DISK);
        const struct vdi *vdi;
        struct stream_kit kit;
        struct err_note note;

        (void)state;
        stream_kit_init(&kit);
        query = mem_format("&sr_uuid=%s", uuid_format(&kit.of_host.uuid).s);
        put(&kit, &net_weather_fine, query, length, kit.data, KIT_DISK);
        assert_int_equal(stream_kit_status(&kit), 200);
        assert_int_equal(sr_n_vdis(kit.sr), 2);
        assert_ok(sr_find_vdi(kit.sr, "Imported VDI", &vdi, &note));
        assert_holds(&kit, &vdi->row.uuid, kit.data);
        stream_kit_fini(&kit);
}

/* He declares 1 PiB who does not know the length, also where nothing is to follow. */
static void a_look_at_the_host_touches_nothing(void **state) {
        static const char *const headers[] = {"Content-Length: 0\r\n",
                                              "Content-Length: 1125899906842624\r\n"};
        struct stream_kit kit;
        struct chain *writer;
        struct err_note note;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        assert_ok(sr_open_chain(kit.sr, &kit.vdi, CHAIN_WRITE, &writer, &note));
        for (unsigned i = 0; i < 4; i++) {
                bool hangs_up = i >= 2;

                stream_kit_ask(&kit, &net_weather_fine, 1, "PUT", "/import_raw_vdi/?vdi=whatever&format=vhd",
                               headers[i % 2]);
                if (hangs_up)
                        http_kit_hang_up(&kit.http);
                http_kit_run(&kit.http, 2);
                assert_true(hangs_up || stream_kit_status(&kit) == 200);
                assert_string_equal(stream_kit_task(&kit, &error), "");
        }
        assert_ok(sr_close_chain(kit.sr, writer, &note));
        stream_kit_fini(&kit);
}

/* The answer comes in the middle of the upload, and the disk is as it was. */
static void what_cannot_be_taken_is_answered_at_once(void **state) {
        static const struct {
                const char *query; /* with TO for a disk of the SR */
                uint64_t length;
                unsigned status;
                const char *says, *error;
        } cases[] = {
                {"&vdi=TO&format=vhd", KIT_DISK, 400, "import VDI", "VDI_IO_ERROR"},
                {"&vdi=TO", KIT_DISK / 2, 400, "the stream has", "VDI_IO_ERROR"},
                {"&vdi=TO", KIT_DISK * 2, 400, "the stream's disk has", "INTERNAL_ERROR"},
                {"&vdi=TO&format=qcow2", KIT_DISK, 404, "Unknown format qcow2", "INTERNAL_ERROR"},
                {"&vdi=TO&format=vhd&chunked=true", KIT_DISK, 404, "Cannot handle chunked VHD",
                 "INTERNAL_ERROR"},
                {"&vdi=TO&chunked=true", KIT_DISK, 400, "lie behind the disk's end", "VDI_IO_ERROR"},
                {"", KIT_DISK, 400, "where to is not said", "INTERNAL_ERROR"},
                {"&sr_id=OpaqueRef:00000000-0000-4000-8000-000000000001", KIT_DISK, 404, "not of this host",
                 "HANDLE_INVALID"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO(buf_fini) struct buf query = {0};
                AUTO_FREE char *length = length_header(cases[i].length);
                AUTO_FREE uint8_t *zeros = mem_zero(KIT_DISK), *junk = mem_zero(KIT_DISK);
                struct stream_kit kit;
                struct uuid to;
                const char *error;

                stream_kit_init(&kit);
                to = new_disk(&kit);
                memset(junk, 'j', KIT_DISK);
                for (const char *at = cases[i].query; *at; at++) {
                        if (strncmp(at, "TO", 2) == 0)
                                buf_print(&query, "%s", uuid_format(&to).s);
                        else if (at[0] != 'O' || at[-1] != 'T')
                                buf_add(&query, at, 1);
                }
                put(&kit, &net_weather_bad, buf_text(&query), length, junk,
                    (size_t)min_u64(cases[i].length, KIT_DISK));
                assert_int_equal(stream_kit_status(&kit), cases[i].status);
                assert_heard(&kit.http, cases[i].says);
                (void)stream_kit_task(&kit, &error);
                assert_string_equal(error, cases[i].error);
                assert_holds(&kit, &to, zeros);
                assert_int_equal(sr_n_vdis(kit.sr), 2);
                stream_kit_fini(&kit);
        }
}

static void a_body_that_ends_early_changes_nothing(void **state) {
        static const uint64_t places[] = {1, 5000, KIT_DISK / 2, KIT_DISK - 1000, KIT_DISK};

        (void)state;
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                AUTO_FREE char *query = NULL, *length = length_header(KIT_DISK);
                AUTO_FREE uint8_t *zeros = mem_zero(KIT_DISK);
                struct stream_kit kit;
                struct uuid to;
                const char *error;

                stream_kit_init(&kit);
                to = new_disk(&kit);
                query = query_of(&to, "");
                {
                        AUTO_FREE char *text = mem_format(
                                "PUT /import_raw_vdi?session_id=%s%s HTTP/1.1\r\nHost: h\r\n%s\r\n",
                                kit.session.ref, query, length);

                        http_kit_connect(&kit.http, i, &net_weather_bad);
                        net_sim_reset_at(kit.http.net, KIT_CLIENT, strlen(text) + places[i] - 1);
                        http_kit_say(&kit.http, text, strlen(text));
                        http_kit_say(&kit.http, kit.data, KIT_DISK);
                        http_kit_run(&kit.http, 3600);
                }
                assert_string_equal(stream_kit_task(&kit, &error), "failure");
                assert_string_equal(error, "CLIENT_ERROR");
                assert_holds(&kit, &to, zeros);
                assert_int_equal(sr_n_vdis(kit.sr), 2);
                stream_kit_fini(&kit);
        }
}

static void who_may_only_read_imports_nothing(void **state) {
        AUTO_FREE char *query = NULL, *token = NULL;
        struct stream_kit kit;
        struct err_note note;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        assert_ok(auth_token_create(kit.auth, "looker", ROLE_READ_ONLY, 3600, &token, &note));
        snprintf(kit.session.ref, sizeof kit.session.ref, "%s", token);
        query = query_of(&kit.vdi, "");
        put(&kit, &net_weather_fine, query, "Content-Length: 5\r\n", "12345", 5);
        assert_int_equal(stream_kit_status(&kit), 403);
        assert_string_equal(stream_kit_task(&kit, &error), "");
        assert_holds(&kit, &kit.vdi, kit.data);
        stream_kit_fini(&kit);
}

static void a_sender_may_pause_for_days(void **state) {
        AUTO_FREE char *query = NULL, *length = length_header(KIT_DISK);
        struct stream_kit kit;
        struct uuid to;
        const char *error;

        (void)state;
        stream_kit_init(&kit);
        to = new_disk(&kit);
        query = query_of(&to, "");
        put(&kit, &net_weather_bad, query, length, kit.data, KIT_DISK / 2);
        http_kit_run(&kit.http, 48 * 3600);
        assert_string_equal(stream_kit_task(&kit, &error), "pending");
        http_kit_say(&kit.http, kit.data + KIT_DISK / 2, KIT_DISK - KIT_DISK / 2);
        http_kit_run(&kit.http, 3600);
        assert_string_equal(stream_kit_task(&kit, &error), "success");
        assert_holds(&kit, &to, kit.data);
        stream_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_raw_disk_goes_onto_its_vdi),
                cmocka_unit_test(a_vhd_goes_onto_its_vdi_whatever_length_is_declared),
                cmocka_unit_test(a_sender_that_hangs_up_behind_the_end_has_imported),
                cmocka_unit_test(what_a_sender_left_here_when_he_hung_up_counts),
                cmocka_unit_test(a_new_disk_is_made_where_an_sr_is_named),
                cmocka_unit_test(a_look_at_the_host_touches_nothing),
                cmocka_unit_test(what_cannot_be_taken_is_answered_at_once),
                cmocka_unit_test(a_body_that_ends_early_changes_nothing),
                cmocka_unit_test(who_may_only_read_imports_nothing),
                cmocka_unit_test(a_sender_may_pause_for_days),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
