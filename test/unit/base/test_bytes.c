// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "bytes.h"

static void fields_are_big_endian(void **state) {
        (void)state;
        assert_memory_equal(be16_put(0x0102).b, "\1\2", 2);
        assert_memory_equal(be32_put(0x01020304).b, "\1\2\3\4", 4);
        assert_memory_equal(be64_put(0x0102030405060708).b, "\1\2\3\4\5\6\7\10", 8);
        assert_int_equal(be16_get(be16_put(0xfedc)), 0xfedc);
        assert_int_equal(be32_get(be32_put(0xfedcba98)), 0xfedcba98);
        assert_true(be64_get(be64_put(0xfedcba9876543210)) == 0xfedcba9876543210);
}

static void or_little_endian(void **state) {
        (void)state;
        assert_memory_equal(le32_put(0x01020304).b, "\4\3\2\1", 4);
        assert_memory_equal(le64_put(0x0102030405060708).b, "\10\7\6\5\4\3\2\1", 8);
        assert_int_equal(le32_get(le32_put(0xfedcba98)), 0xfedcba98);
        assert_true(le64_get(le64_put(0xfedcba9876543210)) == 0xfedcba9876543210);
}

static void what_does_not_fit_is_said(void **state) {
        uint64_t v = 7;

        (void)state;
        assert_false(add_u64(UINT64_MAX, 1, &v));
        assert_false(mul_u64(UINT64_MAX / 2, 3, &v));
        assert_int_equal(v, 7);
        assert_true(add_u64(1, 2, &v));
        assert_int_equal(v, 3);
        assert_true(range_fits(0, 10, 10));
        assert_true(range_fits(10, 0, 10));
        assert_false(range_fits(1, 10, 10));
        assert_false(range_fits(UINT64_MAX, 2, 10));
        assert_false(range_fits(5, UINT64_MAX, 10));
}

static void rounding(void **state) {
        (void)state;
        assert_int_equal(round_up(1, 512), 512);
        assert_int_equal(round_up(512, 512), 512);
        assert_int_equal(round_down(1023, 512), 512);
        assert_int_equal(div_up(0, 8), 0);
        assert_int_equal(div_up(9, 8), 2);
}

static void zeros_are_zeros_and_nothing_else_is(void **state) {
        uint8_t data[1024] = {0};

        (void)state;
        assert_true(bytes_are_zero(data, sizeof data));
        assert_true(bytes_are_zero(data, 0));
        for (size_t i = 0; i < sizeof data; i++) {
                data[i] = 1;
                assert_false(bytes_are_zero(data, sizeof data));
                data[i] = 0;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fields_are_big_endian),
                cmocka_unit_test(or_little_endian),
                cmocka_unit_test(what_does_not_fit_is_said),
                cmocka_unit_test(rounding),
                cmocka_unit_test(zeros_are_zeros_and_nothing_else_is),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
