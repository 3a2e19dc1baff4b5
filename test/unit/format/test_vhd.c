// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd.h"

static void the_clock_begins_in_2000(void **state) {
        (void)state;
        assert_int_equal(vhd_time_from_unix(946684800), 0);
        assert_int_equal(vhd_time_from_unix(946684801), 1);
        assert_int_equal(vhd_time_from_unix(946684799), 0);
        assert_int_equal(vhd_time_from_unix(INT64_MIN), 0);
        assert_int_equal(vhd_time_from_unix(INT64_MAX), UINT32_MAX);
        assert_int_equal(vhd_time_to_unix(0), 946684800);
        assert_int_equal(vhd_time_to_unix(vhd_time_from_unix(1795230453)), 1795230453);
}

static void a_checksum_leaves_its_own_field_out(void **state) {
        uint8_t bytes[16] = {1, 2, 3, 255};

        (void)state;
        assert_int_equal(vhd_checksum(bytes, sizeof bytes, 8), ~(uint32_t)261);
        memset(bytes + 8, 0xAB, 4);
        assert_int_equal(vhd_checksum(bytes, sizeof bytes, 8), ~(uint32_t)261);
        bytes[12] = 1;
        assert_int_equal(vhd_checksum(bytes, sizeof bytes, 8), ~(uint32_t)262);
        assert_int_equal(vhd_checksum(bytes, 0, 0), UINT32_MAX);
}

static void sizes_that_may_be_read_and_made(void **state) {
        struct err_note note;

        (void)state;
        assert_ok(vhd_check_size(512, &note));
        assert_ok(vhd_check_size(VHD_MAX_SIZE, &note));
        assert_err(vhd_check_size(0, &note), ERR_INVALID, "0 bytes");
        assert_err(vhd_check_size(513, &note), ERR_INVALID, "513 bytes");
        assert_err(vhd_check_size(VHD_MAX_SIZE + 512, &note), ERR_UNSUPPORTED, "2040 GiB");
        assert_ok(vhd_check_new_size(VHD_BLOCK_SIZE, &note));
        assert_err(vhd_check_new_size(VHD_BLOCK_SIZE + 512, &note), ERR_INVALID, "2 MiB");
        assert_err(vhd_check_new_size(512, &note), ERR_INVALID, "2 MiB");
        assert_err(vhd_check_new_size(VHD_MAX_SIZE + VHD_BLOCK_SIZE, &note), ERR_UNSUPPORTED, "2040 GiB");
        assert_int_equal(vhd_blocks_of(1), 1);
        assert_int_equal(vhd_blocks_of(VHD_BLOCK_SIZE), 1);
        assert_int_equal(vhd_blocks_of(VHD_BLOCK_SIZE + 512), 2);
        assert_int_equal(vhd_blocks_of(VHD_MAX_SIZE), VHD_MAX_BLOCKS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_clock_begins_in_2000),
                cmocka_unit_test(a_checksum_leaves_its_own_field_out),
                cmocka_unit_test(sizes_that_may_be_read_and_made),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
