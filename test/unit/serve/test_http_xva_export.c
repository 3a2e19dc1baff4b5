// SPDX-License-Identifier: Apache-2.0
#include "stream_host_kit.h"

#include "../service/xva_kit.h"
#include "http1_chunks.h"
#include "pack.h"

enum { OTHER_DISK = 2 * 1024 * 1024 };

/* The kit's host with a VM of two disks: the kit's, and one that holds nothing. */
struct vm_kit {
        struct stream_kit of;
        struct uuid vm, other;
};

static void vm_kit_init(struct vm_kit *kit) {
        const struct vdi_options options = {.size = OTHER_DISK, .kind = IMAGE_VHD};
        struct err_note note;

        stream_kit_init(&kit->of);
        assert_ok(sr_vdi_create(kit->of.sr, &options, &kit->other, &note));
        kit->vm = xva_kit_vm(kit->of.objects, &kit->of.of_host.uuid,
                             (const struct uuid[]){kit->of.vdi, kit->other}, 2);
}

static void vm_kit_fini(struct vm_kit *kit) {
        stream_kit_fini(&kit->of);
}

static void ask(struct vm_kit *kit, const struct net_weather *weather, uint64_t seed, const char *more,
                unsigned minor) {
        AUTO_FREE char *text = mem_format("GET /export/?ref=%s&session_id=%s%s HTTP/1.%u\r\nHost: h\r\n\r\n",
                                          xapi_ref_of(&kit->vm).s, kit->of.session.ref, more, minor);

        http_kit_connect(&kit->of.http, seed, weather);
        http_kit_tell(&kit->of.http, text);
}

static void assert_is_vm(struct vm_kit *kit, const uint8_t *data, size_t n) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};

        xva_kit_take_apart(data, n, &archive);
        assert_int_equal(archive.n, 2);
        for (unsigned i = 0; i < 2; i++)
                if (archive.disks[i].size == KIT_DISK)
                        assert_memory_equal(archive.disks[i].data, kit->of.data, KIT_DISK);
                else
                        assert_true(archive.disks[i].size == OTHER_DISK &&
                                    bytes_are_zero(archive.disks[i].data, OTHER_DISK));
}

/* False: the last chunk has not come. */
static bool take_chunks(const uint8_t *data, size_t n, struct buf *ret) {
        struct http1_chunks chunks = {0};
        struct err_note note = {0};
        size_t some;

        for (size_t at = 0; !chunks.is_whole; at += some) {
                assert_ok(http1_chunks_frame(&chunks, (struct span){data + at, n - at}, &some, &note));
                at += some;
                some = (size_t)min_u64(chunks.left, n - at);
                buf_add(ret, data + at, some);
                http1_chunks_skip(&chunks, some);
                if (at + some == n)
                        break;
        }
        return chunks.is_whole;
}

static struct buf unpack_all(const uint8_t *data, size_t n, enum pack_kind kind) {
        AUTO(unpack_free) struct unpack *unpack = NULL;
        AUTO_FREE uint8_t *memory = mem_zero(65536);
        struct span left = {data, n};
        struct err_note note = {0};
        struct buf all = {0};

        assert_int_equal(pack_kind_of(data), kind);
        assert_ok(unpack_new(kind, &unpack, &note));
        do {
                assert_ok(unpack_some(unpack, &left, memory, 65536, &n, &note));
                buf_add(&all, memory, n);
        } while (n > 0);
        assert_true(unpack_is_at_end(unpack));
        return all;
}

static void a_vm_comes_whole_with_its_length(void **state) {
        struct vm_kit kit;
        const uint8_t *body;
        const char *error;
        size_t n;

        (void)state;
        vm_kit_init(&kit);
        ask(&kit, &net_weather_bad, 3, "", 1);
        http_kit_run(&kit.of.http, 3600);
        assert_int_equal(stream_kit_status(&kit.of), 200);
        assert_heard(&kit.of.http, "task-id: OpaqueRef:");
        body = stream_kit_body(&kit.of, &n);
        {
                AUTO_FREE char *length = mem_format("Content-Length: %zu\r\n", n);

                assert_heard(&kit.of.http, length);
        }
        assert_is_vm(&kit, body, n);
        assert_string_equal(stream_kit_task(&kit.of, &error), "success");
        vm_kit_fini(&kit);
}

static void a_compressed_vm_comes_in_chunks_or_until_the_connection_ends(void **state) {
        static const struct {
                const char *more;
                enum pack_kind kind;
        } ways[] = {{"&use_compression=zstd", PACK_ZSTD}, {"&use_compression=true", PACK_GZIP}};

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                AUTO(buf_fini) struct buf packed = {0}, all = {0};
                unsigned minor = i / 2;
                struct vm_kit kit;
                const uint8_t *body;
                const char *error;
                size_t n;

                vm_kit_init(&kit);
                ask(&kit, &net_weather_bad, i, ways[i % 2].more, minor);
                http_kit_run(&kit.of.http, 3600);
                assert_int_equal(stream_kit_status(&kit.of), 200);
                assert_null(strstr(http_kit_heard(&kit.of.http), "Content-Length"));
                body = stream_kit_body(&kit.of, &n);
                assert_true(n < 100000 && kit.of.http.has_ended);
                if (minor == 1)
                        assert_true(take_chunks(body, n, &packed));
                else
                        buf_add(&packed, body, n);
                all = unpack_all(packed.data, packed.n, ways[i % 2].kind);
                assert_is_vm(&kit, all.data, all.n);
                assert_string_equal(stream_kit_task(&kit.of, &error), "success");
                vm_kit_fini(&kit);
        }
}

/* So much that cannot be compressed that it does not all lie in buffers on its way. */
static void make_noise(struct vm_kit *kit) {
        AUTO_FREE uint8_t *noise = mem_zero(4 * MIB);
        struct chain *chain;
        struct err_note note;
        uint32_t dice = 1;

        for (size_t i = 0; i < 4 * MIB; i++) {
                dice = dice * 1664525 + 1013904223;
                noise[i] = (uint8_t)(dice >> 24);
        }
        memcpy(kit->of.data, noise, 4 * MIB);
        assert_ok(sr_open_chain(kit->of.sr, &kit->of.vdi, CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, noise, 4 * MIB, 0, &note));
        assert_ok(sr_close_chain(kit->of.sr, chain, &note));
}

/* Who has it whole may delete the disks; who has not, does not believe it; and nothing stays open. */
static void a_reset_anywhere_is_no_end(void **state) {
        static const uint64_t places[] = {1, 300, 5000, 30000, 1100000, 3000000, UINT64_MAX};

        (void)state;
        for (unsigned i = 0; i < 2 * sizeof places / sizeof *places; i++) {
                bool is_packed = i % 2, is_whole;
                AUTO(buf_fini) struct buf unused = {0};
                struct vm_kit kit;
                struct err_note note;
                const uint8_t *body;
                const char *error;
                size_t n;

                vm_kit_init(&kit);
                make_noise(&kit);
                http_kit_connect(&kit.of.http, i, &net_weather_fine);
                net_sim_reset_at(kit.of.http.net, KIT_SERVER, places[i / 2]);
                {
                        AUTO_FREE char *text =
                                mem_format("GET /export?uuid=%s&session_id=%s%s HTTP/1.1\r\nHost: h\r\n\r\n",
                                           uuid_format(&kit.vm).s, kit.of.session.ref,
                                           is_packed ? "&use_compression=zstd" : "");

                        http_kit_tell(&kit.of.http, text);
                }
                http_kit_run(&kit.of.http, 3600);
                is_whole = strcmp(stream_kit_task(&kit.of, &error), "success") == 0;
                assert_int_equal(is_whole, places[i / 2] == UINT64_MAX);
                assert_string_equal(error, is_whole ? "" : "CLIENT_ERROR");
                if (strstr(http_kit_heard(&kit.of.http), "\r\n\r\n") && is_packed) {
                        body = stream_kit_body(&kit.of, &n);
                        assert_true(n == 0 || take_chunks(body, n, &unused) == is_whole);
                }
                assert_ok(sr_vdi_delete(kit.of.sr, &kit.of.vdi, &note));
                assert_ok(sr_vdi_delete(kit.of.sr, &kit.other, &note));
                vm_kit_fini(&kit);
        }
}

static void ask_and_do_not_read(struct vm_kit *kit, const char *more) {
        AUTO_FREE char *text = mem_format("GET /export?ref=%s&session_id=%s%s HTTP/1.1\r\nHost: h\r\n\r\n",
                                          xapi_ref_of(&kit->vm).s, kit->of.session.ref, more);

        http_kit_connect(&kit->of.http, 1, &net_weather_fine);
        kit->of.http.is_deaf = true;
        http_kit_tell(&kit->of.http, text);
}

static void read_on(struct vm_kit *kit) {
        kit->of.http.is_deaf = false;
        http_kit_got(&kit->of.http);
        http_kit_run(&kit->of.http, 3600);
}

static void a_disk_that_fails_ends_in_a_reset_and_never_in_a_last_chunk(void **state) {
        (void)state;
        for (unsigned is_packed = 0; is_packed < 2; is_packed++) {
                AUTO(buf_fini) struct buf unused = {0};
                AUTO_FREE char *path = NULL;
                struct vm_kit kit;
                const uint8_t *body;
                const char *error;
                size_t n;

                vm_kit_init(&kit);
                make_noise(&kit);
                ask_and_do_not_read(&kit, is_packed ? "&use_compression=gzip" : "");
                path = mem_format("/sr/%s.vhd", uuid_format(&kit.of.vdi).s);
                io_sim_break(kit.of.http.io, path, 2 * MIB, 2 * MIB);
                read_on(&kit);
                body = stream_kit_body(&kit.of, &n);
                assert_string_equal(stream_kit_task(&kit.of, &error), "failure");
                assert_string_equal(error, "VDI_IO_ERROR");
                assert_true(n > 1000 && (!is_packed || !take_chunks(body, n, &unused)));
                assert_non_null(strstr(buf_text(&kit.of.log), "block"));
                io_sim_break(kit.of.http.io, path, 0, 0);
                vm_kit_fini(&kit);
        }
}

/* Of the task that is worked on: false where it tells no length. */
static bool tells_progress(struct vm_kit *kit, struct task_look *ret) {
        AUTO(json_decref) json_t *all = objects_all(kit->of.objects, XAPI_TASK);
        const char *ref = json_object_iter_key(json_object_iter(all));
        struct uuid task;

        assert_true(ref && xapi_ref_parse(ref, &task));
        return tasks_look(kit->of.tasks, &task, ret) && ret->total > 0;
}

static void progress_is_in_bytes_of_the_vm_compressed_or_not(void **state) {
        struct task_look looks[2];

        (void)state;
        for (unsigned is_packed = 0; is_packed < 2; is_packed++) {
                AUTO_FREE char *path = NULL;
                struct vm_kit kit;

                vm_kit_init(&kit);
                make_noise(&kit);
                path = mem_format("/export?uuid=%s%s", uuid_format(&kit.vm).s,
                                  is_packed ? "&use_compression=zstd" : "");
                stream_kit_ask(&kit.of, &net_weather_bad, 1, "GET", path, "");
                assert_true(tells_progress(&kit, &looks[is_packed]));
                assert_true(looks[is_packed].done > 0 && looks[is_packed].done < looks[is_packed].total);
                vm_kit_fini(&kit);
        }
        assert_int_equal(looks[0].total, looks[1].total);
}

static void a_reader_may_pause_for_days(void **state) {
        (void)state;
        for (unsigned is_packed = 0; is_packed < 2; is_packed++) {
                AUTO(buf_fini) struct buf packed = {0}, all = {0};
                struct vm_kit kit;
                const uint8_t *body;
                const char *error;
                size_t n;

                vm_kit_init(&kit);
                make_noise(&kit);
                ask_and_do_not_read(&kit, is_packed ? "&use_compression=gzip" : "");
                http_kit_run(&kit.of.http, 36 * 3600);
                read_on(&kit);
                body = stream_kit_body(&kit.of, &n);
                assert_string_equal(stream_kit_task(&kit.of, &error), "success");
                if (is_packed) {
                        assert_true(take_chunks(body, n, &packed));
                        all = unpack_all(packed.data, packed.n, PACK_GZIP);
                        assert_is_vm(&kit, all.data, all.n);
                } else {
                        assert_is_vm(&kit, body, n);
                }
                vm_kit_fini(&kit);
        }
}

static void what_cannot_be_exported_is_said_before_the_first_byte(void **state) {
        static const struct {
                const char *target;
                unsigned status;
                const char *says, *error;
        } cases[] = {
                {"/export", 400, "ref= is missing", "INTERNAL_ERROR"},
                {"/export?ref=OpaqueRef:NULL", 404, "neither a reference nor a uuid", "HANDLE_INVALID"},
                {"/export?uuid=11111111-2222-3333-4444-555555555555", 404, "is not there", "HANDLE_INVALID"},
                {"/export?uuid=11111111-2222-3333-4444-555555555555&use_compression=xz", 400,
                 "use_compression= is", "INTERNAL_ERROR"},
        };
        struct vm_kit kit;

        (void)state;
        vm_kit_init(&kit);
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                const char *error;

                stream_kit_ask(&kit.of, &net_weather_fine, 1, "GET", cases[i].target, "");
                assert_int_equal(stream_kit_status(&kit.of), cases[i].status);
                assert_heard(&kit.of.http, cases[i].says);
                (void)stream_kit_task(&kit.of, &error);
                assert_string_equal(error, cases[i].error);
                stream_kit_forget_tasks(&kit.of);
        }
        vm_kit_fini(&kit);
}

static void a_vm_whose_disk_is_written_to_is_refused(void **state) {
        struct chain *writer;
        struct err_note note;
        struct vm_kit kit;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        assert_ok(sr_open_chain(kit.of.sr, &kit.other, CHAIN_WRITE, &writer, &note));
        ask(&kit, &net_weather_fine, 1, "", 1);
        assert_int_equal(stream_kit_status(&kit.of), 409);
        assert_heard(&kit.of.http, "export a snapshot of it");
        (void)stream_kit_task(&kit.of, &error);
        assert_string_equal(error, "VM_BAD_POWER_STATE");
        assert_ok(sr_close_chain(kit.of.sr, writer, &note));
        vm_kit_fini(&kit);
}

static void who_is_not_known_gets_nothing(void **state) {
        struct vm_kit kit;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        kit.of.session.ref[15] ^= 1;
        ask(&kit, &net_weather_fine, 1, "", 1);
        assert_int_equal(stream_kit_status(&kit.of), 401);
        assert_string_equal(stream_kit_task(&kit.of, &error), "");
        vm_kit_fini(&kit);
}

static void a_task_that_is_cancelled_breaks_the_archive(void **state) {
        AUTO(json_decref) json_t *all = NULL;
        struct err_note note;
        struct vm_kit kit;
        struct uuid task;
        const char *error;

        (void)state;
        vm_kit_init(&kit);
        make_noise(&kit);
        ask_and_do_not_read(&kit, "");
        all = objects_all(kit.of.objects, XAPI_TASK);
        assert_int_equal(json_object_size(all), 1);
        assert_true(xapi_ref_parse(json_object_iter_key(json_object_iter(all)), &task));
        assert_ok(tasks_cancel(kit.of.tasks, &task, &note));
        http_kit_run(&kit.of.http, 60);
        assert_string_equal(stream_kit_task(&kit.of, &error), "cancelled");
        assert_ok(sr_vdi_delete(kit.of.sr, &kit.of.vdi, &note));
        vm_kit_fini(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vm_comes_whole_with_its_length),
                cmocka_unit_test(a_compressed_vm_comes_in_chunks_or_until_the_connection_ends),
                cmocka_unit_test(progress_is_in_bytes_of_the_vm_compressed_or_not),
                cmocka_unit_test(a_reset_anywhere_is_no_end),
                cmocka_unit_test(a_disk_that_fails_ends_in_a_reset_and_never_in_a_last_chunk),
                cmocka_unit_test(a_reader_may_pause_for_days),
                cmocka_unit_test(what_cannot_be_exported_is_said_before_the_first_byte),
                cmocka_unit_test(a_vm_whose_disk_is_written_to_is_refused),
                cmocka_unit_test(who_is_not_known_gets_nothing),
                cmocka_unit_test(a_task_that_is_cancelled_breaks_the_archive),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
