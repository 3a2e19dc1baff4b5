// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_docs.h"
#include "vault_kit.h"

#define NAME    "0123456789abcdef0123456789abcdef"
#define ID      NAME NAME
#define NULL_ID "0000000000000000000000000000000000000000000000000000000000000000"
#define DISK(size, height, root)                                                                             \
        "{\"chunk\":262144,\"height\":" height ",\"id\":\"" ID "\",\"name\":\"sda\",\"root\":\"" root        \
        "\",\"size\":" size ",\"source\":{\"sr\":[1]},\"written\":4096}"

static const char golden[] = "{\"disks\":[" DISK("67108865", "2", ID) "," DISK(
        "0", "0", NULL_ID) "],\"name\":\"web\","
                           "\"parent\":\"" NAME "\",\"previous\":\"" ID
                           "\",\"sequence\":7,\"session\":\"" NAME "\","
                           "\"time\":\"2024-11-21T03:20:42Z\",\"vm\":{\"uuid\":\"x\"},\"writer\":\"" ID "\"}";
static const char plain[] =
        "{\"disks\":[],\"name\":\"\xc3\xbc\",\"parent\":null,\"previous\":null,\"sequence\":0,"
        "\"session\":\"" NAME "\",\"time\":\"2024-11-21T03:20:42Z\",\"vm\":null,\"writer\":null}";

static void a_manifest_is_read_and_written_as_it_was(void **state) {
        static const char *const texts[] = {golden, plain};

        (void)state;
        for (int i = 0; i < 2; i++) {
                AUTO(vault_manifest_fini) struct vault_manifest manifest = {0};
                AUTO(buf_fini) struct buf buf = {0}, again = {0};
                struct err_note note = {0};

                assert_ok(vault_manifest_decode(body_with(&buf, texts[i], NULL, NULL), &manifest, &note));
                vault_manifest_encode(&manifest, &again);
                assert_string_equal(buf_text(&again), texts[i]);
        }
}

static void a_manifest_says_what_it_is_of(void **state) {
        AUTO(vault_manifest_fini) struct vault_manifest manifest = {0};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_manifest_decode(body_with(&buf, golden, NULL, NULL), &manifest, &note));
        assert_string_equal(manifest.name, "web");
        assert_true(manifest.time == 1732159242 && manifest.has_writer && manifest.has_previous);
        assert_int_equal(manifest.sequence, 7);
        assert_string_equal(vault_name_format(&manifest.parent).s, NAME);
        assert_int_equal(manifest.disks.n, 2);
        assert_string_equal(manifest.disks.data[0].name, "sda");
        assert_int_equal(manifest.disks.data[0].size, 67108865);
        assert_int_equal(manifest.disks.data[0].written, 4096);
        assert_true(json_is_object(manifest.disks.data[0].source) && json_is_object(manifest.vm));
        assert_true(vault_id_is_null(&manifest.disks.data[1].root));
}

static void what_cannot_be_is_refused_with_its_member(void **state) {
        static const struct {
                const char *key, *value;
                enum err code;
                const char *words;
        } table[] = {
                {"parent", NULL, ERR_NONE, ""},
                {"previous", "null", ERR_NONE, ""},
                {"vm", "[1]", ERR_NONE, ""},
                {"unknown", "1", ERR_NONE, ""},
                {"name", "1", ERR_CORRUPT, "manifest: \"name\" is not text"},
                {"time", NULL, ERR_CORRUPT, "time"},
                {"session", "null", ERR_CORRUPT, "session"},
                {"parent", "\"00\"", ERR_CORRUPT, "parent"},
                {"writer", "null", ERR_CORRUPT, "sequence"},
                {"sequence", "0", ERR_CORRUPT, "sequence"},
                {"writer", "\"00\"", ERR_CORRUPT, "writer"},
                {"previous", "\"00\"", ERR_CORRUPT, "previous"},
                {"disks", "{}", ERR_CORRUPT, "disks"},
                {"disks", "[1]", ERR_CORRUPT, "manifest: disk 0: \"name\" is missing"},
                {"disks", "[" DISK("67108864", "1", ID) "," DISK("67108864", "2", ID) "]", ERR_CORRUPT,
                 "disk 1: \"height\" is 2, not from 1 to 1"},
                {"disks", "[" DISK("0", "0", ID) "]", ERR_CORRUPT, "a disk of no bytes has a root"},
                {"disks", "[" DISK("-1", "0", ID) "]", ERR_CORRUPT, "size"},
                {"disks", "[" DISK("9223372036854775807", "6", ID) "]", ERR_NONE, ""},
        };
        AUTO(buf_fini) struct buf buf = {0};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(vault_manifest_fini) struct vault_manifest manifest = {0};
                struct err_note note = {0};

                assert_err(vault_manifest_decode(body_with(&buf, golden, table[i].key, table[i].value),
                                                 &manifest, &note),
                           table[i].code, table[i].words);
        }
}

static void nobody_has_no_earlier_point(void **state) {
        AUTO(vault_manifest_fini) struct vault_manifest manifest = {0};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(vault_manifest_decode(body_with(&buf, plain, "previous", "\"" ID "\""), &manifest, &note),
                   ERR_CORRUPT, "\"previous\" is not null");
        assert_err(vault_manifest_decode(body_with(&buf, plain, "sequence", "1"), &manifest, &note),
                   ERR_CORRUPT, "\"sequence\" is 1, not from 0 to 0");
}

static void a_disk_has_as_many_levels_as_it_needs(void **state) {
        static const struct {
                uint64_t size;
                uint32_t chunk;
                unsigned height;
        } table[] = {
                {0, 65536, 0},       {1, 65536, 0},           {65536, 65536, 0},
                {65537, 65536, 1},   {256 * 65536, 65536, 1}, {256 * 65536 + 1, 65536, 2},
                {TIB, 256 * KIB, 3}, {UINT64_MAX, 65536, 6},  {UINT64_MAX, 4 * MIB, 6},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                assert_int_equal(vault_disk_height(table[i].size, table[i].chunk), table[i].height);
}

static void a_seal_is_of_one_manifest(void **state) {
        uint8_t sum[32], again[32] = {0};
        AUTO(buf_fini) struct buf buf = {0};
        struct err_note note = {0};

        (void)state;
        memset(sum, 0xab, sizeof sum);
        vault_point_seal_encode(sum, &buf);
        assert_memory_equal(buf_text(&buf), "{\"manifest\":\"abab", 17);
        assert_ok(vault_point_seal_decode((struct span){buf.data, buf.n}, again, &note));
        assert_memory_equal(sum, again, sizeof sum);
        assert_err(vault_point_seal_decode((struct span){(const uint8_t *)"{}", 2}, again, &note),
                   ERR_CORRUPT, "seal: \"manifest\" is missing");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_manifest_is_read_and_written_as_it_was),
                cmocka_unit_test(a_manifest_says_what_it_is_of),
                cmocka_unit_test(what_cannot_be_is_refused_with_its_member),
                cmocka_unit_test(nobody_has_no_earlier_point),
                cmocka_unit_test(a_disk_has_as_many_levels_as_it_needs),
                cmocka_unit_test(a_seal_is_of_one_manifest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
