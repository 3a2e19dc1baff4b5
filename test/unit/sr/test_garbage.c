// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"
#include "sr_state.h"

#include "place.h"

/* A base that nothing needs any more: the last child was deleted while the garbage could not go. */

static void set_hidden(struct io *io, const struct uuid *uuid) {
        AUTO(place_free) struct place *place = NULL;
        struct place_name name = place_name_of(uuid, IMAGE_VHD);
        struct err_note note = {0};

        assert_ok(place_dir_open(io, KIT_DIR, &place, &note));
        assert_ok(place_set_hidden(place, &name, true, &note));
}

static unsigned collect(struct sr *sr, struct sr_notices *waiting) {
        struct err_note note = {0};
        uint64_t bytes;
        unsigned n;

        assert_ok(sr_garbage(sr, &n, &bytes, waiting, &note));
        assert_true((n > 0) == (bytes > 0));
        return n;
}

static char *path_of(const struct uuid *uuid) {
        return mem_format("%s/%s.vhd", KIT_DIR, uuid_format(uuid).s);
}

static void what_is_leased_waits_and_says_for_whom(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), lease;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        assert_ok(sr_lease(sr, &vdi, "export", "nightly", &lease, &note));
        kit_delete(sr, &vdi);
        assert_int_equal(sr_n_vdis(sr), 0);
        assert_int_equal(kit_n_files(io), 1);
        assert_int_equal(collect(sr, &waiting), 0);
        assert_int_equal(waiting.list.n, 1);
        assert_string_equal(waiting.list.data[0].text, "leased by nightly (export)");
        assert_ok(sr_lease_end(sr, &lease, &note));
        assert_int_equal(collect(sr, NULL), 1);
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);
}

static void what_is_open_elsewhere_waits(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        AUTO_FREE char *path = path_of(&vdi);
        struct io_file *file;
        struct err_note note = {0};

        (void)state;
        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_lock(file, IO_SHARED, &note));
        kit_delete(sr, &vdi);
        assert_int_equal(collect(sr, &waiting), 0);
        assert_int_equal(waiting.list.n, 1);
        io_close(file);
        assert_int_equal(collect(sr, NULL), 1);
        sr_close(sr);
}

static void a_base_that_our_own_reader_has_open_waits(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &vdi, "A");
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_open_chain(sr, &snapshot, CHAIN_READ, &chain, &note));
        kit_delete(sr, &vdi);
        struct uuid base = tree_find(sr_tree(sr), &snapshot)->parent->uuid;
        sr_close_chain(sr, chain, &note) == ERR_NONE ? (void)0 : fail();
        /* By hand, as another host's tool might: the reader must not lose its base. */
        assert_ok(sr_open_chain(sr, &snapshot, CHAIN_READ, &chain, &note));
        set_hidden(io, &snapshot);
        assert_int_equal(collect(sr, &waiting), 0);
        assert_int_equal(waiting.list.n, 1);
        assert_string_equal(waiting.list.data[0].text, "open");
        assert_non_null(tree_find(sr_tree(sr), &base));
        assert_string_equal(kit_read_chain(chain).s, "A...");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_int_equal(collect(sr, NULL), 2);
        sr_close(sr);
}

static void a_base_is_kept_for_a_damaged_child(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), base;
        AUTO_FREE char *path = path_of(&vdi);
        struct io_file *file;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        struct uuid snapshot = kit_snapshot(sr, &vdi, "s");
        base = tree_find(sr_tree(sr), &vdi)->parent->uuid;
        kit_delete(sr, &snapshot);
        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_write(file, "xxxx", 4, 512 + 44, &note));
        io_close(file);
        assert_int_equal(collect(sr, NULL), 0);
        assert_non_null(tree_find(sr_tree(sr), &base));
        /* Its name and row stay, with the error. */
        assert_int_equal(sr_n_vdis(sr), 1);
        assert_string_equal(sr_vdi_at(sr, 0)->row.name, "a");
        assert_int_equal(sr_vdi_at(sr, 0)->node->error.code, ERR_CORRUPT);
        sr_close(sr);
}

static void nothing_goes_while_a_file_may_be_anybody_s_child(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), other = kit_vdi(sr, "b"), snapshot;
        AUTO_FREE char *path = path_of(&vdi);
        AUTO_FREE void *zeros = mem_zero(1024);
        struct io_file *file;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_write(file, zeros, 1024, 512, &note));
        io_close(file);
        kit_delete(sr, &other);
        assert_int_equal(collect(sr, &waiting), 0);
        assert_int_equal(waiting.list.n, 1);
        assert_non_null(strstr(waiting.list.data[0].text, "is damaged and may be its child"));
        assert_reads(sr, &snapshot, "A..."); /* its tree's trouble is nobody else's */
        assert_ok(io_unlink(io, path, &note));
        assert_int_equal(collect(sr, NULL), 1);
        sr_close(sr);
}

/* As if a crash had lost the second of the two writes. */
static void hide_by_half(struct io *io, const struct uuid *vdi) {
        AUTO_FREE char *path = path_of(vdi);
        struct err_note note = {0};
        struct io_file *file;
        uint8_t copy[512];

        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_read(file, copy, sizeof copy, 0, &note));
        io_close(file);
        set_hidden(io, vdi);
        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_write(file, copy, sizeof copy, 0, &note));
        io_close(file);
}

static void forget_row(struct sr *sr, const struct uuid *vdi) {
        struct store_change *change;
        struct err_note note = {0};

        assert_ok(catalog_begin(sr->catalog, &change, &note));
        assert_ok(catalog_drop_vdi(change, vdi, &note));
        assert_ok(store_commit(change, &note));
}

/* A VDI's hide is finished by the scan, that of any other node when it goes. */
static void a_node_hidden_in_one_footer_only_is_hidden_in_both_before_it_goes(void **state) {
        (void)state;
        for (unsigned is_vdi = 0; is_vdi < 2; is_vdi++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct sr *sr = kit_create(io);
                struct uuid vdi = kit_vdi(sr, "a");

                hide_by_half(io, &vdi);
                if (!is_vdi)
                        forget_row(sr, &vdi);
                assert_int_equal(collect(sr, NULL), 1);
                assert_int_equal(kit_n_files(io), 0);
                sr_close(sr);
        }
}

static void an_open_finishes_half_a_hide(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");

        (void)state;
        hide_by_half(io, &vdi);
        forget_row(sr, &vdi);
        sr_close(sr);
        sr = kit_open(io);
        assert_true(tree_find(sr_tree(sr), &vdi)->is_hidden_in_both);
        sr_close(sr);
}

static void a_long_chain_goes_from_its_top_with_a_sync_for_each_layer(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), lease;
        struct err_note note = {0};
        uint64_t syncs;

        (void)state;
        for (unsigned i = 0; i < 5; i++) {
                kit_write(sr, &vdi, "A");
                struct uuid snapshot = kit_snapshot(sr, &vdi, "s");
                kit_delete(sr, &snapshot);
        }
        assert_int_equal(kit_depth(sr, &vdi), 6);
        assert_ok(sr_lease(sr, &vdi, "tool", "test", &lease, &note));
        kit_delete(sr, &vdi);
        assert_int_equal(kit_n_files(io), 6);
        assert_ok(sr_lease_end(sr, &lease, &note));
        syncs = io_sim_traffic(io).dir_syncs;
        assert_int_equal(collect(sr, NULL), 6);
        assert_int_equal(io_sim_traffic(io).dir_syncs - syncs, 6);
        sr_close(sr);
}

static void a_visible_base_is_never_garbage(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");

        (void)state;
        assert_int_equal(collect(sr, NULL), 0);
        assert_reads(sr, &vdi, "....");
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_leased_waits_and_says_for_whom),
                cmocka_unit_test(what_is_open_elsewhere_waits),
                cmocka_unit_test(a_base_that_our_own_reader_has_open_waits),
                cmocka_unit_test(a_base_is_kept_for_a_damaged_child),
                cmocka_unit_test(nothing_goes_while_a_file_may_be_anybody_s_child),
                cmocka_unit_test(a_node_hidden_in_one_footer_only_is_hidden_in_both_before_it_goes),
                cmocka_unit_test(an_open_finishes_half_a_hide),
                cmocka_unit_test(a_long_chain_goes_from_its_top_with_a_sync_for_each_layer),
                cmocka_unit_test(a_visible_base_is_never_garbage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
