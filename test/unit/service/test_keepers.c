// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "keepers.h"

static struct keeper *new_keeper(struct io *io) {
        const struct sr_self self = {.host = "alpha", .pid = 7, .command = "catenad"};

        return keeper_new(io, &self, NULL);
}

static void each_is_found_by_its_folder(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(keepers_free) struct keepers *keepers = keepers_new();
        AUTO(keeper_free) struct keeper *one = new_keeper(io), *other = new_keeper(io);

        (void)state;
        keepers_add(keepers, "/one", one);
        keepers_add(keepers, "/other", other);
        assert_ptr_equal(keepers_find(keepers, "/one"), one);
        assert_ptr_equal(keepers_find(keepers, "/other"), other);
        assert_null(keepers_find(keepers, "/on"));
}

static void one_that_was_removed_is_not_found(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(keepers_free) struct keepers *keepers = keepers_new();
        AUTO(keeper_free) struct keeper *one = new_keeper(io), *other = new_keeper(io);

        (void)state;
        keepers_add(keepers, "/one", one);
        keepers_add(keepers, "/other", other);
        keepers_remove(keepers, "/one");
        keepers_remove(keepers, "/never-there");
        assert_null(keepers_find(keepers, "/one"));
        assert_ptr_equal(keepers_find(keepers, "/other"), other);
        keepers_add(keepers, "/one", other);
        assert_ptr_equal(keepers_find(keepers, "/one"), other);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_is_found_by_its_folder),
                cmocka_unit_test(one_that_was_removed_is_not_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
