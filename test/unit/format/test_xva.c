// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "xva.h"

static void names_are_parsed_and_printed(void **state) {
        static const struct {
                const char *member;
                enum xva_kind kind;
                const char *disk;
                uint64_t number;
        } table[] = {
                {"ova.xml", XVA_OVA, "", 0},
                {"Ref:4/00000000", XVA_DATA, "Ref:4", 0},
                {"Ref:12/00000007.checksum", XVA_SHA1, "Ref:12", 7},
                {"Ref:4/01048575.xxhash", XVA_XXH64, "Ref:4", 1048575},
                {"Ref:4/123456789", XVA_DATA, "Ref:4", 123456789},
                {"a/b/00000001", XVA_DATA, "a/b", 1},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct xva_name name;

                xva_name_parse(table[i].member, &name);
                assert_int_equal(name.kind, table[i].kind);
                assert_string_equal(name.disk, table[i].disk);
                assert_int_equal(name.number, table[i].number);
                assert_string_equal(xva_name_print(&name).s, table[i].member);
        }
}

static void what_is_no_name_of_an_xva_is_another(void **state) {
        static const char *const table[] = {
                "",
                "checksum.xml",
                "ova.xml/00000000x",
                "/00000000",
                "Ref:4/",
                "Ref:4/0000000",
                "Ref:4/0000000x",
                "Ref:4/00000000.md5",
                "Ref:4/00000000.checksum.checksum",
                "Ref:4/-0000001",
                "Ref:4/ 0000001",
                "Ref:4/1234567890123",
                "a-reference-of-32-bytes-and-so-1/00000000",
        };
        struct xva_name name;

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                xva_name_parse(table[i], &name);
                assert_int_equal(name.kind, XVA_OTHER);
        }
        xva_name_parse("./Ref:4/00000001", &name); /* as tar packs a folder */
        assert_int_equal(name.kind, XVA_DATA);
        assert_string_equal(name.disk, "Ref:4");
}

static void checksums_are_those_of_others(void **state) {
        AUTO_FREE uint8_t *zeros = mem_zero(XVA_BLOCK);
        char text[XVA_XXH64_SIZE + 1];

        (void)state;
        xva_xxh64((struct span){NULL, 0}, text);
        assert_string_equal(text, "EF46DB3751D8E999");
        xva_xxh64((struct span){(const uint8_t *)"a", 1}, text);
        assert_string_equal(text, "D24EC4F1A98C6E5B");
        xva_xxh64((struct span){zeros, XVA_BLOCK}, text);
        assert_string_equal(text, "87D2A1B6E1163EF1");
}

static void a_disk_is_cut_into_blocks(void **state) {
        static const struct {
                uint64_t size, blocks, last;
        } table[] = {{0, 0, 0}, {512, 1, 512}, {MIB, 1, MIB}, {MIB + 512, 2, 512}, {3 * MIB, 3, MIB}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                assert_int_equal(xva_blocks(table[i].size), table[i].blocks);
                if (table[i].blocks)
                        assert_int_equal(xva_block_length(table[i].size, table[i].blocks - 1), table[i].last);
        }
        assert_true(xva_block_is_always_sent(3 * MIB, 0) && xva_block_is_always_sent(3 * MIB, 2));
        assert_false(xva_block_is_always_sent(3 * MIB, 1));
        assert_true(xva_block_is_always_sent(1, 0));
}

static void the_length_of_an_archive_is_known_beforehand(void **state) {
        enum { FULL = 512 + MIB + 1024, LAST = 512 + 512 + 1024 };

        (void)state;
        assert_int_equal(xva_blocks_size(0, 0), 0);
        assert_int_equal(xva_blocks_size(MIB, 1), FULL);
        assert_int_equal(xva_blocks_size(9 * MIB, 3), 3 * FULL);
        assert_int_equal(xva_blocks_size(9 * MIB + 100, 3), 2 * FULL + LAST);
}

/* One member for a walk, and what comes of it. */
struct move {
        const char *name;
        uint64_t size;
        enum xva_what what;
        size_t disk;
        uint64_t at;
};

static enum err step(struct xva_walk *walk, const char *name, uint64_t size, struct xva_step *ret,
                     struct err_note *note) {
        struct tar_member member = {.size_bytes = size, .is_file = true};

        snprintf(member.name, sizeof member.name, "%s", name);
        return xva_walk_next(walk, &member, ret, note);
}

static void blocks_lie_where_all_before_them_say(void **state) {
        static const struct move moves[] = {
                {"Ref:10/00000000", MIB, XVA_TAKE_BLOCK, 1, 0},
                {"Ref:10/00000000.checksum", 40, XVA_TAKE_CHECKSUM, 1, 0},
                {"Ref:10/00000002", MIB, XVA_TAKE_BLOCK, 1, 2 * MIB},
                {"Ref:10/00000002.checksum", 40, XVA_TAKE_CHECKSUM, 1, 0},
                {"Ref:10/00000003", 0, XVA_TAKE_BLOCK, 1, 3 * MIB}, /* keeps the connection awake */
                {"Ref:10/00000003.checksum", 40, XVA_TAKE_CHECKSUM, 1, 0},
                {"Ref:10/00000005", MIB, XVA_TAKE_BLOCK, 1, 4 * MIB},
                {"Ref:10/00000005.checksum", 40, XVA_TAKE_CHECKSUM, 1, 0},
                {"Ref:10/00000006", 512, XVA_TAKE_BLOCK, 1, 5 * MIB},
                {"Ref:10/00000006.checksum", 40, XVA_TAKE_CHECKSUM, 1, 0},
                {"Ref:4/00000000", 512, XVA_TAKE_BLOCK, 0, 0},
                {"Ref:4/00000000.xxhash", 16, XVA_TAKE_CHECKSUM, 0, 0},
                {"checksum.xml", 999, XVA_SKIP, 0, 0},
        };
        struct xva_disk disks[] = {{.ref = "Ref:4", .size_bytes = 512},
                                   {.ref = "Ref:10", .size_bytes = 5 * MIB + 512},
                                   {.ref = "Ref:11", .size_bytes = 0}};
        struct err_note note = {0};
        struct xva_walk walk;
        struct xva_step got;

        (void)state;
        xva_walk_init(&walk, disks, 3, true);
        for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
                assert_ok(step(&walk, moves[i].name, moves[i].size, &got, &note));
                assert_int_equal(got.what, moves[i].what);
                assert_int_equal(got.n, moves[i].size);
                assert_int_equal(got.disk, moves[i].disk);
                assert_int_equal(got.at, moves[i].at);
        }
        assert_ok(xva_walk_end(&walk, &note));
}

static void folders_are_skipped(void **state) {
        struct tar_member member = {.name = "Ref:4"};
        struct err_note note = {0};
        struct xva_walk walk;
        struct xva_step got;

        (void)state;
        xva_walk_init(&walk, NULL, 0, true);
        assert_ok(xva_walk_next(&walk, &member, &got, &note));
        assert_int_equal(got.what, XVA_SKIP);
        assert_ok(xva_walk_end(&walk, &note));
}

static void members_that_do_not_belong_there_are_refused(void **state) {
        static const struct {
                struct move before, now;
                enum err code;
                const char *words;
        } table[] = {
                {{0}, {.name = "Ref:5/00000000", .size = MIB}, ERR_CORRUPT, "knows no such disk"},
                {{0}, {.name = "ova.xml", .size = MIB}, ERR_CORRUPT, "a second ova.xml"},
                {{0}, {.name = "README", .size = 1}, ERR_CORRUPT, "not of an XVA"},
                {{0},
                 {.name = "Ref:4/00000000", .size = MIB + 1},
                 ERR_UNSUPPORTED,
                 "a block of 1048577 bytes"},
                {{0}, {.name = "Ref:4/00000004", .size = 1}, ERR_CORRUPT, "past the disk's end at 4194304"},
                {{0}, {.name = "Ref:4/00000003", .size = MIB}, ERR_NONE, ""},
                {{0}, {.name = "Ref:4/999999999999", .size = 0}, ERR_CORRUPT, "past the disk's end"},
                {{0},
                 {.name = "Ref:4/00000000.xxhash", .size = 16},
                 ERR_CORRUPT,
                 "does not follow its block"},
                {{"Ref:4/00000001", MIB, 0, 0, 0},
                 {.name = "Ref:4/00000002", .size = MIB},
                 ERR_CORRUPT,
                 "Ref:4/00000001 has no checksum"},
                {{"Ref:4/00000001", MIB, 0, 0, 0},
                 {.name = "Ref:4/00000002.xxhash", .size = 16},
                 ERR_CORRUPT,
                 "does not follow its block"},
                {{"Ref:4/00000001", MIB, 0, 0, 0},
                 {.name = "Ref:7/00000001.xxhash", .size = 16},
                 ERR_CORRUPT,
                 "does not follow its block"},
                {{"Ref:4/00000001", MIB, 0, 0, 0},
                 {.name = "Ref:4/00000001.xxhash", .size = 40},
                 ERR_CORRUPT,
                 "40 bytes"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct xva_disk disk = {.ref = "Ref:4", .size_bytes = 4 * MIB};
                struct err_note note = {0};
                struct xva_walk walk;
                struct xva_step got;

                xva_walk_init(&walk, &disk, 1, true);
                if (table[i].before.name)
                        assert_ok(step(&walk, table[i].before.name, table[i].before.size, &got, &note));
                assert_err(step(&walk, table[i].now.name, table[i].now.size, &got, &note), table[i].code,
                           table[i].words);
        }
}

static void numbers_go_up(void **state) {
        struct xva_disk disk = {.ref = "Ref:4", .size_bytes = 9 * MIB};
        struct err_note note = {0};
        struct xva_walk walk;
        struct xva_step got;

        (void)state;
        xva_walk_init(&walk, &disk, 1, false); /* as old hosts sent them: no checksums behind the blocks */
        assert_ok(step(&walk, "Ref:4/00000001", MIB, &got, &note));
        assert_err(step(&walk, "Ref:4/00000001", MIB, &got, &note), ERR_CORRUPT, "higher or the same number");
        assert_err(step(&walk, "Ref:4/00000000", MIB, &got, &note), ERR_CORRUPT, "higher or the same number");
        assert_ok(step(&walk, "Ref:4/00000002", MIB, &got, &note));
        assert_int_equal(got.at, 2 * MIB);
}

static void an_archive_that_ends_too_early_is_cut_short(void **state) {
        struct xva_disk disk = {.ref = "Ref:4", .size_bytes = 2 * MIB};
        struct err_note note = {0};
        struct xva_walk walk;
        struct xva_step got;

        (void)state;
        xva_walk_init(&walk, &disk, 1, true);
        assert_err(xva_walk_end(&walk, &note), ERR_CUT_SHORT, "before Ref:4 does: at 0 of 2097152");
        assert_ok(step(&walk, "Ref:4/00000001", MIB, &got, &note));
        assert_err(xva_walk_end(&walk, &note), ERR_CUT_SHORT, "before the checksum of Ref:4/00000001");
        assert_ok(step(&walk, "Ref:4/00000001.checksum", 40, &got, &note));
        assert_int_equal(got.checksum, XVA_SHA1);
        assert_ok(xva_walk_end(&walk, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_parsed_and_printed),
                cmocka_unit_test(what_is_no_name_of_an_xva_is_another),
                cmocka_unit_test(checksums_are_those_of_others),
                cmocka_unit_test(a_disk_is_cut_into_blocks),
                cmocka_unit_test(the_length_of_an_archive_is_known_beforehand),
                cmocka_unit_test(blocks_lie_where_all_before_them_say),
                cmocka_unit_test(folders_are_skipped),
                cmocka_unit_test(members_that_do_not_belong_there_are_refused),
                cmocka_unit_test(numbers_go_up),
                cmocka_unit_test(an_archive_that_ends_too_early_is_cut_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
