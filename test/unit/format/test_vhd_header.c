// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd_header.h"

static const struct uuid some_uuid = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}};

static void set_locators(struct vhd_header *header) {
        static const uint32_t codes[] = {VHD_LOCATOR_MACX, VHD_LOCATOR_W2KU, VHD_LOCATOR_W2RU};

        for (unsigned i = 0; i < 3; i++)
                header->locator[i] = (struct vhd_locator){codes[i], 512, 16, 0, 3072 + i * 512};
}

static struct vhd_header_disk fresh(void) {
        struct vhd_header_disk disk;
        struct vhd_header header;
        struct err_note note;

        vhd_header_init(&header, 1536, 32);
        assert_ok(vhd_header_set_parent(&header, &some_uuid, 848545653, "base.vhd", &note));
        set_locators(&header);
        vhd_header_encode(&header, &disk);
        return disk;
}

static void seal(struct vhd_header_disk *disk) {
        disk->checksum = be32_put(vhd_checksum(disk, sizeof *disk, VHD_HEADER_CHECKSUM));
}

static void a_fresh_header_is_what_tapdisk_writes(void **state) {
        struct vhd_header_disk disk = fresh();

        (void)state;
        assert_memory_equal(
                disk.cookie,
                "cxsparse\377\377\377\377\377\377\377\377\0\0\0\0\0\0\6\0\0\1\0\0\0\0\0\40\0\40\0\0", 36);
        assert_memory_equal(disk.parent_uuid, some_uuid.b, 16);
        assert_int_equal(be32_get(disk.parent_time), 848545653);
        assert_memory_equal(disk.parent_name, "\0b\0a\0s\0e\0.\0v\0h\0d\0\0\0\0", 20);
        assert_memory_equal(&disk.locator[1], "W2ku\0\0\2\0\0\0\0\20\0\0\0\0\0\0\0\0\0\0\16\0", 24);
}

static void it_survives_decoding_and_encoding(void **state) {
        struct vhd_header_disk disk = fresh(), again;
        struct vhd_header header;
        struct err_note note;

        (void)state;
        disk.reserved = be32_put(0x01020304); /* not understood: kept */
        disk.rest[255] = 0x77;
        disk.parent_name[511] = 9;
        disk.locator[7] = (struct vhd_locator_disk){be32_put(0x61626364), be32_put(513), be32_put(7),
                                                    be32_put(8), be64_put(9)};
        seal(&disk);
        assert_ok(vhd_header_decode(&disk, &header, &note));
        assert_true(header.table_offset == 1536);
        assert_int_equal(header.max_bat_entries, 32);
        assert_true(header.block_size == VHD_BLOCK_SIZE);
        assert_int_equal(header.locator[2].code, VHD_LOCATOR_W2RU);
        assert_true(header.locator[2].offset == 4096);
        vhd_header_encode(&header, &again);
        assert_memory_equal(&again, &disk, sizeof disk);
        assert_ok(vhd_header_decode_span((struct span){(const uint8_t *)&disk, 1024}, &header, &note));
        assert_err(vhd_header_decode_span((struct span){(const uint8_t *)&disk, 1023}, &header, &note),
                   ERR_CUT_SHORT, "1023 bytes");
}

static void every_single_bit_error_is_refused(void **state) {
        (void)state;
        for (unsigned bit = 0; bit < VHD_HEADER_SIZE * 8; bit++) {
                struct vhd_header_disk disk = fresh();
                struct vhd_header header;
                struct err_note note;

                ((uint8_t *)&disk)[bit / 8] ^= (uint8_t)(1u << bit % 8);
                if (!vhd_header_decode(&disk, &header, &note))
                        fail_msg("bit %u of byte %u was flipped and nobody noticed", bit % 8, bit / 8);
                assert_int_equal(note.code, ERR_CORRUPT);
        }
}

/* One field changed, the checksum right. */
#define ROW(name, code, words, change)                                                                       \
        static void name(void **state) {                                                                     \
                struct vhd_header_disk disk = fresh();                                                       \
                struct vhd_header header;                                                                    \
                struct err_note note;                                                                        \
                                                                                                             \
                (void)state;                                                                                 \
                change;                                                                                      \
                seal(&disk);                                                                                 \
                assert_err(vhd_header_decode(&disk, &header, &note), (code), (words));                       \
        }

ROW(refuses_another_cookie, ERR_CORRUPT, "cookie is 0x6378737061727366", disk.cookie[7] = 'f')
ROW(refuses_another_data_offset, ERR_CORRUPT, "data offset is 0x0", disk.data_offset = be64_put(0))
ROW(refuses_another_version, ERR_UNSUPPORTED, "version is 0x00010001", disk.version = be32_put(0x10001))
ROW(refuses_a_table_between_sectors, ERR_CORRUPT, "table offset is 0x601", disk.table_offset = be64_put(1537))
ROW(refuses_a_table_over_the_footer_copy, ERR_CORRUPT, "table offset is 0x0", disk.table_offset = be64_put(0))
ROW(refuses_a_table_past_all_files, ERR_CORRUPT, "table offset is 0xfffffffffffffe00",
    disk.table_offset = be64_put(UINT64_MAX - 511))
ROW(refuses_a_table_without_entries, ERR_CORRUPT, "0 entries", disk.max_bat = be32_put(0))
ROW(refuses_smaller_blocks, ERR_UNSUPPORTED, "block size is 524288", disk.block_size = be32_put(524288))
ROW(refuses_larger_blocks, ERR_UNSUPPORTED, "block size is 4194304", disk.block_size = be32_put(4194304))
ROW(refuses_blocks_of_an_odd_size, ERR_CORRUPT, "block size is 2097153", disk.block_size = be32_put(2097153))
ROW(refuses_blocks_of_nothing, ERR_CORRUPT, "block size is 0", disk.block_size = be32_put(0))

static void a_dynamic_image_has_no_parent_fields(void **state) {
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_header_init(&header, 1536, 1);
        assert_ok(vhd_header_check_type(&header, VHD_DYNAMIC, &note));
        assert_err(vhd_header_check_type(&header, VHD_DIFFERENCING, &note), ERR_CORRUPT, "names no parent");
        header.parent_timestamp = 7;
        assert_err(vhd_header_check_type(&header, VHD_DYNAMIC, &note), ERR_CORRUPT, "parent time, 7");
        set_locators(&header);
        header.parent_timestamp = 0;
        assert_err(vhd_header_check_type(&header, VHD_DYNAMIC, &note), ERR_CORRUPT, "locators");
        assert_ok(vhd_header_check_type(&header, VHD_DIFFERENCING,
                                        &note)); /* a raw parent, found by its path */
        assert_true(vhd_header_has_raw_parent(&header, VHD_DIFFERENCING));
        assert_false(vhd_header_has_raw_parent(&header, VHD_DYNAMIC));
        assert_ok(vhd_header_set_parent(&header, &some_uuid, 7, "a", &note));
        assert_false(vhd_header_has_raw_parent(&header, VHD_DIFFERENCING));
        assert_err(vhd_header_check_type(&header, VHD_DYNAMIC, &note), ERR_CORRUPT,
                   "parent uuid, 01020304-0506-4708-890a-0b0c0d0e0f10");
        vhd_header_clear_parent(&header);
        assert_ok(vhd_header_check_type(&header, VHD_DYNAMIC, &note));
}

static void the_table_has_an_entry_for_each_block(void **state) {
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_header_init(&header, 1536, 2);
        assert_ok(vhd_header_check_size(&header, 2 * VHD_BLOCK_SIZE, &note));
        assert_err(vhd_header_check_size(&header, 2 * VHD_BLOCK_SIZE + 512, &note), ERR_CORRUPT, "needs 3");
}

static char *name_of(const struct vhd_header *header) {
        struct err_note note;
        char *name;

        assert_ok(vhd_header_name(header, &name, &note));
        return name;
}

static void names_go_in_and_come_out(void **state) {
        static const char *const names[] = {"b.vhd", "gr\xC3\xBC\xC3\x9F.vhd", "\xE6\xBC\xA2\xE5\xAD\x97.vhd",
                                            "\xF0\x9F\x92\xBE.vhd", "a b%20"};
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_header_init(&header, 1536, 1);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                AUTO_FREE char *name = NULL;

                assert_ok(vhd_header_set_parent(&header, &some_uuid, 0, names[i], &note));
                name = name_of(&header);
                assert_string_equal(name, names[i]);
        }
}

static void a_name_has_255_units_and_no_more(void **state) {
        struct vhd_header header, before;
        AUTO_FREE char *back = NULL;
        struct err_note note;
        char name[257];

        (void)state;
        vhd_header_init(&header, 1536, 1);
        memset(name, 'n', sizeof name);
        name[255] = '\0';
        assert_ok(vhd_header_set_parent(&header, &some_uuid, 0, name, &note));
        back = name_of(&header);
        assert_string_equal(back, name);
        before = header;
        name[255] = 'n';
        name[256] = '\0';
        assert_err(vhd_header_set_parent(&header, &some_uuid, 9, name, &note), ERR_TOO_LARGE,
                   "256 UTF-16 units");
        assert_err(vhd_header_set_parent(&header, &some_uuid, 9, "", &note), ERR_INVALID, "empty");
        assert_err(vhd_header_set_parent(&header, &some_uuid, 9, "\xFF", &note), ERR_INVALID, "not UTF-8");
        assert_memory_equal(&header, &before, sizeof header);
}

static void a_shorter_name_leaves_nothing_of_the_longer(void **state) {
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_header_init(&header, 1536, 1);
        assert_ok(vhd_header_set_parent(&header, &some_uuid, 0, "a-long-name.vhd", &note));
        assert_ok(vhd_header_set_parent(&header, &some_uuid, 0, "b", &note));
        assert_true(bytes_are_zero(header.parent_name + 2, sizeof header.parent_name - 2));
}

static void a_name_that_is_no_text_is_said(void **state) {
        struct vhd_header header;
        struct err_note note;
        char *name;

        (void)state;
        vhd_header_init(&header, 1536, 1);
        header.parent_name[0] = 0xDC;
        assert_err(vhd_header_name(&header, &name, &note), ERR_CORRUPT, "parent name: unit at 0");
        memset(header.parent_name, 'x', sizeof header.parent_name); /* 256 units, no zero behind */
        name = name_of(&header);
        assert_int_equal(strlen(name), 256 * 3);
        free(name);
}

static void locator_space_is_sectors_or_bytes(void **state) {
        struct vhd_locator locator = {.code = VHD_LOCATOR_MACX};
        uint64_t bytes = 1;

        (void)state;
        locator.space = 1;
        assert_true(vhd_locator_space(&locator, &bytes) && bytes == 512);
        locator.space = 511;
        assert_true(vhd_locator_space(&locator, &bytes) && bytes == 511 * 512);
        locator.space = 512;
        assert_true(vhd_locator_space(&locator, &bytes) && bytes == 512);
        locator.space = 1024;
        assert_true(vhd_locator_space(&locator, &bytes) && bytes == 1024);
        locator.space = 513;
        assert_false(vhd_locator_space(&locator, &bytes));
        locator.space = 0;
        assert_true(vhd_locator_space(&locator, &bytes) && bytes == 0);
}

static void each_rule_of_a_locator_is_checked(void **state) {
        static const struct {
                struct vhd_locator locator;
                enum err code;
                const char *words;
        } rows[] = {
                {{0, 0, 0, 0, 0}, ERR_NONE, ""},
                {{VHD_LOCATOR_MACX, 512, 512, 0, 512}, ERR_NONE, ""},
                {{VHD_LOCATOR_W2RU, 1, 27, 0, 1536}, ERR_NONE, ""},
                {{0, 512, 0, 0, 0}, ERR_CORRUPT, "not empty"},
                {{0, 0, 0, 1, 0}, ERR_CORRUPT, "not empty"},
                {{0x31323334, 512, 5, 0, 1536}, ERR_UNSUPPORTED, "0x31323334"},
                {{VHD_LOCATOR_W2KU, 700, 5, 0, 1536}, ERR_CORRUPT, "W2ku: space is 700"},
                {{VHD_LOCATOR_W2KU, 512, 513, 0, 1536}, ERR_CORRUPT, "length is 513, its space is 512"},
                {{VHD_LOCATOR_W2KU, 512, 5, 0, 0}, ERR_CORRUPT, "offset is 0x0"},
                {{VHD_LOCATOR_W2KU, 512, 5, 0, UINT64_MAX - 100}, ERR_CORRUPT, "no place"},
        };
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                note.text[0] = '\0';
                assert_err(vhd_locator_check(&rows[i].locator, &note), rows[i].code, rows[i].words);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fresh_header_is_what_tapdisk_writes),
                cmocka_unit_test(it_survives_decoding_and_encoding),
                cmocka_unit_test(every_single_bit_error_is_refused),
                cmocka_unit_test(refuses_another_cookie),
                cmocka_unit_test(refuses_another_data_offset),
                cmocka_unit_test(refuses_another_version),
                cmocka_unit_test(refuses_a_table_between_sectors),
                cmocka_unit_test(refuses_a_table_over_the_footer_copy),
                cmocka_unit_test(refuses_a_table_past_all_files),
                cmocka_unit_test(refuses_a_table_without_entries),
                cmocka_unit_test(refuses_smaller_blocks),
                cmocka_unit_test(refuses_larger_blocks),
                cmocka_unit_test(refuses_blocks_of_an_odd_size),
                cmocka_unit_test(refuses_blocks_of_nothing),
                cmocka_unit_test(a_dynamic_image_has_no_parent_fields),
                cmocka_unit_test(the_table_has_an_entry_for_each_block),
                cmocka_unit_test(names_go_in_and_come_out),
                cmocka_unit_test(a_name_has_255_units_and_no_more),
                cmocka_unit_test(a_shorter_name_leaves_nothing_of_the_longer),
                cmocka_unit_test(a_name_that_is_no_text_is_said),
                cmocka_unit_test(locator_space_is_sectors_or_bytes),
                cmocka_unit_test(each_rule_of_a_locator_is_checked),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
