// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd_bitmap.h"

enum { N = VHD_BLOCK_SECTORS };

/* The same, bit by bit: what the fast ones are compared with. */
static bool slow_test(const uint8_t *bits, uint32_t i) {
        return bits[i / 8] >> (7 - i % 8) & 1;
}

static uint32_t slow_next(const uint8_t *bits, uint32_t from, uint32_t limit, bool want) {
        while (from < limit && slow_test(bits, from) != want)
                from++;
        return from;
}

static uint64_t dice(uint64_t *seed) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        return *seed >> 33;
}

static void the_highest_bit_is_the_first_sector(void **state) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};

        (void)state;
        vhd_bitmap_set(bits, 0);
        assert_int_equal(bits[0], 0x80);
        vhd_bitmap_set(bits, 9);
        assert_int_equal(bits[1], 0x40);
        vhd_bitmap_set(bits, 4095);
        assert_int_equal(bits[511], 0x01);
        assert_true(vhd_bitmap_test(bits, 9));
        assert_false(vhd_bitmap_test(bits, 8));
        vhd_bitmap_clear(bits, 9);
        assert_false(vhd_bitmap_test(bits, 9));
        assert_true(vhd_bitmap_test(bits, 0));
        assert_int_equal(vhd_bitmap_count(bits, 0, N), 2);
}

static void ranges_change_their_bits_and_no_other(void **state) {
        static const uint32_t edges[] = {0,   1,    7,    8,    63,   64,   65,  127,
                                         128, 1000, 4031, 4032, 4033, 4095, 4096};

        (void)state;
        for (size_t a = 0; a < sizeof edges / sizeof *edges; a++)
                for (size_t b = a; b < sizeof edges / sizeof *edges; b++) {
                        uint8_t set[VHD_BITMAP_SIZE] = {0}, cleared[VHD_BITMAP_SIZE];
                        uint32_t from = edges[a], to = edges[b];

                        memset(cleared, 0xFF, sizeof cleared);
                        vhd_bitmap_set_range(set, from, to - from);
                        vhd_bitmap_clear_range(cleared, from, to - from);
                        for (uint32_t i = 0; i < N; i++) {
                                assert_int_equal(slow_test(set, i), i >= from && i < to);
                                assert_int_equal(slow_test(cleared, i), !(i >= from && i < to));
                        }
                        assert_int_equal(vhd_bitmap_count(set, 0, N), to - from);
                        assert_int_equal(vhd_bitmap_count(cleared, from, to), 0);
                }
}

static void searches_and_counts_agree_with_bit_by_bit(void **state) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};
        uint64_t seed = 7;

        (void)state;
        for (unsigned round = 0; round < 3000; round++) {
                uint32_t from = (uint32_t)(dice(&seed) % N),
                         limit = from + 1 + (uint32_t)(dice(&seed) % (N - from));
                uint32_t n = 0, end;
                bool is_set;

                if (dice(&seed) & 1)
                        vhd_bitmap_set_range(bits, from, (uint32_t)(dice(&seed) % 90) % (N - from));
                else
                        vhd_bitmap_clear_range(bits, from, (uint32_t)(dice(&seed) % 90) % (N - from));
                from = (uint32_t)(dice(&seed) % limit);
                assert_int_equal(vhd_bitmap_next_set(bits, from, limit), slow_next(bits, from, limit, true));
                assert_int_equal(vhd_bitmap_next_clear(bits, from, limit),
                                 slow_next(bits, from, limit, false));
                end = vhd_bitmap_next_run(bits, from, limit, &is_set);
                assert_int_equal(is_set, slow_test(bits, from));
                assert_int_equal(end, slow_next(bits, from, limit, !is_set));
                for (uint32_t i = from; i < limit; i++)
                        n += slow_test(bits, i);
                assert_int_equal(vhd_bitmap_count(bits, from, limit), n);
        }
}

static void runs_tile_the_whole_block(void **state) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};
        uint32_t at = 0, set = 0, runs = 0;

        (void)state;
        vhd_bitmap_set_range(bits, 0, 64);
        vhd_bitmap_set_range(bits, 100, 1);
        vhd_bitmap_set_range(bits, 4000, 96);
        while (at < N) {
                bool is_set;
                uint32_t end = vhd_bitmap_next_run(bits, at, N, &is_set);

                assert_true(end > at);
                set += is_set ? end - at : 0;
                runs++;
                at = end;
        }
        assert_int_equal(at, N);
        assert_int_equal(set, 161);
        assert_int_equal(runs, 5);
}

static void full_and_empty_are_told_apart_from_nearly_so(void **state) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};

        (void)state;
        assert_true(vhd_bitmap_is_empty(bits));
        assert_false(vhd_bitmap_is_full(bits));
        for (uint32_t i = 0; i < N; i++) {
                vhd_bitmap_set(bits, i);
                assert_false(vhd_bitmap_is_empty(bits));
                vhd_bitmap_clear(bits, i);
        }
        vhd_bitmap_set_range(bits, 0, N);
        assert_true(vhd_bitmap_is_full(bits));
        assert_int_equal(vhd_bitmap_next_clear(bits, 0, N), N);
        for (uint32_t i = 0; i < N; i++) {
                vhd_bitmap_clear(bits, i);
                assert_false(vhd_bitmap_is_full(bits));
                vhd_bitmap_set(bits, i);
        }
}

static void an_empty_range_is_nothing(void **state) {
        uint8_t bits[VHD_BITMAP_SIZE] = {0};

        (void)state;
        vhd_bitmap_set_range(bits, 64, 0);
        vhd_bitmap_set_range(bits, N, 0);
        assert_true(vhd_bitmap_is_empty(bits));
        assert_int_equal(vhd_bitmap_next_set(bits, N, N), N);
        assert_int_equal(vhd_bitmap_next_clear(bits, 70, 70), 70);
        assert_int_equal(vhd_bitmap_count(bits, 70, 70), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_highest_bit_is_the_first_sector),
                cmocka_unit_test(ranges_change_their_bits_and_no_other),
                cmocka_unit_test(searches_and_counts_agree_with_bit_by_bit),
                cmocka_unit_test(runs_tile_the_whole_block),
                cmocka_unit_test(full_and_empty_are_told_apart_from_nearly_so),
                cmocka_unit_test(an_empty_range_is_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
