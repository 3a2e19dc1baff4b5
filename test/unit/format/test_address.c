// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "address.h"

static void what_is_an_address_is_taken_apart(void **state) {
        static const struct {
                const char *text, *host;
                unsigned port;
                bool is_loopback, is_any;
        } rows[] = {
                {"127.0.0.1:80", "127.0.0.1", 80, true, false},
                {"127.1.2.3:0", "127.1.2.3", 0, true, false},
                {"localhost:65535", "localhost", 65535, true, false},
                {"[::1]:443", "::1", 443, true, false},
                {"[fe80::1]:443", "fe80::1", 443, false, false},
                {":443", "", 443, false, true},
                {"0.0.0.0:443", "0.0.0.0", 443, false, true},
                {"[::]:443", "::", 443, false, true},
                {"storage-3.example:8443", "storage-3.example", 8443, false, false},
                {"127.example:1", "127.example", 1, false, false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct address address;

                assert_true(address_parse(rows[i].text, &address));
                assert_string_equal(address.host, rows[i].host);
                assert_int_equal(address.port, rows[i].port);
                assert_int_equal(address_is_loopback(&address), rows[i].is_loopback);
                assert_int_equal(address_is_any(&address), rows[i].is_any);
        }
}

static void what_is_none_is_refused(void **state) {
        static const char *const rows[] = {
                "",      "127.0.0.1",    "80",        "127.0.0.1:",   "127.0.0.1:65536", "127.0.0.1:-1",
                "a b:1", "127.0.0.1:1a", "::1:80",    "[::1:80",      "[]:80",           "[::1]80",
                "a/b:1", "[a/b]:1",      "[::1] :80", "h:0000000001",
        };
        char long_one[ADDRESS_HOST_MAX + 10];
        struct address address;

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                assert_false(address_parse(rows[i], &address));
        memset(long_one, 'a', sizeof long_one);
        memcpy(long_one + sizeof long_one - 3, ":1", 3);
        assert_false(address_parse(long_one, &address));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_an_address_is_taken_apart),
                cmocka_unit_test(what_is_none_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
