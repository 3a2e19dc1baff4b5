// SPDX-License-Identifier: Apache-2.0
#include "chain_source.h"

#include "check.h"
#include "io_sim.h"
#include "vhd_create.h"

static void data_is_found_behind_holes(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        const struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = 4 * VHD_BLOCK_SIZE};
        struct images images;
        struct chain *chain;
        struct put_source source;
        uint64_t start, end;
        struct err_note note;
        uint8_t byte = 'x';

        (void)state;
        assert_ok(vhd_create(io, "/a.vhd", &options, NULL, &note));
        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, "/a.vhd", CHAIN_WRITE, &chain, &note));
        assert_ok(chain_write(chain, &byte, 1, 2 * VHD_BLOCK_SIZE + 512, &note));
        source = chain_source(chain);
        assert_int_equal(source.size, 4 * VHD_BLOCK_SIZE);
        assert_ok(source.next_data(source.user, 0, &start, &end, &note));
        assert_true(start == 2 * VHD_BLOCK_SIZE + 512 && end == start + 512);
        assert_ok(source.next_data(source.user, end, &start, &end, &note));
        assert_true(start == source.size && end == source.size);
        byte = 0;
        assert_ok(source.read(source.user, &byte, 1, 2 * VHD_BLOCK_SIZE + 512, &note));
        assert_int_equal(byte, 'x');
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(data_is_found_behind_holes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
