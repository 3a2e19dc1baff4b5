// SPDX-License-Identifier: Apache-2.0
#include "copy_kit.h"

#include "vdi_move.h"

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

static void a_disk_is_not_moved_to_where_it_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_srs(io);
        assert_err(kit_fails(io, "vdi", "move", "{'sr': 'one', 'vdi': 'a', 'to': 'one'}", &note), ERR_INVALID,
                   "already");
        assert_int_equal(count_vdis(io, "one"), 1);
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

static void a_disk_that_is_open_by_itself_is_not_moved(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        assert_ok(sr_open_chain(house.one, &house.copy.vdi, CHAIN_WRITE, &chain, &note));
        assert_err(vdi_move_run(&house.copy, &note), ERR_BUSY, "close it before you move it");
        assert_ok(sr_close_chain(house.one, chain, &note));
        assert_ok(vdi_move_run(&house.copy, &note));
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

static void a_move_that_is_stopped_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(close_house) struct house house = {0};
        struct err_note note = {0};

        (void)state;
        make_srs(io);
        assert_ok(open_house(io, &house, &note));
        atomic_store(&house.stops, true);
        assert_err(vdi_move_run(&house.copy, &note), ERR_CANCELLED, "");
        assert_ok(sr_scan(house.two, &note));
        assert_int_equal(sr_n_vdis(house.two), 0);
        assert_int_equal(sr_tree(house.two)->listing.temporary.n, 0);
        assert_int_equal(sr_n_vdis(house.one), 1);
}

/* Time goes on with each change, so that progress is shown. */
static void pass_time(void *user, const char *verb, const char *path) {
        (void)verb, (void)path;
        io_sim_advance(user, 200 * 1000 * 1000);
}

/* Somebody opens the disk to read it while it is copied: the end is refused, and the copy goes again. */
struct late {
        struct house *house; /* borrowed */
        struct chain *chain; /* owned by the test */
};

static void open_late(void *user, const struct progress *progress) {
        struct late *late = user;
        struct err_note note = {0};

        if (!late->chain && !progress->has_ended)
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
        io_sim_set_watch(io, pass_time, io);
        assert_err(vdi_move_run(&house.copy, &note), ERR_BUSY, "open for reading");
        assert_int_equal(sr_n_vdis(house.two), 0);
        assert_int_equal(sr_n_vdis(house.one), 1);
        assert_ok(sr_close_chain(house.one, late.chain, &note));
        house.progress.show = NULL;
        assert_ok(vdi_move_run(&house.copy, &note));
}

/* ---- with a guest who writes ---- */

struct guest {
        struct house house;
        struct chain *chain; /* owned by the SR that it is of */
        struct sr *sr;       /* borrowed; where it is open */
        bool may_follow;
        char log[16];      /* a: stepped aside, b: back, o: over */
        uint64_t large[2]; /* bytes to write in the first two rounds */
        unsigned n_shown;
        uint64_t total;
        unsigned n_rounds;            /* in which progress was shown */
        void (*once)(struct guest *); /* in the second round */
};

static void open_guest(struct guest *guest);

static bool is_wanted(void *user, char *ret_who, size_t size) {
        (void)user;
        snprintf(ret_who, size, "a guest is there");
        return true;
}

static enum err step_aside(void *user, struct err_note *note) {
        struct guest *guest = user;

        strcat(guest->log, "a");
        return sr_close_chain(guest->sr, TAKE(guest->chain), note);
}

static void step_back(void *user) {
        struct guest *guest = user;

        strcat(guest->log, "b");
        open_guest(guest);
}

static bool may_follow(void *user, const struct sr *to) {
        struct guest *guest = user;

        return guest->may_follow && to == guest->house.two;
}

static void step_over(void *user, const struct sr *to) {
        struct guest *guest = user;

        assert_ptr_equal(to, guest->house.two);
        guest->sr = guest->house.two;
        strcat(guest->log, "o");
        open_guest(guest);
}

static void open_guest(struct guest *guest) {
        const struct sr_opener opener = {.is_wanted = is_wanted,
                                         .step_aside = step_aside,
                                         .step_back = step_back,
                                         .may_follow = may_follow,
                                         .step_over = step_over,
                                         .user = guest};
        struct err_note note = {0};

        assert_ok(sr_open_chain(guest->sr, &guest->house.copy.vdi, CHAIN_WRITE, &guest->chain, &note));
        sr_set_opener(guest->sr, guest->chain, &opener);
}

enum { GUEST_SIZE = 64 * 1024 * 1024 };

static void write_large(struct guest *guest, uint64_t n, uint8_t letter) {
        AUTO_FREE uint8_t *data = mem_zero(MIB);
        struct err_note note = {0};

        memset(data, letter, MIB);
        for (uint64_t at = 0; at < n; at += MIB)
                assert_ok(chain_write(guest->chain, data, MIB, at, &note));
}

/* Round by round: the total grows by what each will copy. */
static void write_meanwhile(void *user, const struct progress *progress) {
        struct guest *guest = user;

        if (progress->has_ended || progress->total == guest->total)
                return;
        guest->total = progress->total;
        if (guest->n_rounds < 2 && guest->large[guest->n_rounds])
                write_large(guest, guest->large[guest->n_rounds], (uint8_t)('r' + guest->n_rounds));
        guest->n_rounds++;
        if (guest->n_rounds == 2 && guest->once)
                guest->once(guest);
}

static void begin_guest(struct guest *guest, struct io *io) {
        struct err_note note = {0};

        make_srs(io);
        kit_do(io, "vdi", "resize", "{'sr': 'one', 'vdi': 'a', 'size': 67108864}");
        assert_ok(open_house(io, &guest->house, &note));
        guest->house.progress.is_cancelled = &guest->house.stops;
        guest->house.progress.show = write_meanwhile;
        guest->house.progress.user = guest;
        guest->sr = guest->house.one;
        open_guest(guest);
        write_large(guest, 2 * MIB, 'q');
        io_sim_set_watch(io, pass_time, io);
}

static void end_guest(struct guest *guest) {
        struct err_note note = {0};

        io_sim_set_watch(guest->house.io, NULL, NULL);
        if (guest->chain)
                assert_ok(sr_close_chain(guest->sr, guest->chain, &note));
        close_house(&guest->house);
}
DEFINE_AUTO_IN_PLACE(struct guest, end_guest);

/* One letter from the beginning on, up to n. */
static void assert_reads(struct chain *chain, uint64_t from, uint64_t n, uint8_t letter) {
        AUTO_FREE uint8_t *is = mem_zero(MIB);
        AUTO_FREE uint8_t *want = mem_zero(MIB);
        struct err_note note = {0};

        memset(want, letter, MIB);
        for (uint64_t at = from; at < n; at += MIB) {
                assert_ok(chain_read(chain, is, MIB, at, &note));
                assert_memory_equal(is, want, MIB);
        }
}

static void rename_it(struct guest *guest) {
        const struct vdi_settings settings = {.name = "b"};
        struct err_note note = {0};

        assert_ok(sr_vdi_set(guest->house.one, &guest->house.copy.vdi, &settings, &note));
}

static void a_disk_moves_below_who_writes_to_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(end_guest)
        struct guest guest = {.may_follow = true, .large = {24 * MIB, 18 * MIB}, .once = rename_it};
        struct err_note note = {0};

        (void)state;
        begin_guest(&guest, io);
        assert_ok(vdi_move_run(&guest.house.copy, &note));
        assert_string_equal(guest.log, "ao");
        assert_ptr_equal(guest.sr, guest.house.two);
        assert_reads(guest.chain, 0, 18 * MIB, 's');
        assert_reads(guest.chain, 18 * MIB, 24 * MIB, 'r');
        assert_reads(guest.chain, 24 * MIB, GUEST_SIZE, 0);
        /* All, what the first round's writes left, what the second's did, and nothing after that. */
        assert_int_equal(guest.house.progress.total, GUEST_SIZE + 24 * MIB + 18 * MIB);
        assert_int_equal(guest.house.progress.done, guest.house.progress.total);
        assert_int_equal(sr_n_vdis(guest.house.one), 0);
        assert_int_equal(sr_tree(guest.house.one)->nodes.n, 0);
        assert_int_equal(sr_tree(guest.house.two)->nodes.n, 1);
        assert_string_equal(sr_vdi_at(guest.house.two, 0)->row.name, "b");
        assert_string_equal(sr_vdi_at(guest.house.two, 0)->row.description, "first");
}

static void who_cannot_follow_is_named_and_nothing_is_done(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(end_guest) struct guest guest = {0};
        struct err_note note = {0};

        (void)state;
        begin_guest(&guest, io);
        assert_err(vdi_move_run(&guest.house.copy, &note), ERR_BUSY, "a guest is there");
        assert_string_equal(guest.log, "");
        assert_int_equal(sr_tree(guest.house.one)->nodes.n, 1);
        assert_int_equal(sr_n_vdis(guest.house.two), 0);
}

static void stop_it(struct guest *guest) {
        atomic_store(&guest->house.stops, true);
}

static void one_that_is_stopped_in_any_round_leaves_the_guest_where_it_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(end_guest) struct guest guest = {.may_follow = true, .large = {20 * MIB}, .once = stop_it};
        struct err_note note = {0};

        (void)state;
        begin_guest(&guest, io);
        assert_err(vdi_move_run(&guest.house.copy, &note), ERR_CANCELLED, "");
        assert_string_equal(guest.log, "");
        assert_reads(guest.chain, 0, 20 * MIB, 'r');
        assert_ok(sr_scan(guest.house.two, &note));
        assert_int_equal(sr_n_vdis(guest.house.two), 0);
        assert_int_equal(sr_tree(guest.house.two)->listing.temporary.n, 0);
        /* Nobody holds what the rounds looked at. */
        guest.once = NULL;
        atomic_store(&guest.house.stops, false);
        assert_ok(vdi_move_run(&guest.house.copy, &note));
        assert_string_equal(guest.log, "ao");
        assert_reads(guest.chain, 0, 20 * MIB, 'r');
}

/* It is stopped once the guest stands aside. */
static void stop_at_the_end(void *user, const struct progress *progress) {
        struct guest *guest = user;

        if (!progress->has_ended && !*guest->log && progress->total == guest->total) {
                write_large(guest, 4 * MIB, 'e');
                return;
        }
        guest->total = progress->total;
        if (*guest->log)
                stop_it(guest);
}

static void one_that_is_stopped_at_the_end_goes_on_where_it_was(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(end_guest) struct guest guest = {.may_follow = true};
        struct err_note note = {0};

        (void)state;
        begin_guest(&guest, io);
        guest.house.progress.show = stop_at_the_end;
        assert_err(vdi_move_run(&guest.house.copy, &note), ERR_CANCELLED, "");
        assert_string_equal(guest.log, "ab");
        assert_ptr_equal(guest.sr, guest.house.one);
        assert_reads(guest.chain, 0, 4 * MIB, 'e');
        assert_int_equal(sr_n_vdis(guest.house.two), 0);
}

static void grow_it(struct guest *guest) {
        struct err_note note = {0};

        assert_ok(sr_vdi_resize(guest->house.one, &guest->house.copy.vdi, 2 * GUEST_SIZE, &note));
}

static void one_that_grows_meanwhile_is_begun_again(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(end_guest) struct guest guest = {.may_follow = true, .large = {20 * MIB}, .once = grow_it};
        struct err_note note = {0};

        (void)state;
        begin_guest(&guest, io);
        assert_err(vdi_move_run(&guest.house.copy, &note), ERR_INVALID, "resized");
        guest.once = NULL;
        assert_ok(vdi_move_run(&guest.house.copy, &note));
        assert_int_equal(chain_size(guest.chain), 2 * GUEST_SIZE);
        assert_reads(guest.chain, 0, 20 * MIB, 'r');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_moved_disk_keeps_its_uuid_and_what_is_said_of_it),
                cmocka_unit_test(a_disk_is_not_moved_to_where_it_is),
                cmocka_unit_test(a_moved_snapshot_stays_one),
                cmocka_unit_test(a_disk_that_is_open_by_itself_is_not_moved),
                cmocka_unit_test(a_disk_is_not_moved_over_one_of_its_uuid),
                cmocka_unit_test(a_move_that_is_stopped_leaves_nothing),
                cmocka_unit_test(a_move_that_cannot_end_is_none),
                cmocka_unit_test(a_disk_moves_below_who_writes_to_it),
                cmocka_unit_test(who_cannot_follow_is_named_and_nothing_is_done),
                cmocka_unit_test(one_that_is_stopped_in_any_round_leaves_the_guest_where_it_is),
                cmocka_unit_test(one_that_is_stopped_at_the_end_goes_on_where_it_was),
                cmocka_unit_test(one_that_grows_meanwhile_is_begun_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
