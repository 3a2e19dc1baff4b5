// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "vhd_bitmaps.h"

enum { N = 300 };

struct seen {
        uint8_t first[N]; /* of each block's bitmap; 0xFF: not seen */
        unsigned n;
        uint32_t stop_at; /* the block that is refused; N: none */
};

static enum err see(void *user, uint32_t block, const uint8_t bits[VHD_BITMAP_SIZE], struct err_note *note) {
        struct seen *seen = user;

        if (block == seen->stop_at)
                return err_set(note, ERR_CANCELLED, "enough");
        assert_int_equal(seen->first[block], 0xFF);
        seen->first[block] = bits[0];
        seen->n++;
        return ERR_NONE;
}

/* Block i has its bitmap at sector (N - i) * 20, which begins with 1 + i % 200, or lies in a hole where 3
 * divides i. */
static struct io_file *make(struct io *io, struct vhd_bitmaps *bitmaps) {
        struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(io, "a", IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, (uint64_t)(N + 1) * 20 * 512, &note));
        for (uint32_t i = 0; i < N; i++) {
                uint8_t byte = (uint8_t)(i % 3 == 0 ? 0 : 1 + i % 200);

                if (byte)
                        assert_ok(io_write(file, &byte, 1, (uint64_t)(N - i) * 20 * 512, &note));
                vhd_bitmaps_add(bitmaps, i, (N - i) * 20);
        }
        return file;
}

static void each_bitmap_is_seen_once_and_those_in_holes_are_zeros(void **state) {
        (void)state;
        for (unsigned lacks = 0; lacks < 2; lacks++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(vhd_bitmaps_fini) struct vhd_bitmaps bitmaps = {0};
                struct seen seen = {.stop_at = N};
                struct err_note note = {0};

                io_sim_set_lacks(io, lacks ? IO_SIM_NO_HOLES : 0);
                memset(seen.first, 0xFF, sizeof seen.first);
                AUTO(io_close) struct io_file *file = make(io, &bitmaps);
                assert_ok(vhd_bitmaps_read(&bitmaps, io, file, see, &seen, &note));
                assert_int_equal(seen.n, N);
                for (uint32_t i = 0; i < N; i++)
                        assert_int_equal(seen.first[i], i % 3 == 0 ? 0 : 1 + i % 200);
                assert_int_equal(io_sim_file_traffic(io, "a").reads, lacks ? N : N - N / 3);
        }
}

static void an_error_ends_it(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(vhd_bitmaps_fini) struct vhd_bitmaps bitmaps = {0};
        struct seen seen = {.stop_at = 77};
        struct err_note note = {0};

        (void)state;
        memset(seen.first, 0xFF, sizeof seen.first);
        AUTO(io_close) struct io_file *file = make(io, &bitmaps);
        assert_err(vhd_bitmaps_read(&bitmaps, io, file, see, &seen, &note), ERR_CANCELLED, "enough");
        memset(seen.first, 0xFF, sizeof seen.first);
        seen.stop_at = N;
        io_sim_break(io, "a", 512, (uint64_t)(N - 100) * 20 * 512);
        assert_err(vhd_bitmaps_read(&bitmaps, io, file, see, &seen, &note), ERR_IO, "bitmap of block 100");
}

static void none_are_none(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(vhd_bitmaps_fini) struct vhd_bitmaps bitmaps = {0};
        struct seen seen = {.stop_at = N};
        struct err_note note = {0};

        (void)state;
        assert_ok(vhd_bitmaps_read(&bitmaps, io, NULL, see, &seen, &note));
        assert_int_equal(seen.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_bitmap_is_seen_once_and_those_in_holes_are_zeros),
                cmocka_unit_test(an_error_ends_it),
                cmocka_unit_test(none_are_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
