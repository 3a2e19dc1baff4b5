// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "vhd_check.h"

static const uint64_t size = 8 * MIB;

/* All of the file's names for its parent, which agree. */
static void expect_parent(struct io *io, const char *path, const char *want_path, const char *want_name) {
        struct err_note note = {0};
        struct vhd_meta meta = kit_meta(io, path);
        AUTO_FREE char *name = NULL;
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        assert_false(meta.is_header_torn);
        assert_ok(vhd_header_name(&meta.header, &name, &note));
        assert_string_equal(name, want_name);
        for (unsigned i = 0; i < 3; i++) {
                const struct vhd_locator *locator = &meta.header.locator[i];
                AUTO(buf_fini) struct buf payload = {0};
                AUTO_FREE char *got = NULL;

                assert_ok(vhd_meta_read_payload(file, &meta, locator, &payload, &note));
                assert_ok(vhd_locator_decode(locator, (struct span){payload.data, payload.n}, &got, &note));
                assert_string_equal(got, want_path);
        }
}

static enum err set_parent(struct io *io, const char *path, const char *parent_path, struct err_note *note) {
        struct vhd_parent parent = {.path = parent_path, .uuid = {{7}}, .modified_seconds = 1700000000};
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        return vhd_edit_set_parent(io, file, &parent, note);
}

static void hiding_changes_both_footers_and_nothing_else(void **state) {
        static const enum vhd_type types[] = {VHD_FIXED, VHD_DYNAMIC};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct err_note note = {0};
                struct vhd_meta before, after;

                kit_create(io, "a", types[i], size, NULL);
                before = kit_meta(io, "a");
                AUTO(io_close) struct io_file *file = kit_open(io, "a");
                for (unsigned times = 0; times < 2; times++) {
                        assert_ok(vhd_edit_set_hidden(file, true, &note));
                        after = kit_meta(io, "a");
                        assert_true(after.footer.is_hidden);
                        assert_int_equal(after.copy_state, VHD_PART_VALID);
                        assert_int_equal(after.file_size, before.file_size);
                }
                assert_ok(vhd_edit_set_hidden(file, false, &note));
                after = kit_meta(io, "a");
                assert_true(vhd_footer_equal(&after.footer, &before.footer));
        }
}

static void hiding_needs_no_space(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        io_sim_resize(io, 0);
        io_sim_resize(io, 4096);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_edit_set_hidden(file, true, &note));
}

static void hiding_mends_a_missing_footer_behind_the_last_block(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        uint64_t end;

        (void)state;
        kit_create(io, "a", VHD_DYNAMIC, size, NULL);
        kit_put_block(io, "a", 2, 0, 4096, 5);
        end = kit_size(io, "a");
        kit_truncate(io, "a", end - 512);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_edit_set_hidden(file, true, &note));
        assert_int_equal(kit_size(io, "a"), end);
        assert_int_equal(kit_meta(io, "a").end_state, VHD_PART_VALID);
        kit_expect_block(io, "a", 2, 0, 4096, 5);
}

static void a_cut_file_ends_behind_its_last_block(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        uint64_t empty, one;
        uint32_t last;

        (void)state;
        kit_create(io, "p", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p");
        empty = kit_size(io, "a");
        kit_put_block(io, "a", 2, 0, 4096, 5);
        one = kit_size(io, "a");
        kit_put_block(io, "a", 0, 10, 20, 6);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(vhd_edit_cut(file, &note));
        assert_int_not_equal(kit_size(io, "a"), one); /* nothing is free */
        kit_set_bat(io, "a", 0, VHD_BAT_UNUSED);
        assert_ok(vhd_edit_cut(file, &note));
        assert_int_equal(kit_size(io, "a"), one);
        assert_int_equal(kit_meta(io, "a").end_state, VHD_PART_VALID);
        kit_expect_block(io, "a", 2, 0, 4096, 5);
        kit_set_bat(io, "a", 2, VHD_BAT_UNUSED);
        kit_set_batmap(io, "a", 2, false);
        assert_ok(vhd_edit_cut(file, &note));
        assert_in_range(kit_size(io, "a"), 2048, empty); /* behind tables, which may end before a page does */
        assert_int_equal(kit_meta(io, "a").end_state, VHD_PART_VALID);
        assert_int_equal(kit_meta(io, "a").copy_state, VHD_PART_VALID);
        last = (uint32_t)div_up(size, VHD_BLOCK_SIZE) - 1;
        kit_put_block(io, "a", last, 0, 1, 7);
        assert_ok(vhd_edit_cut(file, &note));
        kit_expect_block(io, "a", last, 0, 1, 7);
        kit_create(io, "f", VHD_FIXED, size, NULL);
        AUTO(io_close) struct io_file *fixed = kit_open(io, "f");
        assert_err(vhd_edit_cut(fixed, &note), ERR_INVALID, "fixed");
}

static void a_poisoned_image_is_not_changed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "p", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p");
        meta = kit_meta(io, "a");
        meta.footer.is_poisoned = true;
        kit_write_footers(io, "a", &meta);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_err(vhd_edit_set_hidden(file, true, &note), ERR_UNSUPPORTED, "interrupted resize");
        assert_err(set_parent(io, "a", "p", &note), ERR_UNSUPPORTED, "interrupted resize");
        assert_err(vhd_edit_cut(file, &note), ERR_UNSUPPORTED, "interrupted resize");
}

static void a_relink_names_the_new_parent_everywhere(void **state) {
        static const char *const names[] = {"p2", "p", "long-name.vhd", "longer-name.vhd", "q"};

        (void)state;
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        kit_put_block(io, "a", 1, 10, 20, 9);
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
                assert_ok(set_parent(io, "a", names[i], &note));
                expect_parent(io, "a", names[i], names[i]);
                meta = kit_meta(io, "a");
                assert_int_equal(meta.header.parent_uuid.b[0], 7);
                assert_int_equal(vhd_time_to_unix(meta.header.parent_timestamp), 1700000000);
        }
        kit_expect_block(io, "a", 1, 10, 20, 9);
}

static void a_relink_to_a_name_of_the_same_length_writes_one_sector_of_the_header(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_sim_traffic before, after;

        (void)state;
        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        before = io_sim_file_traffic(io, "a");
        assert_ok(set_parent(io, "a", "p2", &note));
        after = io_sim_file_traffic(io, "a");
        assert_int_equal(after.bytes_written - before.bytes_written, 3 * 512 + 512);
        assert_int_equal(after.syncs - before.syncs, 2);
}

static void what_does_not_fit_is_refused_before_anything_is_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_sim_traffic before;
        char name[300];

        (void)state;
        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        before = io_sim_file_traffic(io, "a");
        memset(name, 'n', sizeof name);
        name[254] = '\0'; /* with ".\" 512 bytes: fits */
        assert_ok(set_parent(io, "a", name, &note));
        expect_parent(io, "a", name, name);
        before = io_sim_file_traffic(io, "a");
        name[254] = 'n';
        name[255] = '\0';
        assert_err(set_parent(io, "a", name, &note), ERR_TOO_LARGE, "does not fit");
        assert_err(set_parent(io, "p1", "a", &note), ERR_INVALID, "has no parent");
        assert_int_equal(io_sim_file_traffic(io, "a").writes, before.writes);
}

static void a_header_cut_in_two_is_made_whole_from_the_payloads(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        uint8_t second[512];
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        kit_read_at(io, "a", second, 512, 1024);
        assert_ok(set_parent(io, "a", "longer", &note));
        kit_write_at(io, "a", second, 512, 1024);
        meta = kit_meta(io, "a");
        assert_true(meta.is_header_torn);
        assert_ok(set_parent(io, "a", "longer", &note)); /* its caller's intent says: again */
        expect_parent(io, "a", "longer", "longer");
        /* Any other damage of the same sector is not proven, and refused. */
        kit_flip(io, "a", 1024 + 100);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_err(vhd_meta_read(file, 0, &meta, &note), ERR_CORRUPT, "header at 512");
}

static void locators_that_lie_on_blocks_or_tables_are_not_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        kit_put_block(io, "a", 1, 0, 20, 9);
        meta = kit_meta(io, "a");
        meta.header.locator[1].offset = vhd_block_data_at(kit_bat(io, "a", 1));
        kit_write_header(io, "a", &meta);
        assert_err(set_parent(io, "a", "p2", &note), ERR_CORRUPT, "BAT entry 1");
        meta.header.locator[1].offset = meta.header.table_offset;
        kit_write_header(io, "a", &meta);
        assert_err(set_parent(io, "a", "p2", &note), ERR_CORRUPT, "upon each other");
        kit_expect_block(io, "a", 1, 0, 20, 9);
}

/* ---- without a parent ---- */

static void check_clean(struct io *io, const char *path) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        assert_ok(vhd_check(io, path, VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &found, &note));
        VEC_EACH (&found.list, each)
                print_error("%s: %s\n", each->part, each->text);
        assert_int_equal(found.list.n, 0);
}

static enum err drop_parent(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        return io_open(io, path, IO_WRITE, &file, note) ? note->code : vhd_edit_drop_parent(file, note);
}

static void an_image_that_needs_no_parent_is_a_dynamic_one(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct vhd_meta meta;

        (void)state;
        kit_create(io, "p1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "a", VHD_DIFFERENCING, size, "p1");
        kit_put_block(io, "a", 1, 10, 20, 9);
        for (unsigned i = 0; i < 2; i++) {
                assert_ok(drop_parent(io, "a", &note));
                meta = kit_meta(io, "a");
                assert_int_equal(meta.footer.type, VHD_DYNAMIC);
                assert_ok(vhd_header_check_type(&meta.header, VHD_DYNAMIC, &note));
                assert_int_equal(meta.copy_state, VHD_PART_VALID);
                kit_expect_block(io, "a", 1, 10, 20, 9);
                check_clean(io, "a");
        }
        kit_create(io, "f", VHD_FIXED, size, NULL);
        assert_err(drop_parent(io, "f", &note), ERR_INVALID, "has no parent");
        AUTO(io_close) struct io_file *file = kit_open(io, "p1");
        assert_ok(vhd_edit_clear_parent(file, &note));
        check_clean(io, "p1");
}

/* A differencing image that can be read, or a dynamic one; doing it again makes it whole. */
static void survives_as_one_or_the_other(struct io *io) {
        struct err_note note = {0};
        struct vhd_meta meta = kit_meta(io, "a");

        if (meta.footer.type == VHD_DIFFERENCING)
                assert_int_equal(meta.header.parent_uuid.b[0], kit_meta(io, "p").footer.uuid.b[0]);
        else
                assert_int_equal(meta.footer.type, VHD_DYNAMIC);
        kit_expect_block(io, "a", 1, 10, 20, 9);
        assert_ok(drop_parent(io, "a", &note));
        check_clean(io, "a");
}

static void losing_the_parent_survives_a_crash_at_each_call(void **state) {
        unsigned n_torn = 0;

        (void)state;
        for (uint64_t n = 1, has_fired = 1; has_fired; n++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct err_note note = {0};

                kit_create(io, "p", VHD_DYNAMIC, size, NULL);
                kit_create(io, "a", VHD_DIFFERENCING, size, "p");
                kit_put_block(io, "a", 1, 10, 20, 9);
                io_sim_settle(io);
                io_sim_die_at(io, n, IO_SIM_DURING);
                (void)!drop_parent(io, "a", &note);
                has_fired = io_sim_fired(io);
                for (uint64_t seed = 0; seed < 4 * IO_SIM_STYLES; seed++) {
                        AUTO(io_free) struct io *crashed = io_sim_fork(io);

                        io_sim_crash(crashed, seed);
                        n_torn += kit_meta(crashed, "a").is_header_torn;
                        survives_as_one_or_the_other(crashed);
                }
                io_sim_abandon(io);
        }
        assert_true(n_torn > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hiding_changes_both_footers_and_nothing_else),
                cmocka_unit_test(hiding_needs_no_space),
                cmocka_unit_test(hiding_mends_a_missing_footer_behind_the_last_block),
                cmocka_unit_test(a_cut_file_ends_behind_its_last_block),
                cmocka_unit_test(a_poisoned_image_is_not_changed),
                cmocka_unit_test(a_relink_names_the_new_parent_everywhere),
                cmocka_unit_test(a_relink_to_a_name_of_the_same_length_writes_one_sector_of_the_header),
                cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_written),
                cmocka_unit_test(a_header_cut_in_two_is_made_whole_from_the_payloads),
                cmocka_unit_test(locators_that_lie_on_blocks_or_tables_are_not_written),
                cmocka_unit_test(an_image_that_needs_no_parent_is_a_dynamic_one),
                cmocka_unit_test(losing_the_parent_survives_a_crash_at_each_call),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
