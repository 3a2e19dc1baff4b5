// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

static void a_vdi_grows_and_keeps_what_it_holds(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &vdi, "A..B");
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_vdi_resize(sr, &vdi, 2 * GIB, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, 2 * GIB);
        assert_int_equal(sr_get_vdi(sr, &snapshot)->node->size, KIT_SIZE);
        assert_reads(sr, &vdi, "A..B");
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        kit_put(chain, 1023, 'Z');
        assert_ok(sr_close_chain(sr, chain, &note));
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, 2 * GIB);
        assert_reads(sr, &vdi, "A..B");
        struct uuid larger = kit_snapshot(sr, &vdi, "t");
        assert_int_equal(sr_get_vdi(sr, &larger)->node->size, 2 * GIB);
        assert_ok(sr_vdi_revert(sr, &vdi, &snapshot, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, KIT_SIZE);
        sr_close(sr);
}

static void what_cannot_be_grown_is_refused_and_stays(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_err(sr_vdi_resize(sr, &vdi, KIT_SIZE / 2, &note), ERR_INVALID, "can only grow");
        assert_int_not_equal(sr_vdi_resize(sr, &vdi, 3 * TIB, &note), ERR_NONE);
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_err(sr_vdi_resize(sr, &vdi, 2 * KIT_SIZE, &note), ERR_BUSY, "open for writing");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, KIT_SIZE);
        assert_ok(sr_vdi_resize(sr, &vdi, KIT_SIZE, &note));
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vdi_grows_and_keeps_what_it_holds),
                cmocka_unit_test(what_cannot_be_grown_is_refused_and_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
