// SPDX-License-Identifier: Apache-2.0
#include "origin.h"

#include "check.h"
#include "json_text.h"

#define OTHER_VAULT "11111111111111111111111111111111"
#define OTHER_POINT "22222222222222222222222222222222"

static void a_copy_is_what_its_disks_say_and_all_else_is_itself(void **state) {
        static const struct vault vault = {.config.id = {{1}}};
        AUTO(json_decref)
        json_t *copy = json_pack("{s:{s:s, s:s}}", "origin", "vault", OTHER_VAULT, "point", OTHER_POINT);
        AUTO(json_decref) json_t *half = json_pack("{s:{s:s}}", "origin", "vault", OTHER_VAULT);
        AUTO(json_decref)
        json_t *text = json_pack("{s:{s:s, s:s}}", "origin", "vault", "short", "point", OTHER_POINT);
        struct vault_disk disk = {0};
        struct point point = {.name = {{2}}};
        struct origin own, other;

        (void)state;
        origin_of(&vault, &point, &own);
        assert_string_equal(own.vault, "01000000000000000000000000000000");
        assert_string_equal(own.point, "02000000000000000000000000000000");
        point.manifest.disks.data = &disk;
        point.manifest.disks.n = 1;
        for (int i = 0; i < 3; i++) {
                disk.source = i == 0 ? NULL : i == 1 ? half : text;
                origin_of(&vault, &point, &other);
                assert_true(origin_equal(&own, &other));
        }
        disk.source = copy;
        origin_of(&vault, &point, &other);
        assert_string_equal(other.vault, OTHER_VAULT);
        assert_string_equal(other.point, OTHER_POINT);
        assert_false(origin_equal(&own, &other));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_copy_is_what_its_disks_say_and_all_else_is_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
