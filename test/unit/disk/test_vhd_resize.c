// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "vhd_check.h"
#include "vhd_resize.h"

static void expect_clean(struct io *io, const char *path) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        assert_ok(vhd_check(io, path, VHD_CHECK_BITMAPS, &found, &note));
        for (size_t i = 0; i < found.list.n; i++)
                print_error("%s: %s\n", found.list.data[i].part, found.list.data[i].text);
        assert_int_equal(found.n_errors + found.n_warnings, 0);
}

static enum err resize(struct io *io, const char *path, uint64_t size, struct err_note *note) {
        AUTO(buf_fini) struct buf plan = {0};
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        if (vhd_resize_plan(file, size, &plan, note) || vhd_resize_apply(file, &plan, note))
                return note->code;
        return ERR_NONE;
}

static void where_the_table_has_room_only_footers_change(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_sim_traffic before, after;
        struct vhd_meta meta;
        uint64_t file_size;

        (void)state;
        assert_ok(vhd_create(io, "a",
                             &(struct vhd_create_options){
                                     .type = VHD_DYNAMIC, .size = 8 * MIB, .room_for = 2 * TIB - 8 * GIB},
                             NULL, &note));
        kit_put_block(io, "a", 3, 0, 4096, 3);
        file_size = kit_size(io, "a");
        before = io_sim_file_traffic(io, "a");
        assert_ok(resize(io, "a", 1 * TIB, &note));
        after = io_sim_file_traffic(io, "a");
        assert_int_equal(after.bytes_written - before.bytes_written, 1024);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.size_bytes, 1 * TIB);
        assert_int_equal(meta.footer.original_size_bytes, 8 * MIB);
        assert_int_equal(kit_size(io, "a"), file_size);
        kit_expect_block(io, "a", 3, 0, 4096, 3);
        expect_clean(io, "a");
}

static void a_table_whose_last_sector_has_room_stays_where_it_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;
        uint32_t entry;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 8 * MIB, NULL);
        kit_put_block(io, "a", 0, 0, 4096, 3);
        entry = kit_bat(io, "a", 0);
        assert_ok(resize(io, "a", 256 * MIB, &note));
        meta = kit_meta(io, "a");
        assert_int_equal(meta.header.max_bat_entries, 128);
        assert_int_equal(meta.header.table_offset, 1536);
        assert_int_equal(kit_bat(io, "a", 0), entry);
        expect_clean(io, "a");
}

/* From 4 blocks to as many as a VHD can have, by way of every table size. */
static void a_larger_table_moves_the_blocks_in_its_way(void **state) {
        static const uint64_t sizes[] = {256 * MIB, 257 * MIB, 1 * GIB, 100 * GIB, 1 * TIB, 2040 * GIB};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;
        uint32_t first;

        (void)state;
        kit_create(io, "p", VHD_DYNAMIC, 8 * MIB, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, 8 * MIB, "p");
        kit_put_block(io, "a", 2, 0, 4096, 2);
        kit_put_block(io, "a", 0, 5, 7, 0);
        kit_put_block(io, "a", 3, 4000, 96, 3);
        first = kit_bat(io, "a", 2);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                assert_ok(resize(io, "a", sizes[i], &note));
                meta = kit_meta(io, "a");
                assert_int_equal(meta.footer.size_bytes, sizes[i]);
                assert_int_equal(meta.copy_state, VHD_PART_VALID);
                assert_true(meta.header.max_bat_entries >= sizes[i] / VHD_BLOCK_SIZE);
                kit_expect_block(io, "a", 2, 0, 4096, 2);
                kit_expect_block(io, "a", 0, 5, 7, 0);
                kit_expect_block(io, "a", 3, 4000, 96, 3);
                assert_true(is_multiple(kit_bat(io, "a", 2) + 1, 8));
                expect_clean(io, "a");
        }
        assert_int_not_equal(kit_bat(io, "a", 2), first);
        /* No block lies before the end of the tables: other tools would refuse that. */
        for (unsigned i = 0; i < 4; i++)
                if (kit_bat(io, "a", i) != VHD_BAT_UNUSED)
                        assert_true((uint64_t)kit_bat(io, "a", i) * 512 >=
                                    meta.batmap.map_offset + meta.batmap.map_size_bytes);
        kit_put_block(io, "a", VHD_MAX_BLOCKS - 1, 0, 4096, 9);
        expect_clean(io, "a");
}

static void what_the_last_block_held_past_the_old_end_reads_as_zeros(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 9 * MIB, NULL);
        kit_put_block(io, "a", 4, 0, 4096, 4); /* qemu sets whole bitmaps */
        assert_ok(resize(io, "a", 20 * MIB, &note));
        kit_expect_block(io, "a", 4, 0, 2048, 4);
        expect_clean(io, "a");
}

static void entries_behind_the_old_end_do_not_come_to_life(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        assert_ok(vhd_create(
                io, "a",
                &(struct vhd_create_options){.type = VHD_DYNAMIC, .size = 8 * MIB, .room_for = 64 * MIB},
                NULL, &note));
        kit_put_block(io, "a", 0, 0, 4096, 4);
        kit_set_bat(io, "a", 7, kit_bat(io, "a", 0));
        kit_set_batmap(io, "a", 7, true);
        assert_ok(resize(io, "a", 64 * MIB, &note));
        assert_int_equal(kit_bat(io, "a", 7), VHD_BAT_UNUSED);
        expect_clean(io, "a");
}

/* libvhd's checksum of a batmap leaves out the last bytes at some sizes, and takes them in at larger ones. */
static void a_batmap_bit_that_the_checksum_left_out_does_not_spoil_it(void **state) {
        const uint32_t last = (uint32_t)(8 * GIB / VHD_BLOCK_SIZE);

        (void)state;
        for (int has_room = 0; has_room < 2; has_room++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = 8 * GIB + VHD_BLOCK_SIZE};
                struct err_note note = {0};

                options.room_for = has_room ? 16 * GIB : 0;
                assert_ok(vhd_create(io, "a", &options, NULL, &note));
                kit_put_block(io, "a", last, 0, 4096, 3);
                assert_ok(resize(io, "a", 16 * GIB, &note));
                expect_clean(io, "a");
                kit_expect_block(io, "a", last, 0, 4096, 3);
        }
}

/* As a crash between map and checksum leaves it: a hint that says nothing must not keep a disk from growing.
 * */
static void a_torn_batmap_does_not_keep_a_disk_from_growing(void **state) {
        (void)state;
        for (int has_room = 0; has_room < 2; has_room++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = 9 * MIB};
                struct err_note note = {0};

                options.room_for = has_room ? 64 * MIB : 0;
                assert_ok(vhd_create(io, "a", &options, NULL, &note));
                kit_put_block(io, "a", 1, 0, 100, 4);
                kit_write_at(io, "a", "\xff", 1, kit_meta(io, "a").batmap.map_offset);
                assert_ok(resize(io, "a", 64 * MIB, &note));
                kit_expect_block(io, "a", 1, 0, 100, 4);
                expect_clean(io, "a");
        }
}

static void a_fixed_image_grows_at_its_end(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        uint8_t sector[512];

        (void)state;
        for (unsigned old = 0; old < 2; old++) {
                const char *path = old ? "b" : "a";

                kit_create(io, path, VHD_FIXED, 8 * MIB, NULL);
                kit_write_at(io, path, "guest", 5, 8 * MIB - 5);
                if (old)
                        kit_truncate(io, path, kit_size(io, path) - 1);
                assert_ok(resize(io, path, 8 * MIB, &note));
                assert_ok(resize(io, path, 8 * MIB + 512, &note));
                kit_read_at(io, path, sector, 512, 8 * MIB);
                assert_true(bytes_are_zero(sector, 512));
                assert_ok(resize(io, path, 1 * GIB, &note));
                assert_int_equal(kit_size(io, path), 1 * GIB + 512);
                assert_int_equal(kit_meta(io, path).footer.size_bytes, 1 * GIB);
                kit_read_at(io, path, sector, 512, 8 * MIB + 512);
                assert_true(bytes_are_zero(sector, 512));
                kit_read_at(io, path, sector, 512, 8 * MIB - 512);
                assert_memory_equal(sector + 507, "guest", 5);
                expect_clean(io, path);
        }
}

static void what_cannot_be_done_changes_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf plan = {0};
        struct err_note note = {0};
        struct io_sim_traffic before;
        uint64_t size;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 8 * MIB, NULL);
        kit_create(io, "b", VHD_DYNAMIC, 8 * MIB, NULL);
        kit_put_block(io, "a", 1, 0, 10, 4);
        AUTO(io_close) struct io_file *a = kit_open(io, "a");
        AUTO(io_close) struct io_file *b = kit_open(io, "b");
        before = io_sim_traffic(io);
        assert_err(vhd_resize_plan(a, 8 * MIB - 512, &plan, &note), ERR_INVALID, "can only grow");
        assert_err(vhd_resize_plan(a, VHD_MAX_SIZE + 1, &plan, &note), ERR_TOO_LARGE, "2040 GiB");
        assert_err(vhd_resize_apply(a, &plan, &note), ERR_CORRUPT, "plan");
        assert_ok(vhd_resize_plan(a, 1 * GIB, &plan, &note));
        assert_err(vhd_resize_apply(b, &plan, &note), ERR_MISMATCH, "is for the image");
        assert_err(vhd_resize_recover(b, &plan, &size, &note), ERR_MISMATCH, "is for the image");
        plan.data[20] ^= 1;
        assert_err(vhd_resize_apply(a, &plan, &note), ERR_CORRUPT, "damaged");
        assert_int_equal(io_sim_traffic(io).writes, before.writes);
        kit_set_bat(io, "a", 2, kit_bat(io, "a", 1));
        assert_err(vhd_resize_plan(a, 1 * GIB, &plan, &note), ERR_CORRUPT, "upon each other");
}

static void without_space_the_image_stays_as_it_was(void **state) {
        (void)state;
        for (uint64_t space = 0; space < 6 * MIB; space += 700 * KIB) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct err_note note = {0};
                struct io_stat stat;
                enum err err;

                kit_create(io, "a", VHD_DYNAMIC, 8 * MIB, NULL);
                kit_put_block(io, "a", 1, 0, 4096, 4);
                kit_put_block(io, "a", 0, 0, 4096, 5);
                assert_ok(io_stat_path(io, "a", &stat, &note));
                io_sim_resize(io, stat.allocated + 64 * KIB + space);
                err = resize(io, "a", 1 * TIB, &note);
                assert_true(err == ERR_NONE || err == ERR_NO_SPACE);
                assert_true(err == ERR_NO_SPACE || space > 2 * MIB);
                assert_int_equal(kit_meta(io, "a").footer.size_bytes, err ? 8 * MIB : 1 * TIB);
                kit_expect_block(io, "a", 1, 0, 4096, 4);
                kit_expect_block(io, "a", 0, 0, 4096, 5);
                expect_clean(io, "a");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(where_the_table_has_room_only_footers_change),
                cmocka_unit_test(a_table_whose_last_sector_has_room_stays_where_it_is),
                cmocka_unit_test(a_larger_table_moves_the_blocks_in_its_way),
                cmocka_unit_test(what_the_last_block_held_past_the_old_end_reads_as_zeros),
                cmocka_unit_test(entries_behind_the_old_end_do_not_come_to_life),
                cmocka_unit_test(a_batmap_bit_that_the_checksum_left_out_does_not_spoil_it),
                cmocka_unit_test(a_torn_batmap_does_not_keep_a_disk_from_growing),
                cmocka_unit_test(a_fixed_image_grows_at_its_end),
                cmocka_unit_test(what_cannot_be_done_changes_nothing),
                cmocka_unit_test(without_space_the_image_stays_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
