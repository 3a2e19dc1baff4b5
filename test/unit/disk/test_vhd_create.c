// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

/* Sizes that XenServer's vhd-util gives to empty images. */
static void empty_images_have_the_sizes_that_vhd_util_gives_them(void **state) {
        static const struct {
                uint64_t size, file;
        } table[] = {{64 * MIB, 3584}, {1000 * MIB, 5120}, {4 * GIB, 11264},
                     {8 * GIB, 19456}, {32 * GIB, 70144},  {2040 * GIB, 4311040}};

        (void)state;
        for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);

                kit_create(io, "a", VHD_DYNAMIC, table[i].size, NULL);
                assert_int_equal(kit_size(io, "a"), table[i].file);
                kit_create(io, "b", VHD_DIFFERENCING, table[i].size, "a");
                assert_int_equal(kit_size(io, "b"), table[i].file + 1536);
        }
}

static void a_dynamic_image_has_two_equal_footers_and_nothing_allocated(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE uint32_t *bat = mem_zero(32 * 4);
        uint8_t first[512], last[512];
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 64 * MIB, NULL);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.type, VHD_DYNAMIC);
        assert_int_equal(meta.footer.creator_version, 0x00010003);
        assert_false(meta.footer.is_hidden);
        assert_false(uuid_is_null(&meta.footer.uuid));
        assert_true(meta.has_batmap);
        assert_int_equal(meta.header.max_bat_entries, 32);
        kit_read_at(io, "a", first, 512, 0);
        kit_read_at(io, "a", last, 512, meta.end_footer_at);
        assert_memory_equal(first, last, 512);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_meta_read_bat(file, &meta, bat, 32, &note));
        assert_int_equal(vhd_bat_count(bat, 32), 0);
        uint8_t map[512];
        assert_ok(vhd_meta_read_batmap(file, &meta, map, 32, &note));
        assert_true(bytes_are_zero(map, 512));
}

static void a_fixed_image_is_sparse_data_and_a_footer(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_stat stat;
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "a", VHD_FIXED, 1 * GIB + 100, NULL);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.size_bytes, 1 * GIB + 512);
        assert_int_equal(meta.footer.data_offset, UINT64_MAX);
        assert_int_equal(kit_size(io, "a"), 1 * GIB + 1024);
        assert_ok(io_stat_path(io, "a", &stat, &note));
        assert_true(stat.allocated < 64 * KIB);
}

static void a_child_names_its_parent_three_times(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta parent, child;
        AUTO_FREE char *name = NULL;

        (void)state;
        kit_create(io, "b.vhd", VHD_DYNAMIC, 4 * GIB, NULL);
        kit_create(io, "s.vhd", VHD_DIFFERENCING, 4 * GIB, "b.vhd");
        parent = kit_meta(io, "b.vhd");
        child = kit_meta(io, "s.vhd");
        assert_true(uuid_equal(&child.header.parent_uuid, &parent.footer.uuid));
        assert_ok(vhd_header_name(&child.header, &name, &note));
        assert_string_equal(name, "b.vhd");
        assert_int_equal(vhd_time_to_unix(child.header.parent_timestamp), 1600000000);
        AUTO(io_close) struct io_file *file = kit_open(io, "s.vhd");
        for (unsigned i = 0; i < 3; i++) {
                const struct vhd_locator *locator = &child.header.locator[i];
                AUTO(buf_fini) struct buf payload = {0};
                AUTO_FREE char *path = NULL;

                assert_int_equal(locator->code, vhd_locator_order[i]);
                assert_int_equal(locator->offset, 10752 + 512 * i);
                assert_int_equal(locator->space, 512);
                assert_int_equal(locator->length, i == 0 ? 14 : 14);
                assert_ok(vhd_meta_read_payload(file, &child, locator, &payload, &note));
                assert_ok(vhd_locator_decode(locator, (struct span){payload.data, payload.n}, &path, &note));
                assert_string_equal(path, "b.vhd");
        }
}

static void a_raw_parent_has_no_uuid(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct vhd_parent parent = {.path = "p.raw", .is_raw = true};
        struct vhd_create_options options = {.type = VHD_DIFFERENCING, .size = 8 * MIB, .parent = &parent};
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        assert_ok(vhd_create(io, "a", &options, NULL, &note));
        meta = kit_meta(io, "a");
        assert_true(vhd_header_has_raw_parent(&meta.header, meta.footer.type));
        parent.is_raw = false;
        assert_err(vhd_create(io, "b", &options, NULL, &note), ERR_INVALID, "has no uuid");
}

static void a_long_path_gets_the_space_it_needs(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        char folder[200], path[420];
        struct vhd_meta meta;

        (void)state;
        memset(folder, 'x', sizeof folder);
        folder[0] = '/';
        folder[199] = '\0';
        assert_ok(io_make_dir(io, folder, &note));
        (void)snprintf(path, sizeof path, "%s/%.100s", folder, folder + 1);
        kit_create(io, path, VHD_DYNAMIC, 8 * MIB, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, 8 * MIB, path);
        meta = kit_meta(io, "a");
        assert_int_equal(meta.header.locator[0].space, 512);
        assert_int_equal(meta.header.locator[1].space, 1024);
        assert_int_equal(meta.header.locator[2].offset, meta.header.locator[1].offset + 1024);
}

static void room_for_makes_a_larger_table(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct uuid uuid, want = {{1, 2, 3}};
        struct vhd_meta meta;

        (void)state;
        assert_ok(vhd_create(io, "a",
                             &(struct vhd_create_options){.type = VHD_DYNAMIC,
                                                          .size = 5 * MIB + 1,
                                                          .room_for = 2 * TIB - 8 * GIB,
                                                          .uuid = want,
                                                          .is_hidden = true},
                             &uuid, &note));
        meta = kit_meta(io, "a");
        assert_int_equal(meta.footer.size_bytes, 5 * MIB + 512);
        assert_int_equal(meta.header.max_bat_entries, VHD_MAX_BLOCKS);
        assert_true(meta.footer.is_hidden);
        assert_true(uuid_equal(&uuid, &want) && uuid_equal(&meta.footer.uuid, &want));
}

static void a_snapshot_of_2040_gib_costs_less_than_10_mib(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct io_sim_traffic traffic;
        struct io_stat stat;
        struct err_note note = {0};

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, 2040 * GIB, NULL);
        kit_create(io, "b", VHD_DIFFERENCING, 2040 * GIB, "a");
        traffic = io_sim_file_traffic(io, "b");
        assert_true(traffic.bytes_written + traffic.bytes_read < 10 * MIB);
        assert_true(traffic.writes <= 8);
        assert_int_equal(traffic.syncs, 2);
        assert_ok(io_stat_path(io, "b", &stat, &note));
        assert_true(stat.allocated >= stat.size); /* no flush will need space for any of it */
}

static void what_cannot_be_made_leaves_nothing_behind(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 1 * MIB);
        struct vhd_create_options options = {.type = VHD_DYNAMIC};
        struct err_note note = {0};
        struct io_stat stat;

        (void)state;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_INVALID, "0 bytes");
        options.size = VHD_MAX_SIZE + 1;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_TOO_LARGE, "2040 GiB");
        options.size = UINT64_MAX;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_TOO_LARGE, "2040 GiB");
        options.size = VHD_MAX_SIZE;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_NO_SPACE, "create a");
        options.type = VHD_DIFFERENCING;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_INVALID, "needs a parent");
        assert_err(io_stat_path(io, "a", &stat, &note), ERR_NOT_FOUND, "");
        kit_create(io, "a", VHD_DYNAMIC, 8 * MIB, NULL);
        options.type = VHD_DYNAMIC;
        assert_err(vhd_create(io, "a", &options, NULL, &note), ERR_EXISTS, "create a");
        (void)kit_meta(io, "a"); /* what was there stays */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_images_have_the_sizes_that_vhd_util_gives_them),
                cmocka_unit_test(a_dynamic_image_has_two_equal_footers_and_nothing_allocated),
                cmocka_unit_test(a_fixed_image_is_sparse_data_and_a_footer),
                cmocka_unit_test(a_child_names_its_parent_three_times),
                cmocka_unit_test(a_raw_parent_has_no_uuid),
                cmocka_unit_test(a_long_path_gets_the_space_it_needs),
                cmocka_unit_test(room_for_makes_a_larger_table),
                cmocka_unit_test(a_snapshot_of_2040_gib_costs_less_than_10_mib),
                cmocka_unit_test(what_cannot_be_made_leaves_nothing_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
