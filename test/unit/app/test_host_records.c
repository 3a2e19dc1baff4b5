// SPDX-License-Identifier: Apache-2.0
#include "service/objects_kit.h"

#include "host_records.h"

static void assert_field(struct objects *objects, enum xapi_class_id class, const struct uuid *uuid,
                         const char *field, const char *want) {
        json_t *value = objects_field(objects, class, uuid, field);

        assert_string_equal(json_string_value(value), want);
        json_decref(value);
}

static void they_are_made_once_and_stay_the_same(void **state) {
        struct kit kit = kit_open();
        struct uuid host, pool, host_again, pool_again;
        struct err_note note = {0};

        (void)state;
        assert_ok(host_records_find(kit.io, kit.objects, "alpha", "10.0.0.1", &host, &pool, &note));
        kit_restart(&kit);
        assert_ok(
                host_records_find(kit.io, kit.objects, "beta", "10.0.0.2", &host_again, &pool_again, &note));
        assert_true(uuid_equal(&host, &host_again) && uuid_equal(&pool, &pool_again));
        assert_int_equal(objects_count(kit.objects, XAPI_HOST), 1);
        assert_int_equal(objects_count(kit.objects, XAPI_POOL), 1);
        assert_field(kit.objects, XAPI_HOST, &host, "name_label", "alpha");
        assert_field(kit.objects, XAPI_HOST, &host, "hostname", "beta");
        assert_field(kit.objects, XAPI_HOST, &host, "address", "10.0.0.2");
        assert_field(kit.objects, XAPI_POOL, &pool, "master", xapi_ref_of(&host).s);
        kit_close(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(they_are_made_once_and_stay_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
