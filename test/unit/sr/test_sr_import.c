// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

static const struct uuid stream = {{1, 2, 3}};

static void an_import_is_seen_when_it_is_committed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct sr_import *import;
        struct err_note note = {0};
        struct uuid vdi;

        (void)state;
        assert_ok(sr_import_begin(sr, &(struct vdi_options){.name = "n", .size = KIT_SIZE}, &import, &note));
        kit_put(sr_import_chain(import), 0, 'N');
        assert_ok(sr_scan(sr, &note));
        assert_int_equal(sr_n_vdis(sr), 0);
        assert_ok(sr_import_commit(import, &stream, &vdi, &note));
        assert_reads(sr, &vdi, "N...");
        assert_true(uuid_equal(&sr_get_vdi(sr, &vdi)->row.stream_uuid, &stream));
        sr_close(sr);
}

static void an_aborted_import_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct sr_import *import;
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_import_begin(sr, &(struct vdi_options){.name = "n", .size = KIT_SIZE}, &import, &note));
        kit_put(sr_import_chain(import), 0, 'N');
        sr_import_abort(import);
        assert_int_equal(kit_n_files(io), 0);
        assert_err(sr_import_begin(sr, &(struct vdi_options){.name = "n"}, &import, &note), ERR_INVALID,
                   "0 bytes");
        assert_err(sr_import_begin(sr, &(struct vdi_options){.name = "n", .size = 3 * TIB}, &import, &note),
                   ERR_TOO_LARGE, "");
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);
}

static void an_import_onto_a_vdi_begins_as_it_is_and_replaces_it_at_once(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot, same;
        struct sr_import *import;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &vdi, "AB");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_write(sr, &vdi, "..C");
        assert_ok(sr_import_begin_onto(sr, &vdi, KIT_SIZE, &import, &note));
        kit_put(sr_import_chain(import), 1, 'N');
        assert_string_equal(kit_read_chain(sr_import_chain(import)).s, "ANC.");
        assert_reads(sr, &vdi, "ABC.");
        assert_err(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note), ERR_BUSY, "being imported onto");
        assert_err(sr_vdi_delete(sr, &vdi, &note), ERR_BUSY, "being imported onto");
        assert_ok(sr_import_commit(import, &stream, &same, &note));
        assert_true(uuid_equal(&vdi, &same));
        assert_reads(sr, &vdi, "ANC.");
        assert_reads(sr, &snapshot, "AB..");
        assert_string_equal(sr_get_vdi(sr, &vdi)->row.name, "a");
        assert_true(uuid_equal(&sr_get_vdi(sr, &vdi)->row.stream_uuid, &stream));
        sr_close(sr);
}

static void an_aborted_import_onto_a_vdi_leaves_it_as_it_was(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct sr_import *import;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "AB");
        assert_err(sr_import_begin_onto(sr, &vdi, KIT_SIZE / 2, &import, &note), ERR_INVALID,
                   "imported only");
        assert_ok(sr_import_begin_onto(sr, &vdi, 2 * KIT_SIZE, &import, &note));
        kit_put(sr_import_chain(import), 1, 'N');
        sr_import_abort(import);
        assert_reads(sr, &vdi, "AB..");
        kit_write(sr, &vdi, ".C");
        assert_reads(sr, &vdi, "AC..");
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, KIT_SIZE);
        sr_close(sr);
}

static void an_import_may_make_a_vdi_larger(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), same;
        struct sr_import *import;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "AB");
        assert_ok(sr_import_begin_onto(sr, &vdi, 2 * KIT_SIZE, &import, &note));
        assert_int_equal(chain_size(sr_import_chain(import)), 2 * KIT_SIZE);
        assert_ok(sr_import_commit(import, &stream, &same, &note));
        assert_reads(sr, &vdi, "AB..");
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, 2 * KIT_SIZE);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_import_is_seen_when_it_is_committed),
                cmocka_unit_test(an_aborted_import_leaves_nothing),
                cmocka_unit_test(an_import_onto_a_vdi_begins_as_it_is_and_replaces_it_at_once),
                cmocka_unit_test(an_aborted_import_onto_a_vdi_leaves_it_as_it_was),
                cmocka_unit_test(an_import_may_make_a_vdi_larger),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
