// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "keeper.h"
#include "sr_call.h"

enum { PEOPLE_SIZE = 64 };

/* What the keeper asked of its door. */
struct door {
        char log[PEOPLE_SIZE]; /* 'o' opened, 'c' closed, 'r' closed with the file to be removed */
        char folder[PEOPLE_SIZE];
        struct keeper *keeper; /* borrowed */
};

static const char *open_door(void *user, struct keeper *keeper, const char *folder) {
        struct door *door = user;

        door->keeper = keeper;
        strcat(door->log, "o");
        snprintf(door->folder, sizeof door->folder, "%s", folder);
        return "it.sock";
}

static void close_door(void *user, bool may_remove) {
        strcat(((struct door *)user)->log, may_remove ? "r" : "c");
}

struct house {
        struct io *io; /* owned */
        struct door door;
        struct keeper *keeper; /* owned */
};

static const struct sr_self self = {.host = "alpha", .pid = 7, .command = "catena test"};

static int set_up(void **state) {
        struct house *house = calloc(1, sizeof *house);
        struct keeper_door door = {.open = open_door, .close = close_door, .user = &house->door};
        struct err_note note = {0};
        struct uuid uuid;

        house->io = io_sim_new(1, 0);
        assert_ok(sr_create(house->io, "/sr", "main", NULL, &uuid, &note));
        house->keeper = keeper_new(house->io, &self, &door);
        *state = house;
        return 0;
}

static int tear_down(void **state) {
        struct house *house = *state;

        if (house->keeper)
                keeper_free(house->keeper);
        io_free(house->io);
        free(house);
        return 0;
}

static void the_door_is_open_before_anybody_can_read_of_it(void **state) {
        struct house *house = *state;
        AUTO(sr_owner_fini) struct sr_owner owner = {0};
        struct err_note note = {0};
        struct turn *turn;
        struct sr *sr;

        assert_err(sr_owner_of(house->io, "/sr", &owner, &note), ERR_NOT_FOUND, "/sr");
        assert_ok(keeper_enter(house->keeper, "/sr", "vdi list", NULL, &sr, &turn, &note));
        assert_string_equal(house->door.log, "o");
        assert_string_equal(house->door.folder, "/sr/.catena");
        assert_ptr_equal(house->door.keeper, house->keeper);
        assert_ok(sr_owner_of(house->io, "/sr", &owner, &note));
        assert_string_equal(owner.socket, "it.sock");
        assert_string_equal(owner.folder, "/sr/.catena");
        assert_string_equal(owner.host, "alpha");
        assert_int_equal(owner.pid, 7);
        keeper_leave(house->keeper);
}

static void the_sr_stays_open_from_call_to_call_until_the_end(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct turn *turn;
        struct sr *first, *second, *other;

        assert_ok(keeper_enter(house->keeper, "/sr", "a", NULL, &first, &turn, &note));
        keeper_leave(house->keeper);
        assert_ok(keeper_join(house->keeper, "/sr", "b", NULL, &second, &turn, &note));
        assert_ptr_equal(first, second);
        keeper_leave(house->keeper);
        assert_err(sr_open(house->io, "/sr", NULL, &other, &note), ERR_BUSY, "pid 7 on host alpha");
        keeper_free(TAKE(house->keeper));
        assert_string_equal(house->door.log, "or");
        assert_ok(sr_open(house->io, "/sr", NULL, &other, &note));
        sr_close(other);
}

static void one_that_comes_before_the_sr_is_open_is_sent_away(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct turn *turn;
        struct sr *sr;

        assert_err(keeper_join(house->keeper, "/sr", "b", NULL, &sr, &turn, &note), ERR_CLOSED,
                   "not open here");
        /* … and does not keep the turn. */
        assert_ok(keeper_enter(house->keeper, "/sr", "a", NULL, &sr, &turn, &note));
        keeper_leave(house->keeper);
}

static void another_sr_is_refused(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct uuid uuid;
        struct turn *turn;
        struct sr *sr;

        assert_ok(sr_create(house->io, "/other", "other", NULL, &uuid, &note));
        assert_ok(keeper_enter(house->keeper, "/sr", "a", NULL, &sr, &turn, &note));
        keeper_leave(house->keeper);
        assert_err(keeper_join(house->keeper, "/other", "b", NULL, &sr, &turn, &note), ERR_INVALID,
                   "owns the SR /sr, not /other");
        assert_ok(keeper_join(house->keeper, "/sr", "b", NULL, &sr, &turn, &note));
        keeper_leave(house->keeper);
}

static void who_is_stopped_does_not_wait_for_the_turn(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        atomic_bool stop = true;
        struct turn *turn;
        struct sr *sr;

        assert_ok(keeper_enter(house->keeper, "/sr", "a", NULL, &sr, &turn, &note));
        assert_err(keeper_join(house->keeper, "/sr", "b", &stop, &sr, &turn, &note), ERR_CANCELLED, "");
        keeper_leave(house->keeper);
}

static void an_sr_that_cannot_be_opened_closes_the_door_and_leaves_its_file_alone(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct io_file *file;
        struct turn *turn;
        struct sr *sr;

        assert_ok(io_open(house->io, "/sr/.catena/catalog.db", IO_WRITE, &file, &note));
        assert_ok(io_write(file, "no database", 11, 0, &note));
        io_close(file);
        assert_int_not_equal(keeper_enter(house->keeper, "/sr", "a", NULL, &sr, &turn, &note), ERR_NONE);
        /* The lock is gone: a socket of that name may be the next owner's. */
        assert_string_equal(house->door.log, "oc");
        /* … and nobody has the turn. */
        assert_err(keeper_join(house->keeper, "/sr", "b", NULL, &sr, &turn, &note), ERR_CLOSED,
                   "not open here");
        keeper_free(TAKE(house->keeper));
        assert_string_equal(house->door.log, "oc");
}

static void a_folder_that_was_handed_back_keeps_its_new_owners_socket(void **state) {
        struct house *house = *state;
        struct err_note note = {0};
        struct turn *turn;
        struct sr *sr;

        assert_ok(keeper_enter(house->keeper, "/sr", "sr release", NULL, &sr, &turn, &note));
        assert_ok(sr_release(sr, &note));
        keeper_leave(house->keeper);
        keeper_free(TAKE(house->keeper));
        assert_string_equal(house->door.log, "oc");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(the_door_is_open_before_anybody_can_read_of_it),
                CASE(the_sr_stays_open_from_call_to_call_until_the_end),
                CASE(one_that_comes_before_the_sr_is_open_is_sent_away),
                CASE(another_sr_is_refused),
                CASE(who_is_stopped_does_not_wait_for_the_turn),
                CASE(an_sr_that_cannot_be_opened_closes_the_door_and_leaves_its_file_alone),
                CASE(a_folder_that_was_handed_back_keeps_its_new_owners_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
