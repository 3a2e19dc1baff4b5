// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "sweep.h"
#include "vdi_copy.h"

enum { SIZE = 5 * 1024 * 1024 };

/* ---- two SRs, and a disk "a" in the first ---- */

static void make_srs(struct io *io) {
        AUTO_FREE uint8_t *data = mem_zero(SIZE);

        memset(data + 100000, 'a', 3000);
        memset(data + 3 * MIB, 'b', MIB + 5000);
        memset(data + MIB, 'c', 600); /* written with the zeros that follow, and what is behind those */
        memset(data + MIB + 300000, 'd', 600);
        kit_put_file(io, "/a.raw", data, SIZE);
        kit_do(io, "sr", "create", "{'dir': '/one', 'name': 'one'}");
        kit_do(io, "sr", "create", "{'dir': '/two', 'name': 'two'}");
        kit_do(io, "vdi", "import", "{'sr': 'one', 'name': 'a', 'description': 'first', 'file': '/a.raw'}");
        io_sim_set_stdin(io, data + MIB, 300600, 0);
        kit_do(io, "vdi", "write", "{'sr': 'one', 'vdi': 'a', 'offset': 1048576}");
}

static void assert_holds_a(struct io *io, const char *sr, const char *vdi) {
        AUTO_FREE char *params = mem_format("{'sr': '%s', 'vdi': '%s', 'output': '/out.raw'}", sr, vdi);
        AUTO_FREE uint8_t *want = NULL, *is = NULL;
        size_t n_want, n_is;

        kit_do(io, "vdi", "export", params);
        want = kit_get_file(io, "/a.raw", &n_want);
        is = kit_get_file(io, "/out.raw", &n_is);
        assert_int_equal(n_is, n_want);
        assert_memory_equal(is, want, n_is);
}

static json_t *show(struct io *io, const char *sr, const char *vdi) {
        AUTO_FREE char *params = mem_format("{'sr': '%s', 'vdi': '%s'}", sr, vdi);

        return kit_call(io, "vdi", "show", params);
}

static const char *text_of(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

static size_t count_vdis(struct io *io, const char *sr) {
        AUTO_FREE char *params = mem_format("{'sr': '%s'}", sr);
        AUTO(json_decref) json_t *list = kit_call(io, "vdi", "list", params);

        return json_array_size(json_object_get(list, "vdis"));
}

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
        assert_err(kit_fails(io, "vdi", "move", "{'sr': 'one', 'vdi': 'a', 'to': 'one'}", &note), ERR_INVALID,
                   "already");
        assert_int_equal(count_vdis(io, "two"), 0);
        assert_int_equal(count_vdis(io, "one"), 1);
}

/* ---- move ---- */

static void a_moved_disk_keeps_its_uuid_and_what_is_said_of_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *before = NULL, *moved = NULL, *after = NULL;

        (void)state;
        make_srs(io);
        before = show(io, "one", "a");
        moved = kit_call(io, "vdi", "move", "{'sr': 'one', 'vdi': 'a', 'to': 'two'}");
        after = show(io, "two", "a");
        assert_string_equal(text_of(moved, "uuid"), text_of(before, "uuid"));
        assert_string_equal(text_of(after, "uuid"), text_of(before, "uuid"));
        assert_string_equal(text_of(after, "description"), "first");
        assert_holds_a(io, "two", "a");
        assert_int_equal(count_vdis(io, "one"), 0);
}

static void a_moved_snapshot_stays_one(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *disk = NULL, *after = NULL;

        (void)state;
        make_srs(io);
        disk = show(io, "one", "a");
        kit_do(io, "vdi", "snapshot", "{'sr': 'one', 'vdi': 'a', 'name': 's'}");
        kit_do(io, "vdi", "move", "{'sr': 'one', 'vdi': 's', 'to': 'two'}");
        after = show(io, "two", "s");
        assert_true(json_is_true(json_object_get(after, "snapshot")));
        assert_string_equal(text_of(after, "snapshot_of"), text_of(disk, "uuid"));
        assert_holds_a(io, "two", "s");
        assert_holds_a(io, "one", "a");
}

/* ---- the work itself, with open disks ---- */

struct house {
        struct io *io;        /* owned */
        struct sr *one, *two; /* owned */
        struct progress progress;
        atomic_bool stops;
        struct vdi_copy copy;
};

static enum err open_house(struct io *io, struct house *ret, struct err_note *note) {
        const struct vdi *vdi;

        *ret = (struct house){.io = io, .progress = {.io = io}};
        ret->progress.is_cancelled = &ret->stops;
        if (sr_open(io, "/one", NULL, &ret->one, note) || sr_open(io, "/two", NULL, &ret->two, note) ||
            sr_find_vdi(ret->one, "a", &vdi, note))
                return note->code;
        ret->copy = (struct vdi_copy){
                .sr = ret->one, .to = ret->two, .vdi = vdi->row.uuid, .progress = &ret->progress};
        return ERR_NONE;
}

static void close_house(struct house *house) {
        if (house->one)
                sr_close(house->one);
        if (house->two)
                sr_close(house->two);
}
DEFINE_AUTO_IN_PLACE(struct house, close_house);

static void a_disk_that_is_written_is_neither_copied_nor_moved(void **state) {
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
        assert_err(vdi_move_run(&house.copy, &note), ERR_BUSY, "close it before you move it");
        assert_ok(sr_close_chain(house.one, chain, &note));
        assert_ok(vdi_copy_run(&house.copy, &made, &note));
        assert_int_equal(sr_n_vdis(house.two), 1);
}

static void a_disk_is_not_moved_over_one_of_its_uuid(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};
        struct uuid made;

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        house.copy.uuid = &house.copy.vdi;
        assert_ok(vdi_copy_run(&house.copy, &made, &note));
        assert_true(uuid_equal(&made, &house.copy.vdi));
        assert_err(vdi_move_run(&house.copy, &note), ERR_EXISTS, "has a disk");
        assert_int_equal(sr_n_vdis(house.one), 1);
        assert_int_equal(sr_n_vdis(house.two), 1);
}

static void one_that_is_stopped_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};
        struct uuid made;

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        atomic_store(&house.stops, true);
        assert_err(vdi_copy_run(&house.copy, &made, &note), ERR_CANCELLED, "");
        assert_err(vdi_move_run(&house.copy, &note), ERR_CANCELLED, "");
        assert_ok(sr_scan(house.two, &note));
        assert_int_equal(sr_n_vdis(house.two), 0);
        assert_int_equal(sr_tree(house.two)->listing.temporary.n, 0);
        assert_int_equal(sr_n_vdis(house.one), 1);
}

/* Somebody opens the disk to read it while it is copied: the deletion is refused, and the copy goes again. */
struct late {
        struct house *house; /* borrowed */
        struct chain *chain; /* owned by the test */
};

static void open_late(void *user, const struct progress *progress) {
        struct late *late = user;
        struct err_note note = {0};

        (void)progress;
        if (!late->chain)
                assert_ok(sr_open_chain(late->house->one, &late->house->copy.vdi, CHAIN_READ, &late->chain,
                                        &note));
}

static void a_move_that_cannot_end_is_none(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct late late = {.house = &house};
        struct err_note note = {0};

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        house.progress.show = open_late;
        house.progress.user = &late;
        assert_err(vdi_move_run(&house.copy, &note), ERR_BUSY, "open for reading");
        assert_int_equal(sr_n_vdis(house.two), 0);
        assert_int_equal(sr_n_vdis(house.one), 1);
        assert_ok(sr_close_chain(house.one, late.chain, &note));
        house.progress.show = NULL;
        assert_ok(vdi_move_run(&house.copy, &note));
}

/* ---- crashes and errors ---- */

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx, (void)note;
        make_srs(io);
        return ERR_NONE;
}

static enum err move(struct io *io, void *ctx, struct err_note *note) {
        AUTO(close_house) struct house house = {0};

        (void)ctx;
        if (open_house(io, &house, note))
                return note->code;
        return vdi_move_run(&house.copy, note);
}

static enum err check_one(struct io *io, struct sr *sr, bool *ret_is_there, struct err_note *note) {
        AUTO_FREE uint8_t *want = NULL;
        uint8_t is[4096];
        const struct vdi *vdi;
        struct chain *chain;
        struct uuid uuid;
        size_t n;

        *ret_is_there = sr_find_vdi(sr, "a", &vdi, note) == ERR_NONE;
        if (sr_n_vdis(sr) != *ret_is_there || sr_tree(sr)->listing.temporary.n)
                return sweep_violation(note, "something half-made is in %s", sr_where(sr));
        if (!*ret_is_there)
                return ERR_NONE;
        uuid = vdi->row.uuid;
        want = kit_get_file(io, "/a.raw", &n);
        if (sr_open_chain(sr, &uuid, CHAIN_READ, &chain, note))
                return note->code;
        for (uint64_t at = 0; at < n; at += sizeof is)
                if (chain_read(chain, is, sizeof is, at, note) || memcmp(is, want + at, sizeof is) != 0)
                        return sweep_violation(note, "the disk in %s is another at %llu", sr_where(sr),
                                               (unsigned long long)at);
        return sr_close_chain(sr, chain, note);
}

static enum err is_somewhere(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(sr_close) struct sr *one = NULL, *two = NULL;
        bool in_one, in_two;

        (void)ctx;
        if (sr_open(io, "/one", NULL, &one, note) || sr_open(io, "/two", NULL, &two, note) ||
            check_one(io, one, &in_one, note) || check_one(io, two, &in_two, note))
                return note->code;
        if (!in_one && !in_two)
                return sweep_violation(note, "the disk is gone");
        if (outcome == SWEEP_DONE && (in_one || !in_two))
                return sweep_violation(note, "it was moved, and is in one: %d, in two: %d", in_one, in_two);
        return ERR_NONE;
}

static void a_move_loses_nothing_whatever_happens(void **state) {
        const struct sweep sweep = {.name = "move-vdi",
                                    .setup = set_up,
                                    .operate = move,
                                    .check = is_somewhere,
                                    .max_points = 60,
                                    .recoveries = 1};

        (void)state;
        assert_int_equal(sweep_crash(&sweep, 6), 0);
        assert_int_equal(sweep_fail(&sweep, 1), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_copy_is_a_disk_of_its_own_in_the_other_sr),
                cmocka_unit_test(a_copy_goes_into_the_same_sr_too_under_another_name),
                cmocka_unit_test(a_copy_of_a_snapshot_is_a_disk),
                cmocka_unit_test(what_cannot_be_copied_is_told),
                cmocka_unit_test(a_moved_disk_keeps_its_uuid_and_what_is_said_of_it),
                cmocka_unit_test(a_moved_snapshot_stays_one),
                cmocka_unit_test(a_disk_is_not_moved_over_one_of_its_uuid),
                cmocka_unit_test(a_disk_that_is_written_is_neither_copied_nor_moved),
                cmocka_unit_test(one_that_is_stopped_leaves_nothing),
                cmocka_unit_test(a_move_that_cannot_end_is_none),
                cmocka_unit_test(a_move_loses_nothing_whatever_happens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
