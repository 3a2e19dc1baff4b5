// SPDX-License-Identifier: Apache-2.0
#include "line.h"
#include "sr_kit.h"

static void snapshots_follow_one_another_by_their_layers(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(line_fini) struct line line = {0};
        struct uuid disk = kit_vdi(sr, "disk"), one, two;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &disk, "A");
        one = kit_snapshot(sr, &disk, "one");
        kit_write(sr, &disk, "B");
        two = kit_snapshot(sr, &disk, "two");
        assert_ok(line_read(sr, &line, &note));
        assert_int_equal(line.members.n, 3);
        assert_true(uuid_is_null(&line_find(&line, &one)->before));
        assert_true(uuid_equal(&line_find(&line, &two)->before, &one));
        assert_true(uuid_equal(&line_find(&line, &disk)->before, &two));
        assert_true(line_leads(&line, &one, &disk));
        assert_false(line_leads(&line, &two, &one));
        assert_false(line_leads(&line, &disk, &two));
}

static void snapshots_that_read_the_same_have_an_order_all_the_same(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(line_fini) struct line line = {0};
        struct uuid disk = kit_vdi(sr, "disk"), one, two;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &disk, "A");
        one = kit_snapshot(sr, &disk, "one");
        two = kit_snapshot(sr, &disk, "two");
        assert_ok(line_read(sr, &line, &note));
        assert_int_equal(line_leads(&line, &one, &two) + line_leads(&line, &two, &one), 1);
        assert_true(line_leads(&line, &one, &disk) && line_leads(&line, &two, &disk));
}

static void disks_that_share_nothing_have_nothing_to_do_with_each_other(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(line_fini) struct line line = {0};
        struct uuid disk = kit_vdi(sr, "disk"), other = kit_vdi(sr, "other"), snapshot;
        struct err_note note = {0};

        (void)state;
        snapshot = kit_snapshot(sr, &disk, "s");
        assert_ok(line_read(sr, &line, &note));
        assert_false(line_leads(&line, &snapshot, &other));
        assert_true(uuid_is_null(&line_find(&line, &other)->before));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(snapshots_follow_one_another_by_their_layers),
                cmocka_unit_test(snapshots_that_read_the_same_have_an_order_all_the_same),
                cmocka_unit_test(disks_that_share_nothing_have_nothing_to_do_with_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
