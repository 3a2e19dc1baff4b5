// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "owner.h"

static const struct sr_self here = {.host = "alpha", .pid = 4711, .command = "catena vdi import"};
static const struct sr_self there = {.host = "beta", .pid = 1, .command = "catena"};

static void the_second_owner_is_told_who_the_first_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_file *first, *second;

        (void)state;
        assert_ok(owner_take(io, "/owner", &here, &first, &note));
        assert_err(owner_take(io, "/owner", &here, &second, &note), ERR_BUSY,
                   "in use by pid 4711 on host alpha (catena vdi import) since ");
        owner_leave(first);
        assert_ok(owner_take(io, "/owner", &there, &second, &note));
        owner_leave(second);
}

static void one_that_died_here_is_replaced_and_one_of_another_host_is_believed(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct io_file *file;

        (void)state;
        assert_ok(owner_take(io, "/owner", &here, &file, &note));
        io_close(file); /* died: the words stay, the lock does not */
        assert_err(owner_take(io, "/owner", &there, &file, &note), ERR_BUSY, "another host owns it");
        assert_non_null(strstr(note.text, "pid 4711 on host alpha"));
        assert_non_null(strstr(note.text, "empty /owner"));
        assert_ok(owner_take(io, "/owner", &here, &file, &note));
        owner_leave(file);
}

static void an_sr_has_one_owner_and_readers_are_told_who(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        const struct sr_options own = {.self = &here}, read = {.mode = SR_READ_ONLY};
        struct err_note note = {0};
        struct sr *sr, *second;
        struct uuid uuid;

        (void)state;
        assert_ok(sr_create(io, KIT_DIR, "main", &own, &uuid, &note));
        assert_ok(sr_open(io, KIT_DIR, &own, &sr, &note));
        assert_err(sr_open(io, KIT_DIR, &own, &second, &note), ERR_BUSY, "pid 4711 on host alpha");
        assert_err(sr_open(io, KIT_DIR, &read, &second, &note), ERR_BUSY, "pid 4711 on host alpha");
        sr_close(sr);
        assert_ok(sr_open(io, KIT_DIR, &read, &sr, &note));
        assert_string_equal(sr_info(sr)->name, "main");
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_second_owner_is_told_who_the_first_is),
                cmocka_unit_test(one_that_died_here_is_replaced_and_one_of_another_host_is_believed),
                cmocka_unit_test(an_sr_has_one_owner_and_readers_are_told_who),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
