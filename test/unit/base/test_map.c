// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "map.h"
#include "vec.h"

static void what_was_put_is_found_until_removed(void **state) {
        static int values[1000];
        AUTO(map_fini) struct map m = {0};
        size_t place = 0, n = 0;

        (void)state;
        assert_null(map_get(&m, map_key_u64(3)));
        assert_null(map_remove(&m, map_key_u64(3)));
        for (uint64_t i = 0; i < 1000; i++)
                map_put(&m, map_key_u64(i * 4096), &values[i]);
        for (uint64_t i = 0; i < 1000; i++)
                assert_ptr_equal(map_get(&m, map_key_u64(i * 4096)), &values[i]);
        for (uint64_t i = 0; i < 1000; i += 2)
                assert_ptr_equal(map_remove(&m, map_key_u64(i * 4096)), &values[i]);
        for (uint64_t i = 0; i < 1000; i++)
                assert_ptr_equal(map_get(&m, map_key_u64(i * 4096)), i % 2 ? &values[i] : NULL);
        while (map_next(&m, &place))
                n++;
        assert_int_equal(n, 500);
}

static void a_vec_keeps_order(void **state) {
        VEC(int) v = {0};
        int sum = 0;

        (void)state;
        for (int i = 0; i < 100; i++)
                *vec_add(&v) = i;
        vec_remove_at(&v, 50);
        assert_int_equal(v.n, 99);
        assert_int_equal(v.data[50], 51);
        VEC_EACH(&v, each)
                sum += *each;
        assert_int_equal(sum, 4950 - 50);
        vec_fini(&v);
        assert_int_equal(v.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_put_is_found_until_removed),
                cmocka_unit_test(a_vec_keeps_order),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
