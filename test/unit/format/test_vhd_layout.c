// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd_batmap.h"
#include "vhd_layout.h"

/* Measured: what vhd-util makes of these sizes. */
static void an_empty_file_is_as_long_as_vhd_util_makes_it(void **state) {
        static const struct {
                uint64_t size, file;
        } rows[] = {
                {64 * MIB, 3584}, {1000 * MIB, 5120}, {4 * GIB, 11264},
                {8 * GIB, 19456}, {32 * GIB, 70144},  {2040 * GIB, 4311040},
        };
        struct vhd_layout l;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                vhd_layout_init(&l, VHD_DYNAMIC, rows[i].size, vhd_blocks_of(rows[i].size), NULL);
                assert_true(l.footer_at + VHD_FOOTER_SIZE == rows[i].file);
                vhd_layout_init(&l, VHD_DIFFERENCING, rows[i].size, vhd_blocks_of(rows[i].size), NULL);
                assert_true(l.footer_at + VHD_FOOTER_SIZE == rows[i].file + 3 * 512);
        }
        vhd_layout_init(&l, VHD_DYNAMIC, 64 * MIB, VHD_MAX_BLOCKS, NULL); /* metadata for 2 TiB */
        assert_true(l.footer_at + VHD_FOOTER_SIZE == 4311040);
        vhd_layout_init(&l, VHD_FIXED, 4 * MIB, 0, NULL);
        assert_true(l.footer_at == 4 * MIB);
}

static void an_image_of_4_gib_lies_as_measured(void **state) {
        static const size_t payloads[] = {14, 14, 14};
        struct vhd_layout l;

        (void)state;
        vhd_layout_init(&l, VHD_DYNAMIC, 4 * GIB, 2048, NULL);
        assert_true(l.first_block_sector == 23);
        assert_int_equal(l.n_locators, 0);
        vhd_layout_init(&l, VHD_DIFFERENCING, 4 * GIB, 2048, payloads);
        assert_true(l.bat_at == 1536 && l.batmap_header_at == 9728 && l.batmap_at == 10240);
        assert_true(l.locator_at[0] == 10752 && l.locator_at[1] == 11264 && l.locator_at[2] == 11776);
        assert_true(l.headers_end == 12288);
        assert_true(l.first_block_sector == 31);
        assert_true(vhd_block_data_at((uint32_t)l.first_block_sector) == 16384);
        assert_true(vhd_block_data_at((uint32_t)vhd_slot_sector(l.first_block_sector, 1)) == 2117632);
}

static void a_long_path_gets_more_room(void **state) {
        static const size_t payloads[] = {513, 0, 1024};
        struct vhd_layout l;

        (void)state;
        vhd_layout_init(&l, VHD_DIFFERENCING, 64 * MIB, 32, payloads);
        assert_true(l.locator_space[0] == 1024 && l.locator_space[1] == 512 && l.locator_space[2] == 1024);
        assert_true(l.locator_at[1] == l.locator_at[0] + 1024 && l.headers_end == l.locator_at[2] + 1024);
}

static void slots_begin_a_page_and_follow_one_another(void **state) {
        uint64_t k = 99;

        (void)state;
        assert_true(vhd_slot_align(0) == 7 && vhd_slot_align(7) == 7 && vhd_slot_align(8) == 15);
        for (uint64_t sector = 0; sector < 64; sector++) {
                uint64_t slot = vhd_slot_align(sector);

                assert_true(slot >= sector && slot - sector < 8 && (slot + 1) % 8 == 0);
        }
        assert_true(vhd_slot_sector(7, 0) == 7 && vhd_slot_sector(7, 3) == 12319);
        /* What follows a block, aligned, is the next slot: appending and slots agree. */
        assert_true(vhd_slot_align(vhd_block_end(7) / 512) == vhd_slot_sector(7, 1));
        assert_true(vhd_slot_of(7, 12319, &k) && k == 3);
        assert_false(vhd_slot_of(7, 12320, &k));
        assert_false(vhd_slot_of(7, 6, &k));
        assert_int_equal(k, 3);
}

static void the_largest_image_has_a_sector_for_each_block(void **state) {
        struct vhd_layout l;

        (void)state;
        vhd_layout_init(&l, VHD_DIFFERENCING, VHD_MAX_SIZE, VHD_MAX_BLOCKS, NULL);
        assert_true(vhd_slot_sector(l.first_block_sector, VHD_MAX_BLOCKS - 1) < VHD_BAT_UNUSED);
}

static void what_no_block_may_touch_is_listed(void **state) {
        const struct uuid uuid = {{1}};
        struct vhd_reserved r;
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_footer_init(&footer, VHD_DIFFERENCING, 64 * MIB, &uuid, 0);
        vhd_header_init(&header, 2048, 32);
        header.locator[0] = (struct vhd_locator){VHD_LOCATOR_MACX, 1, 27, 0, 1536};   /* in sectors */
        header.locator[1] = (struct vhd_locator){VHD_LOCATOR_W2RU, 513, 27, 0, 8192}; /* broken: left out */
        header.locator[2] =
                (struct vhd_locator){VHD_LOCATOR_W2KU, 1024, 27, 0, 1 * MIB}; /* behind blocks, perhaps */
        assert_ok(vhd_reserved_of(&footer, &header, false, 0, 0, &r, &note));
        assert_int_equal(r.n, 5);
        assert_true(r.end == 1 * MIB + 1024);
        for (unsigned i = 1; i < r.n; i++)
                assert_true(r.extent[i].at > r.extent[i - 1].at);
        assert_string_equal(vhd_reserved_hit(&r, 0, 1)->what, "footer copy");
        assert_string_equal(vhd_reserved_hit(&r, 1535, 10)->what, "header");
        assert_string_equal(vhd_reserved_hit(&r, 1536, 1)->what, "parent locator");
        assert_string_equal(vhd_reserved_hit(&r, 2559, 1)->what, "BAT");
        assert_null(vhd_reserved_hit(&r, 2560, 1 * MIB - 2560));
        assert_string_equal(vhd_reserved_hit(&r, 2560, 1 * MIB - 2559)->what, "parent locator");
        assert_null(vhd_reserved_hit(&r, 8192, 512));
        assert_null(vhd_reserved_hit(&r, UINT64_MAX - 1, UINT64_MAX));
        assert_null(vhd_reserved_hit(&r, 0, 0));
}

static void parts_that_lie_upon_each_other_are_told(void **state) {
        const struct uuid uuid = {{1}};
        struct vhd_reserved r;
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;

        (void)state;
        vhd_footer_init(&footer, VHD_DYNAMIC, 64 * MIB, &uuid, 0);
        vhd_header_init(&header, 1024, 32);
        assert_err(vhd_reserved_of(&footer, &header, false, 0, 0, &r, &note), ERR_CORRUPT,
                   "header (1024 bytes at 512) and BAT (512 at 1024)");
        assert_int_equal(r.n, 3); /* filled all the same */
        header.table_offset = 1536;
        assert_ok(vhd_reserved_of(&footer, &header, true, 2560, 512, &r, &note));
        assert_err(vhd_reserved_of(&footer, &header, true, 2048, 512, &r, &note), ERR_CORRUPT, "batmap");
}

static void the_batmap_lies_behind_the_whole_table(void **state) {
        struct vhd_header header;

        (void)state;
        vhd_header_init(&header, 1536, 501);
        assert_true(vhd_batmap_header_at(&header) == 3584);
        assert_true(vhd_bat_size(1) == 512 && vhd_bat_size(128) == 512 && vhd_bat_size(129) == 1024);
        assert_true(vhd_bat_size(VHD_MAX_BLOCKS) == 4177920);
        assert_true(vhd_batmap_size(1) == 512 && vhd_batmap_size(4096) == 512 &&
                    vhd_batmap_size(4097) == 1024);
        header.max_bat_entries = UINT32_MAX;
        assert_true(vhd_batmap_header_at(&header) == 1536 + 4 * GIB * 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_empty_file_is_as_long_as_vhd_util_makes_it),
                cmocka_unit_test(an_image_of_4_gib_lies_as_measured),
                cmocka_unit_test(a_long_path_gets_more_room),
                cmocka_unit_test(slots_begin_a_page_and_follow_one_another),
                cmocka_unit_test(the_largest_image_has_a_sector_for_each_block),
                cmocka_unit_test(what_no_block_may_touch_is_listed),
                cmocka_unit_test(parts_that_lie_upon_each_other_are_told),
                cmocka_unit_test(the_batmap_lies_behind_the_whole_table),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
