// SPDX-License-Identifier: Apache-2.0
#include "xo_meta.h"

#include <string.h>

#include "check.h"
#include "mem.h"

#define VM "\"vm\": {\"uuid\": \"5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01\", \"name_label\": \"web\"}"

static enum err decode(const char *text, struct xo_meta *ret, struct err_note *note) {
        return xo_meta_decode((struct span){(const uint8_t *)text, strlen(text)}, ret, note);
}

static void disks_of_a_delta_are_told_in_the_order_of_their_uuids(void **state) {
        static const char text[] =
                "{\"mode\": \"delta\", \"timestamp\": 1767232800123, " VM ", \"vhds\": {\"r1\": "
                "\"./vdis/job/bbbb//1.vhd\", \"r2\": \"vdis/job/aaaa/1.alias.vhd\"}, \"vdis\": {\"r1\": "
                "{\"name_label\": \"data\", \"$snapshot_of$uuid\": \"cccc\"}}}";
        AUTO(xo_meta_fini) struct xo_meta meta = {0};
        struct err_note note;

        (void)state;
        assert_ok(decode(text, &meta, &note));
        assert_int_equal(meta.time, 1767232800123);
        assert_string_equal(meta.vm_name, "web");
        assert_null(meta.xva);
        assert_int_equal(meta.disks.n, 2);
        /* Of one whose record says nothing, the path does. */
        assert_string_equal(meta.disks.data[0].vdi, "aaaa");
        assert_string_equal(meta.disks.data[0].label, "");
        assert_string_equal(meta.disks.data[1].vdi, "cccc");
        assert_string_equal(meta.disks.data[1].vhd, "vdis/job/bbbb/1.vhd");
        assert_string_equal(meta.disks.data[1].label, "data");
}

static void a_full_backup_is_one_file(void **state) {
        AUTO(xo_meta_fini) struct xo_meta meta = {0};
        struct err_note note;

        (void)state;
        assert_ok(
                decode("{\"mode\": \"full\", \"timestamp\": 1, \"xva\": \"./a.xva\", " VM "}", &meta, &note));
        assert_string_equal(meta.xva, "a.xva");
        assert_int_equal(meta.disks.n, 0);
}

static void what_is_no_metadata_is_refused(void **state) {
        static const struct {
                const char *text, *why;
                enum err err;
        } bad[] = {
                {"{", "", ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": -1, " VM ", \"vhds\": {}}", "timestamp", ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": \"1\", " VM ", \"vhds\": {}}", "timestamp",
                 ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": 1, \"vhds\": {}}", "vm", ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": 1, " VM "}", "vhds", ERR_CORRUPT},
                {"{\"mode\": \"other\", \"timestamp\": 1, " VM ", \"vhds\": {}}", "mode", ERR_UNSUPPORTED},
                {"{\"mode\": \"full\", \"timestamp\": 1, " VM "}", "xva", ERR_CORRUPT},
                {"{\"mode\": \"full\", \"timestamp\": 1, \"xva\": \"../a\", " VM "}", "climbs", ERR_CORRUPT},
                {"{\"mode\": \"full\", \"timestamp\": 1, \"xva\": \"/a\", " VM "}", "root", ERR_CORRUPT},
                {"{\"mode\": \"full\", \"timestamp\": 1, \"xva\": \"./\", " VM "}", "nothing", ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": 1, " VM ", \"vhds\": {\"r\": 1}}", "no text",
                 ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": 1, " VM ", \"vhds\": {\"r\": \"a.vhd\"}}",
                 "without a uuid", ERR_CORRUPT},
                {"{\"mode\": \"delta\", \"timestamp\": 1, " VM
                 ", \"vhds\": {\"r\": \"a/b.vhd\", \"s\": \"a/c.vhd\"}}",
                 "twice", ERR_CORRUPT},
        };
        struct xo_meta meta;
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_err(decode(bad[i].text, &meta, &note), bad[i].err, bad[i].why);
}

static void a_merge_says_its_chain(void **state) {
        static const char good[] = "{\"chain\": [\"a.vhd\", \"./b.vhd\"], \"step\": \"mergeBlocks\"}";
        static const char *const bad[] = {"{\"chain\": [\"a\"]}", "{}", "{\"chain\": [\"a\", \"../b\"]}",
                                          "{\"chain\": [\"a\", 1]}"};
        AUTO(xo_merge_fini) struct xo_merge merge = {0};
        struct xo_merge none;
        struct err_note note;

        (void)state;
        assert_ok(xo_merge_decode((struct span){(const uint8_t *)good, sizeof good - 1}, &merge, &note));
        assert_int_equal(merge.chain.n, 2);
        assert_string_equal(merge.chain.data[1], "b.vhd");
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_int_equal(
                        xo_merge_decode((struct span){(const uint8_t *)bad[i], strlen(bad[i])}, &none, &note),
                        ERR_CORRUPT);
}

static void a_path_has_an_end(void **state) {
        char text[XO_PATH_MAX + 2];
        char *path;
        struct err_note note;

        (void)state;
        memset(text, 'a', sizeof text);
        text[XO_PATH_MAX + 1] = '\0';
        assert_err(xo_path_clean(text, &path, &note), ERR_CORRUPT, "1025 bytes");
        assert_ok(xo_path_clean(text + 1, &path, &note));
        free(path);
        assert_err(xo_path_clean("a/..", &path, &note), ERR_CORRUPT, "climbs");
        assert_ok(xo_path_clean("a..b/...", &path, &note));
        free(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(disks_of_a_delta_are_told_in_the_order_of_their_uuids),
                cmocka_unit_test(a_full_backup_is_one_file),
                cmocka_unit_test(what_is_no_metadata_is_refused),
                cmocka_unit_test(a_merge_says_its_chain),
                cmocka_unit_test(a_path_has_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
