// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <zstd.h>

#include "press.h"

static const struct vault_config zstd_1 = {.compresses = true, .level = 1};

static void what_gets_shorter_is_one_frame_that_says_its_size(void **state) {
        AUTO(press_free) struct press *press = press_new(&zstd_1);
        uint8_t data[65536], pressed[65536], back[65536];
        size_t n;

        (void)state;
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (uint8_t)(i / 100);
        for (int again = 0; again < 3; again++) {
                n = press_bytes(press, data, sizeof data, pressed);
                assert_true(n > 0 && n < sizeof data);
                assert_int_equal(ZSTD_getFrameContentSize(pressed, n), sizeof data);
                assert_int_equal(ZSTD_decompress(back, sizeof back, pressed, n), sizeof data);
                assert_memory_equal(back, data, sizeof data);
        }
}

static void what_does_not_stays_as_it_is(void **state) {
        AUTO(press_free) struct press *press = press_new(&zstd_1);
        uint8_t data[4096], pressed[4096];
        uint64_t x = 88172645463325252;

        (void)state;
        for (size_t i = 0; i < sizeof data; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                data[i] = (uint8_t)x;
        }
        assert_int_equal(press_bytes(press, data, sizeof data, pressed), 0);
        assert_int_equal(press_bytes(press, data, 1, pressed), 0);
        assert_int_equal(press_bytes(press, data, 0, pressed), 0);
}

static void a_vault_that_does_not_compress_presses_nothing(void **state) {
        const struct vault_config plain = {.compresses = false};
        AUTO(press_free) struct press *press = press_new(&plain);
        uint8_t data[4096] = {0}, pressed[4096];

        (void)state;
        assert_int_equal(press_bytes(press, data, sizeof data, pressed), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_gets_shorter_is_one_frame_that_says_its_size),
                cmocka_unit_test(what_does_not_stays_as_it_is),
                cmocka_unit_test(a_vault_that_does_not_compress_presses_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
