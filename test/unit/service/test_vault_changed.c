// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_changed.h"

static enum err decode(const char *text, struct vault_changed *ret, struct err_note *note) {
        return vault_changed_decode((struct span){(const uint8_t *)text, strlen(text)}, ret, note);
}

static void extents_come_in_order_and_joined(void **state) {
        AUTO(vault_changed_fini) struct vault_changed changed = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(decode(
                "{\"since\":\"a\",\"extents\":[{\"offset\":100,\"length\":10},{\"offset\":0,\"length\":5},"
                "{\"offset\":104,\"length\":2},{\"offset\":7,\"length\":0},{\"offset\":110,\"length\":1},"
                "{\"offset\":5,\"length\":1}]}",
                &changed, &note));
        assert_string_equal(changed.since, "a");
        assert_int_equal(changed.extents.n, 2);
        assert_int_equal(changed.extents.data[0].at, 0);
        assert_int_equal(changed.extents.data[0].n, 6);
        assert_int_equal(changed.extents.data[1].at, 100);
        assert_int_equal(changed.extents.data[1].n, 11);
}

static void what_is_no_such_list_says_why(void **state) {
        static const char *const bad[][2] = {
                {"{", "line 1"},
                {"{\"extents\":[]}", "since is missing"},
                {"{\"since\":\"a\"}", "extents is missing"},
                {"{\"since\":\"a\",\"extents\":[{\"offset\":1}]}", "extent 0 needs offset and length"},
                {"{\"since\":\"a\",\"extents\":[{\"offset\":-1,\"length\":1}]}", "extent 0 needs"},
                {"{\"since\":\"a\",\"extents\":[{\"offset\":1.5,\"length\":1}]}", "extent 0 needs"},
                {"{\"since\":\"a\",\"since\":\"b\",\"extents\":[]}", "duplicate"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct vault_changed changed;
                struct err_note note;

                assert_err(decode(bad[i][0], &changed, &note), ERR_CORRUPT, bad[i][1]);
        }
}

static void it_is_since_the_parent_or_it_is_refused(void **state) {
        const struct vault_name point = {.b = {1, 2, 3}};
        struct vault_changed changed = {.since = (char *)(uintptr_t) "monday"};
        struct vault_disk disk = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(vault_changed_check(&changed, &point, &disk, &note), ERR_MISMATCH, "since 'monday'");
        disk.source = json_pack("{s:s}", "state", "monday");
        assert_ok(vault_changed_check(&changed, &point, &disk, &note));
        changed.since = (char *)(uintptr_t) "tuesday";
        assert_err(vault_changed_check(&changed, &point, &disk, &note), ERR_MISMATCH, "of state monday");
        changed.since = (char *)(uintptr_t) "01020300000000000000000000000000";
        assert_ok(vault_changed_check(&changed, &point, &disk, &note));
        json_decref(disk.source);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(extents_come_in_order_and_joined),
                cmocka_unit_test(what_is_no_such_list_says_why),
                cmocka_unit_test(it_is_since_the_parent_or_it_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
