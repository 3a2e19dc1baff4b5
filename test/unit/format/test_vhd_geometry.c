// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vhd.h"
#include "vhd_geometry.h"

/* Measured: what vhd-util writes for these sizes; the edges between the rule's branches computed by hand. */
static const struct {
        uint64_t size;
        unsigned cylinders, heads, sectors;
} rows[] = {
        {512, 0, 4, 17},
        {4 * MIB, 120, 4, 17},
        {8 * MIB, 240, 4, 17},
        {64 * MIB, 963, 8, 17},
        {100 * MIB, 1003, 12, 17},
        {1000 * MIB, 2031, 16, 63},
        {1002 * MIB, 2035, 16, 63},
        {4 * GIB, 8322, 16, 63},
        {32 * GIB, 16448, 16, 255},
        {128 * GIB, 65535, 16, 255},
        {VHD_MAX_SIZE, 65535, 16, 255},
        {(uint64_t)65535 * 16 * 63 * 512, 16191, 16, 255},
        {(uint64_t)65535 * 16 * 63 * 512 - 512, 65534, 16, 63},
        {(uint64_t)1024 * 16 * 17 * 512, 561, 16, 31},
        {(uint64_t)1024 * 16 * 17 * 512 - 512, 1023, 16, 17},
        {(uint64_t)1024 * 16 * 31 * 512, 503, 16, 63},
};

static void each_size_has_the_geometry_that_others_write(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct vhd_geometry g = vhd_geometry_of(rows[i].size);

                if (g.cylinders != rows[i].cylinders || g.heads != rows[i].heads ||
                    g.sectors != rows[i].sectors)
                        fail_msg("%llu bytes: %u/%u/%u, wanted %u/%u/%u", (unsigned long long)rows[i].size,
                                 g.cylinders, g.heads, g.sectors, rows[i].cylinders, rows[i].heads,
                                 rows[i].sectors);
        }
}

static void the_product_is_what_qemu_takes_for_the_size(void **state) {
        (void)state;
        assert_true(vhd_geometry_bytes(vhd_geometry_of(1000 * MIB)) == 1048190976);
        assert_true(vhd_geometry_bytes(vhd_geometry_of(VHD_MAX_SIZE)) == 136899993600);
}

static void the_product_is_never_more_than_the_size(void **state) {
        uint64_t size = 512;

        (void)state;
        for (unsigned i = 0; i < 20000; i++, size = (size * 1001 / 1000 + 512) / 512 * 512)
                assert_true(vhd_geometry_bytes(vhd_geometry_of(size)) <= size);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_size_has_the_geometry_that_others_write),
                cmocka_unit_test(the_product_is_what_qemu_takes_for_the_size),
                cmocka_unit_test(the_product_is_never_more_than_the_size),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
