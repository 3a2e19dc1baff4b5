// SPDX-License-Identifier: Apache-2.0
#include "logbook.h"
#include "sr_kit.h"

static void what_is_written_is_read_again(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(change_log_fini) struct change_log log = {0}, again = {0};
        struct uuid name = uuid_from_random((const uint8_t[16]){1}),
                    parent = uuid_from_random((const uint8_t[16]){2});
        struct err_note note = {0};

        (void)state;
        assert_ok(change_log_init(&log, KIT_SIZE, &note));
        log.head.parent = parent;
        cbt_bitmap_mark(log.bits, KIT_SIZE, 5 * CBT_BLOCK_SIZE, 1);
        assert_ok(logbook_write(sr, &name, &log, &note));
        assert_ok(logbook_write(sr, &name, &log, &note));
        assert_true(logbook_has(sr, &name));
        assert_ok(sr_scan(sr, &note));
        assert_true(logbook_has(sr, &name));
        assert_ok(logbook_read(sr, &name, &again, &note));
        assert_true(uuid_equal(&again.head.parent, &parent));
        assert_true(cbt_bitmap_test(again.bits, 5) && !cbt_bitmap_test(again.bits, 4));
        assert_ok(logbook_remove(sr, &name, &note));
        assert_false(logbook_has(sr, &name));
        assert_ok(logbook_remove(sr, &name, &note));
}

static void one_that_came_to_no_end_says_that_all_changed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(change_log_fini) struct change_log log = {0}, again = {0};
        struct uuid name = uuid_from_random((const uint8_t[16]){1});
        struct err_note note = {0};

        (void)state;
        assert_ok(change_log_init(&log, KIT_SIZE, &note));
        log.head.is_consistent = false;
        assert_ok(logbook_write(sr, &name, &log, &note));
        assert_ok(logbook_read(sr, &name, &again, &note));
        for (unsigned i = 0; i < KIT_SIZE / CBT_BLOCK_SIZE; i++)
                assert_true(cbt_bitmap_test(again.bits, i));
}

static void an_older_one_that_is_larger_means_all(void **state) {
        AUTO(change_log_fini) struct change_log small = {0}, large = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(change_log_init(&small, CBT_BLOCK_SIZE * 3, &note));
        assert_ok(change_log_init(&large, CBT_BLOCK_SIZE * 4, &note));
        change_log_add(&large, &small);
        assert_int_equal(large.bits[0], 0);
        change_log_add(&small, &large);
        assert_int_equal(small.bits[0], 7);
}

static void a_broken_one_is_an_error_and_its_vdi_carries_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(change_log_fini) struct change_log log = {0};
        struct uuid name = uuid_from_random((const uint8_t[16]){1});
        AUTO_FREE char *path = place_log_path(sr->place, &name);
        struct err_note note = {0};
        struct io_file *file;

        (void)state;
        assert_ok(io_open(io, path, IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_write(file, "no log at all", 13, 0, &note));
        io_close(file);
        assert_int_equal(logbook_read(sr, &name, &log, &note), ERR_CUT_SHORT);
        assert_ok(sr_scan(sr, &note));
        assert_int_equal(sr_get_vdi(sr, &name)->node->error.code, ERR_CUT_SHORT);
        assert_ok(sr_vdi_delete(sr, &name, &note));
        assert_null(sr_get_vdi(sr, &name));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read_again),
                cmocka_unit_test(one_that_came_to_no_end_says_that_all_changed),
                cmocka_unit_test(an_older_one_that_is_larger_means_all),
                cmocka_unit_test(a_broken_one_is_an_error_and_its_vdi_carries_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
