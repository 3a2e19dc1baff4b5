// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

static const uint64_t size = 8 * MIB;

static enum err read_meta(struct io *io, unsigned flags, struct vhd_meta *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = kit_open(io, "a");

        return vhd_meta_read(file, flags, ret, note);
}

static void a_fresh_image_is_valid_in_all_parts(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.copy_state, VHD_PART_VALID);
        assert_int_equal(meta.end_state, VHD_PART_VALID);
        assert_int_equal(meta.footer.size_bytes, size);
        assert_int_equal(vhd_meta_blocks(&meta), 4);
        assert_int_equal(meta.end_footer_at, meta.file_size - 512);
        assert_true(meta.has_batmap);
}

static void a_fixed_image_whose_guest_forges_a_footer_stays_fixed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        uint8_t forged[1536];
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_FIXED, size, NULL);
        kit_create(io, "parent", VHD_DYNAMIC, size, NULL);
        kit_create(io, "child", VHD_DIFFERENCING, size, "parent");
        kit_read_at(io, "child", forged, sizeof forged, 0);
        kit_write_at(io, "a", forged, sizeof forged, 0);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.type, VHD_FIXED);
        assert_int_equal(meta.copy_state, VHD_PART_VALID);
        assert_int_equal(meta.end_footer_at, size);
}

static void a_footer_at_the_end_that_is_not_ours_is_guest_data(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_footer_disk forged;
        struct vhd_meta meta;
        uint64_t end;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        kit_create(io, "b", VHD_DYNAMIC, 2 * size, NULL);
        kit_put_block(io, "a", 0, 0, 4096, 1);
        end = kit_size(io, "a") - 512;
        /* A crash of a tool that wrote the block over the footer: the file ends with the block. */
        kit_read_at(io, "b", &forged, sizeof forged, 0);
        kit_write_at(io, "a", &forged, sizeof forged, end - 512);
        kit_truncate(io, "a", end);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.size_bytes, size);
        assert_int_equal(meta.end_state, VHD_PART_DAMAGED);
        assert_non_null(strstr(meta.end_note.text, "uuid"));
        assert_int_equal(meta.end_footer_at, end); /* not over the guest's data */
}

static void where_both_match_but_differ_the_end_counts(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_footer_disk disk;
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        meta = kit_meta(io, "a");
        meta.footer.is_hidden = true;
        vhd_footer_encode(&meta.footer, &disk);
        kit_write_at(io, "a", &disk, sizeof disk, meta.end_footer_at);
        meta = kit_meta(io, "a");
        assert_true(meta.footer.is_hidden);
        assert_int_equal(meta.copy_state, VHD_PART_DIFFERS);
        assert_int_equal(meta.end_state, VHD_PART_VALID);
}

static void a_damaged_copy_is_refused_unless_repair_is_asked_for(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        kit_flip(io, "a", 100);
        assert_err(read_meta(io, 0, &meta, &note), ERR_CORRUPT, "repair restores the copy");
        assert_ok(read_meta(io, VHD_META_REPAIR, &meta, &note));
        assert_int_equal(meta.copy_state, VHD_PART_DAMAGED);
        assert_int_equal(meta.footer.size_bytes, size);
        kit_flip(io, "a", kit_size(io, "a") - 100);
        assert_err(read_meta(io, VHD_META_REPAIR, &meta, &note), ERR_CORRUPT, "not a VHD");
}

static void a_damaged_footer_at_the_end_is_no_reason_to_refuse(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        kit_flip(io, "a", kit_size(io, "a") - 400);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.end_state, VHD_PART_DAMAGED);
        assert_int_equal(meta.end_footer_at, kit_size(io, "a") - 512);
        kit_truncate(io, "a", kit_size(io, "a") - 512);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.end_footer_at, kit_size(io, "a"));
}

static void a_footer_of_511_bytes_is_accepted(void **state) {
        static const enum vhd_type types[] = {VHD_FIXED, VHD_DYNAMIC};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct vhd_meta meta;

                kit_create(io, "a", types[i], size, NULL);
                kit_truncate(io, "a", kit_size(io, "a") - 1);
                meta = kit_meta(io, "a");
                assert_int_equal(meta.footer.type, types[i]);
                assert_int_equal(meta.end_state, VHD_PART_VALID);
                assert_true(meta.end_is_old);
                assert_int_equal(meta.end_footer_at, kit_size(io, "a") - 511);
        }
}

static void poison_is_read_from_either_footer(void **state) {
        static const uint64_t back[] = {0, 512};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct vhd_footer_disk disk;
                struct vhd_meta meta;

                kit_create(io, "a", VHD_DYNAMIC, size, NULL);
                meta = kit_meta(io, "a");
                meta.footer.is_poisoned = true;
                vhd_footer_encode(&meta.footer, &disk);
                kit_write_at(io, "a", &disk, sizeof disk, back[i] ? kit_size(io, "a") - back[i] : 0);
                assert_true(kit_meta(io, "a").footer.is_poisoned);
        }
}

static void what_is_no_vhd_is_refused_with_a_reason(void **state) {
        static const uint64_t sizes[] = {0, 1, 510, 511, 512, 1023, 1024, 4096};

        (void)state;
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct err_note note = {0};
                struct vhd_meta meta;

                kit_create(io, "a", VHD_DYNAMIC, size, NULL);
                kit_truncate(io, "a", 0);
                kit_truncate(io, "a", sizes[i]);
                assert_err(read_meta(io, 0, &meta, &note), ERR_CORRUPT, "not a VHD");
        }
}

static void a_header_past_the_end_or_a_short_bat_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        meta = kit_meta(io, "a");
        meta.footer.data_offset = 1 * GIB;
        kit_write_footers(io, "a", &meta);
        assert_err(read_meta(io, 0, &meta, &note), ERR_CORRUPT, "past the end");
        meta.footer.data_offset = 512;
        meta.footer.size_bytes = 2 * size;
        kit_write_footers(io, "a", &meta);
        assert_err(read_meta(io, 0, &meta, &note), ERR_CORRUPT, "table has 4 entries");
}

static void a_batmap_that_does_not_fit_is_none_and_says_why(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_batmap_disk disk;
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.batmap_note.code, ERR_NONE);
        meta.batmap.map_offset = 1 * GIB;
        vhd_batmap_encode(&meta.batmap, &disk);
        kit_write_at(io, "a", &disk, sizeof disk, meta.batmap_header_at);
        meta = kit_meta(io, "a");
        assert_false(meta.has_batmap);
        assert_int_equal(meta.batmap_note.code, ERR_CORRUPT);
        kit_flip(io, "a", meta.batmap_header_at);
        meta = kit_meta(io, "a");
        assert_false(meta.has_batmap);
        assert_non_null(strstr(meta.batmap_note.text, "cookie"));
}

static void a_batmap_is_checked_against_its_checksum(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;
        uint8_t map[512];

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        kit_put_block(io, "a", 1, 0, 4096, 1);
        meta = kit_meta(io, "a");
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_meta_read_batmap(file, &meta, map, 4, &note));
        assert_int_equal(map[0], 0x40);
        kit_flip(io, "a", meta.batmap.map_offset + 7);
        assert_err(vhd_meta_read_batmap(file, &meta, map, 4, &note), ERR_CORRUPT, "checksum");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fresh_image_is_valid_in_all_parts),
                cmocka_unit_test(a_fixed_image_whose_guest_forges_a_footer_stays_fixed),
                cmocka_unit_test(a_footer_at_the_end_that_is_not_ours_is_guest_data),
                cmocka_unit_test(where_both_match_but_differ_the_end_counts),
                cmocka_unit_test(a_damaged_copy_is_refused_unless_repair_is_asked_for),
                cmocka_unit_test(a_damaged_footer_at_the_end_is_no_reason_to_refuse),
                cmocka_unit_test(a_footer_of_511_bytes_is_accepted),
                cmocka_unit_test(poison_is_read_from_either_footer),
                cmocka_unit_test(what_is_no_vhd_is_refused_with_a_reason),
                cmocka_unit_test(a_header_past_the_end_or_a_short_bat_is_refused),
                cmocka_unit_test(a_batmap_that_does_not_fit_is_none_and_says_why),
                cmocka_unit_test(a_batmap_is_checked_against_its_checksum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
