// SPDX-License-Identifier: Apache-2.0
#include "compare.h"
#include "sr_kit.h"

enum { BITS = KIT_SIZE / CBT_BLOCK_SIZE, A_BLOCK = BITS / KIT_BLOCKS };

/* A snapshot of a disk, and another after blocks 1 and 3 were written. */
struct two {
        struct io *io;
        struct sr *sr;
        struct uuid disk, older, newer;
};

static struct two two_new(void) {
        struct two two = {.io = io_sim_new(1, 0)};

        two.sr = kit_create(two.io);
        two.disk = kit_vdi(two.sr, "disk");
        kit_write(two.sr, &two.disk, "abcd");
        two.older = kit_snapshot(two.sr, &two.disk, "older");
        kit_write(two.sr, &two.disk, ".x.y");
        two.newer = kit_snapshot(two.sr, &two.disk, "newer");
        return two;
}

static void two_fini(struct two *two) {
        sr_close(two->sr);
        io_free(two->io);
}
DEFINE_AUTO_IN_PLACE(struct two, two_fini);

static void assert_one_and_three(const struct change_log *log) {
        for (unsigned i = 0; i < BITS; i++) {
                unsigned block = i / A_BLOCK;

                if (i % A_BLOCK)
                        continue; /* a letter is in the first bit of its block, at least */
                assert_int_equal(cbt_bitmap_test(log->bits, i), block == 1 || block == 3);
        }
}

static void what_lies_between_two_is_told_with_the_older_as_parent(void **state) {
        AUTO(two_fini) struct two two = two_new();
        AUTO(change_log_fini) struct change_log log = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(compare_layers(two.sr, &two.older, &two.newer, &log, &note));
        assert_one_and_three(&log);
        assert_true(uuid_equal(&log.head.parent, &two.older));
        assert_int_equal(log.head.size_bytes, KIT_SIZE);
        assert_false(sr_get_vdi(two.sr, &two.newer)->is_open);
}

static void it_is_read_when_others_have_changed_the_sr(void **state) {
        AUTO(two_fini) struct two two = two_new();
        AUTO(compare_close) struct compare compare = {0};
        AUTO(change_log_fini) struct change_log log = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(compare_open(two.sr, &two.older, &two.newer, &compare, &note));
        kit_write(two.sr, &two.disk, "z.z.");
        (void)kit_snapshot(two.sr, &two.disk, "newest");
        assert_ok(sr_scan(two.sr, &note));
        assert_ok(compare_read(&compare, &log, &note));
        assert_one_and_three(&log);
}

static void what_is_past_the_end_of_the_older_is_new(void **state) {
        AUTO(two_fini) struct two two = two_new();
        AUTO(change_log_fini) struct change_log log = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_vdi_resize(two.sr, &two.disk, KIT_SIZE + CBT_BLOCK_SIZE, &note));
        assert_ok(compare_layers(two.sr, &two.newer, &two.disk, &log, &note));
        for (unsigned i = 0; i <= BITS; i++)
                assert_int_equal(cbt_bitmap_test(log.bits, i), i == BITS);
}

static void one_that_is_not_there_has_no_data(void **state) {
        AUTO(two_fini) struct two two = two_new();
        struct compare compare;
        struct uuid other = {{7}};
        struct err_note note = {0};

        (void)state;
        assert_int_equal(compare_open(two.sr, &two.older, &other, &compare, &note), ERR_NOT_FOUND);
        assert_false(sr_get_vdi(two.sr, &two.older)->is_open);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_lies_between_two_is_told_with_the_older_as_parent),
                cmocka_unit_test(it_is_read_when_others_have_changed_the_sr),
                cmocka_unit_test(what_is_past_the_end_of_the_older_is_new),
                cmocka_unit_test(one_that_is_not_there_has_no_data),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
