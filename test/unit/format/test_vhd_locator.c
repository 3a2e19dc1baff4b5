// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd_locator.h"

#define BYTES(text)                                                                                          \
        { (const uint8_t *)(text), sizeof(text) - 1 }

static enum err decode(uint32_t code, struct span data, char **ret, struct err_note *note) {
        const struct vhd_locator locator = {code, 65536 * 2, (uint32_t)data.n, 0, 4096};

        return vhd_locator_decode(&locator, data, ret, note);
}

static void the_three_are_written_as_xenserver_does(void **state) {
        static const struct {
                uint32_t code;
                const char *path;
                struct span want;
        } rows[] = {
                {VHD_LOCATOR_MACX, "b.vhd", BYTES("file://./b.vhd")},
                {VHD_LOCATOR_W2KU, "b.vhd", BYTES(".\0\\\0b\0.\0v\0h\0d\0")},
                {VHD_LOCATOR_W2RU, "b.vhd", BYTES(".\0\\\0b\0.\0v\0h\0d\0")},
                {VHD_LOCATOR_MACX, "./b.vhd", BYTES("file://./b.vhd")},
                {VHD_LOCATOR_MACX, "../a dir/b%41.vhd", BYTES("file://./../a dir/b%41.vhd")},
                {VHD_LOCATOR_W2RU, "../d/b", BYTES(".\0\\\0.\0.\0\\\0d\0\\\0b\0")},
                {VHD_LOCATOR_W2RU, "\xC3\xBC", BYTES(".\0\\\0\xFC\0")},
                {VHD_LOCATOR_MACX, "\xC3\xBC", BYTES("file://./\xC3\xBC")},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(buf_fini) struct buf ret = {0};

                assert_ok(vhd_locator_encode(rows[i].code, rows[i].path, &ret, &note));
                assert_int_equal(ret.n, rows[i].want.n);
                assert_memory_equal(ret.data, rows[i].want.data, ret.n);
        }
        assert_int_equal(vhd_locator_order[0], VHD_LOCATOR_MACX);
        assert_int_equal(vhd_locator_order[1], VHD_LOCATOR_W2KU);
        assert_int_equal(vhd_locator_order[2], VHD_LOCATOR_W2RU);
}

static void paths_that_others_wrote_are_understood(void **state) {
        static const struct {
                uint32_t code;
                struct span payload;
                const char *want;
        } rows[] = {
                {VHD_LOCATOR_MACX, BYTES("file://./b.vhd"), "b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file://b.vhd"), "b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file://.//././b.vhd"), "b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file://../x/b.vhd"), "../x/b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file:///sr/b.vhd"), "/sr/b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file://localhost/sr/b.vhd"), "/sr/b.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file:///a%20b/%C3%BC.vhd"), "/a b/\xC3\xBC.vhd"},
                {VHD_LOCATOR_MACX, BYTES("file:///100%/5%2/b"), "/100%/5%2/b"},
                {VHD_LOCATOR_MACX, BYTES("file://./a%20b.vhd"),
                 "a%20b.vhd"}, /* relative: XenServer's, without escapes */
                {VHD_LOCATOR_MACX, BYTES("file:///C:/d/b.vhd"), "/d/b.vhd"},
                {VHD_LOCATOR_W2RU, BYTES(".\0\\\0b\0"), "b"},
                {VHD_LOCATOR_W2RU, BYTES(".\0.\0\\\0x\0\\\0b\0"), "../x/b"},
                {VHD_LOCATOR_W2KU, BYTES("C\0:\0\\\0d\0\\\0b\0"), "/d/b"},
                {VHD_LOCATOR_W2KU, BYTES("c\0:\0b\0"), "b"},
                {VHD_LOCATOR_W2KU, BYTES(".\0\\\0\x3D\xD8\xBE\xDC"), "\xF0\x9F\x92\xBE"},
                {VHD_LOCATOR_W2KU, BYTES(".\0\\\0b\0\0\0"), "b"}, /* a terminator, counted in */
                {VHD_LOCATOR_W2RU, BYTES(".\0\\\0a\0:\0b\0"), "a:b"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO_FREE char *path = NULL;

                assert_ok(decode(rows[i].code, rows[i].payload, &path, &note));
                assert_string_equal(path, rows[i].want);
        }
}

static void what_is_no_path_is_refused(void **state) {
        static const struct {
                uint32_t code;
                struct span payload;
                enum err err;
                const char *words;
        } rows[] = {
                {VHD_LOCATOR_MACX, BYTES(""), ERR_CORRUPT, "not a file:// URL"},
                {VHD_LOCATOR_MACX, BYTES("http://x/b"), ERR_CORRUPT, "is \"http://x/b\""},
                {VHD_LOCATOR_MACX, BYTES("file:/b"), ERR_CORRUPT, "not a file:// URL"},
                {VHD_LOCATOR_MACX, BYTES("file://"), ERR_CORRUPT, "names no file"},
                {VHD_LOCATOR_MACX, BYTES("file://./"), ERR_CORRUPT, "names no file"},
                {VHD_LOCATOR_MACX, BYTES("file://."), ERR_CORRUPT, "names no file"},
                {VHD_LOCATOR_MACX, BYTES("file://./b\0c"), ERR_CORRUPT, "byte 10 of 12"},
                {VHD_LOCATOR_MACX, BYTES("file://./\xFF"), ERR_CORRUPT, "not UTF-8"},
                {VHD_LOCATOR_MACX, BYTES("file:///a%00b"), ERR_CORRUPT, "escapes"},
                {VHD_LOCATOR_MACX, BYTES("file:///a%FFb"), ERR_CORRUPT, "escapes"},
                {VHD_LOCATOR_W2KU, BYTES(".\0\\\0b"), ERR_CORRUPT,
                 "W2ku: UTF-16 text has an odd length of 5"},
                {VHD_LOCATOR_W2RU, BYTES(".\0\\\0\0\0b\0"), ERR_CORRUPT, "zero at 4"},
                {VHD_LOCATOR_W2RU, BYTES("\0\0\0\0\0\0"), ERR_CORRUPT, "names no file"},
                {VHD_LOCATOR_W2RU, BYTES("\x3D\xD8"), ERR_CORRUPT, "half a pair"},
                {VHD_LOCATOR_WI2K, BYTES("b"), ERR_UNSUPPORTED, "Wi2k"},
                {VHD_LOCATOR_MAC, BYTES("b"), ERR_UNSUPPORTED, "Mac "},
                {0x31323334, BYTES("b"), ERR_UNSUPPORTED, "0x31323334"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                char *path = NULL;

                assert_err(decode(rows[i].code, rows[i].payload, &path, &note), rows[i].err, rows[i].words);
                assert_null(path);
        }
}

static void a_length_is_held_against_space_and_bytes(void **state) {
        static const uint8_t bytes[512] = "file://./b.vhdx and what was there before";
        struct vhd_locator locator = {VHD_LOCATOR_MACX, 512, 14, 0, 3072};
        struct err_note note;
        char *path = NULL;

        (void)state;
        assert_ok(vhd_locator_decode(&locator, (struct span){bytes, sizeof bytes}, &path, &note));
        assert_string_equal(path, "b.vhd");
        free(path);
        assert_err(vhd_locator_decode(&locator, (struct span){bytes, 13}, &path, &note), ERR_CUT_SHORT,
                   "there are 13 bytes");
        locator.length = 513;
        assert_err(vhd_locator_decode(&locator, (struct span){bytes, sizeof bytes}, &path, &note),
                   ERR_CORRUPT, "length is 513, its space is 512");
        locator.space = 1 << 20;
        locator.length = VHD_LOCATOR_MAX + 1;
        assert_err(vhd_locator_decode(&locator, (struct span){bytes, sizeof bytes}, &path, &note),
                   ERR_CORRUPT, "a path has at most");
}

static void what_cannot_be_written_is_refused(void **state) {
        AUTO(buf_fini) struct buf ret = {0};
        struct err_note note;

        (void)state;
        assert_err(vhd_locator_encode(VHD_LOCATOR_MACX, "/abs", &ret, &note), ERR_INVALID,
                   "\"/abs\" is not the relative");
        assert_err(vhd_locator_encode(VHD_LOCATOR_MACX, ".//abs", &ret, &note), ERR_INVALID,
                   "not the relative");
        assert_err(vhd_locator_encode(VHD_LOCATOR_MACX, "", &ret, &note), ERR_INVALID, "not the relative");
        assert_err(vhd_locator_encode(VHD_LOCATOR_MACX, ".", &ret, &note), ERR_INVALID, "not the relative");
        assert_err(vhd_locator_encode(VHD_LOCATOR_MACX, "./", &ret, &note), ERR_INVALID, "not the relative");
        assert_err(vhd_locator_encode(VHD_LOCATOR_W2RU, "a\\b", &ret, &note), ERR_INVALID, "backslash");
        assert_err(vhd_locator_encode(VHD_LOCATOR_W2RU, "\xC3", &ret, &note), ERR_INVALID, "not UTF-8");
        assert_err(vhd_locator_encode(VHD_LOCATOR_MAC, "b", &ret, &note), ERR_UNSUPPORTED, "Mac ");
        assert_int_equal(ret.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_three_are_written_as_xenserver_does),
                cmocka_unit_test(paths_that_others_wrote_are_understood),
                cmocka_unit_test(what_is_no_path_is_refused),
                cmocka_unit_test(a_length_is_held_against_space_and_bytes),
                cmocka_unit_test(what_cannot_be_written_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
