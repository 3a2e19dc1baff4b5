// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stdlib.h>

#include "service_manager.h"

static void who_started_us_is_found_in_the_environment(void **state) {
        struct service_manager manager;

        (void)state;
        setenv("NOTIFY_SOCKET", "/run/it", 1);
        setenv("WATCHDOG_USEC", "30000000", 1);
        unsetenv("WATCHDOG_PID");
        service_manager_find(&manager);
        assert_string_equal(manager.socket, "/run/it");
        assert_true(manager.watchdog_ns == UINT64_C(30000000000));
}

static void a_watchdog_of_another_process_is_not_ours(void **state) {
        struct service_manager manager;

        (void)state;
        setenv("NOTIFY_SOCKET", "/run/it", 1);
        setenv("WATCHDOG_USEC", "30000000", 1);
        setenv("WATCHDOG_PID", "1", 1);
        service_manager_find(&manager);
        assert_true(manager.watchdog_ns == 0);
}

static void what_is_no_number_is_none(void **state) {
        static const char *const rows[] = {"", "-1", "x", "18446744073709551615", "999999999999999"};

        (void)state;
        unsetenv("WATCHDOG_PID");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct service_manager manager;

                setenv("WATCHDOG_USEC", rows[i], 1);
                service_manager_find(&manager);
                assert_true(manager.watchdog_ns == 0);
        }
}

static void nobody_is_told_where_nobody_is(void **state) {
        struct service_manager manager;

        (void)state;
        unsetenv("NOTIFY_SOCKET");
        service_manager_find(&manager);
        assert_null(manager.socket);
        service_manager_tell(&manager, "READY=1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_started_us_is_found_in_the_environment),
                cmocka_unit_test(a_watchdog_of_another_process_is_not_ours),
                cmocka_unit_test(what_is_no_number_is_none),
                cmocka_unit_test(nobody_is_told_where_nobody_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
