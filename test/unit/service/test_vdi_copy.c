// SPDX-License-Identifier: Apache-2.0
#include "copy_kit.h"

/* ---- copy ---- */

static void a_copy_is_a_disk_of_its_own_in_the_other_sr(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *made = NULL, *shown = NULL, *two = NULL;

        (void)state;
        make_srs(io);
        made = kit_call(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two'}");
        two = kit_call(io, "sr", "show", "{'sr': 'two'}");
        assert_string_equal(text_of(made, "sr"), text_of(two, "uuid"));
        assert_holds_a(io, "two", "a");
        shown = show(io, "two", text_of(made, "uuid"));
        assert_string_equal(text_of(shown, "description"), "first");
        kit_do(io, "vdi", "delete", "{'sr': 'one', 'vdi': 'a'}");
        assert_holds_a(io, "two", "a");
}

static void a_copy_goes_into_the_same_sr_too_under_another_name(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);

        (void)state;
        make_srs(io);
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': '/one', 'name': 'b'}");
        assert_holds_a(io, "one", "b");
        assert_int_equal(count_vdis(io, "one"), 2);
}

static void a_copy_of_a_snapshot_is_a_disk(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *shown = NULL;

        (void)state;
        make_srs(io);
        kit_do(io, "vdi", "snapshot", "{'sr': 'one', 'vdi': 'a', 'name': 's'}");
        io_sim_set_stdin(io, "changed", 7, 0);
        kit_do(io, "vdi", "write", "{'sr': 'one', 'vdi': 'a'}");
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 's', 'to': 'two', 'name': 'c'}");
        assert_holds_a(io, "two", "c");
        shown = show(io, "two", "c");
        assert_true(json_is_false(json_object_get(shown, "snapshot")));
        assert_true(json_is_false(json_object_get(shown, "read_only")));
}

static void what_cannot_be_copied_is_told(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_srs(io);
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'x', 'to': 'two'}", &note),
                   ERR_NOT_FOUND, "\"x\"");
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'three'}", &note),
                   ERR_NOT_FOUND, "three");
        assert_int_equal(count_vdis(io, "two"), 0);
        assert_int_equal(count_vdis(io, "one"), 1);
}

/* ---- the work itself, with open disks ---- */

static void a_disk_that_is_written_is_not_copied(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};
        struct chain *chain;
        struct uuid made;

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        assert_ok(sr_open_chain(house.one, &house.copy.vdi, CHAIN_WRITE, &chain, &note));
        assert_err(vdi_copy_run(&house.copy, &made, &note), ERR_BUSY, "close it before you copy it");
        assert_ok(sr_close_chain(house.one, chain, &note));
        assert_ok(vdi_copy_run(&house.copy, &made, &note));
        assert_int_equal(sr_n_vdis(house.two), 1);
}

static void a_copy_that_is_stopped_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};
        struct uuid made;

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        atomic_store(&house.stops, true);
        assert_err(vdi_copy_run(&house.copy, &made, &note), ERR_CANCELLED, "");
        assert_ok(sr_scan(house.two, &note));
        assert_int_equal(sr_n_vdis(house.two), 0);
        assert_int_equal(sr_tree(house.two)->listing.temporary.n, 0);
        assert_int_equal(sr_n_vdis(house.one), 1);
}

/* ---- into a disk that is there ---- */

/* "b" in two, which begins as what "a" held once, and "s" of one, a snapshot of then. */
static void make_into(struct io *io) {
        make_srs(io);
        kit_do(io, "vdi", "snapshot", "{'sr': 'one', 'vdi': 'a', 'name': 's'}");
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 's', 'to': 'two', 'name': 'b'}");
        io_sim_set_stdin(io, "changed", 7, 0);
        kit_do(io, "vdi", "write", "{'sr': 'one', 'vdi': 'a', 'offset': 4194304}");
}

static void assert_same(struct io *io, const char *sr, const char *vdi, const char *other) {
        AUTO_FREE char *params = mem_format("{'sr': '%s', 'vdi': '%s', 'output': '/other.raw'}", sr, other);
        struct err_note note = {0};

        kit_do(io, "vdi", "export", params);
        assert_ok(io_rename(io, "/other.raw", "/a.raw", &note));
        assert_holds_a(io, "two", vdi);
}

/* All of it, zeros over what was there. */
static void a_copy_goes_into_a_disk_that_is_there(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *before = NULL, *after = NULL;

        (void)state;
        make_into(io);
        io_sim_set_stdin(io, "over", 4, 0);
        kit_do(io, "vdi", "write", "{'sr': 'two', 'vdi': 'b', 'offset': 600000}");
        before = show(io, "two", "b");
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two', 'into': 'b'}");
        after = show(io, "two", "b");
        assert_string_equal(text_of(after, "uuid"), text_of(before, "uuid"));
        assert_int_equal(count_vdis(io, "two"), 1);
        assert_same(io, "one", "b", "a");
}

static void only_what_differs_from_a_base_goes_into_a_disk(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);

        (void)state;
        make_into(io);
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two', 'into': 'b', 'base': 's'}");
        assert_same(io, "one", "b", "a");
        /* What does not differ is left alone, whatever it is. */
        kit_do(io, "vdi", "create", "{'sr': 'two', 'name': 'c', 'size': 5242880}");
        kit_do(io, "vdi", "copy", "{'sr': 'one', 'vdi': 's', 'to': 'two', 'into': 'c', 'base': 's'}");
        kit_do(io, "vdi", "create", "{'sr': 'one', 'name': 'zeros', 'size': 5242880}");
        assert_same(io, "one", "c", "zeros");
}

static void what_cannot_go_into_a_disk_is_told(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_into(io);
        kit_do(io, "vdi", "create", "{'sr': 'two', 'name': 'small', 'size': 1048576}");
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two', 'into': 'small'}",
                             &note),
                   ERR_INVALID, "too small");
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two', 'base': 's'}", &note),
                   ERR_INVALID, "--into");
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'one', 'into': 'a'}", &note),
                   ERR_BUSY, "open for reading");
        assert_err(kit_fails(io, "vdi", "copy", "{'sr': 'one', 'vdi': 'a', 'to': 'two', 'into': 'x'}", &note),
                   ERR_NOT_FOUND, "x");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_copy_is_a_disk_of_its_own_in_the_other_sr),
                cmocka_unit_test(a_copy_goes_into_the_same_sr_too_under_another_name),
                cmocka_unit_test(a_copy_of_a_snapshot_is_a_disk),
                cmocka_unit_test(what_cannot_be_copied_is_told),
                cmocka_unit_test(a_disk_that_is_written_is_not_copied),
                cmocka_unit_test(a_copy_that_is_stopped_leaves_nothing),
                cmocka_unit_test(a_copy_goes_into_a_disk_that_is_there),
                cmocka_unit_test(only_what_differs_from_a_base_goes_into_a_disk),
                cmocka_unit_test(what_cannot_go_into_a_disk_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
