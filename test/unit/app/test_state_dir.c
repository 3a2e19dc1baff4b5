// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <unistd.h>

#include "mem.h"
#include "state_dir.h"

static void what_is_said_is_taken(void **state) {
        AUTO_FREE char *dir = NULL;

        (void)state;
        setenv("XDG_STATE_HOME", "/somewhere", 1);
        dir = state_dir_usual();
        assert_string_equal(dir, "/somewhere/catena");
}

static void what_is_no_absolute_path_is_not(void **state) {
        AUTO_FREE char *dir = NULL;

        (void)state;
        setenv("XDG_STATE_HOME", "somewhere", 1);
        setenv("HOME", "/house", 1);
        dir = state_dir_usual();
        assert_string_equal(dir, geteuid() == 0 ? "/var/lib/catena" : "/house/.local/state/catena");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_said_is_taken),
                cmocka_unit_test(what_is_no_absolute_path_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
