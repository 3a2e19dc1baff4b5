// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "vhd_space.h"

enum { SLOTS = 70000 }; /* 137 GiB of disk: sectors of more than two bytes, and more than three */

static const struct uuid some_uuid = {{1}};

static void init(struct vhd_space *space, struct vhd_slots *blocks) {
        struct vhd_footer footer;

        vhd_footer_init(&footer, VHD_DYNAMIC, SLOTS * VHD_BLOCK_SIZE, &some_uuid, 0);
        vhd_space_init(space, NULL, &footer, 4096, (uint64_t)(SLOTS + 2) * VHD_STRIDE_SECTORS * SECTOR,
                       64 * MIB, blocks);
}

static uint64_t slot_at(uint64_t k) {
        return vhd_slot_sector(vhd_slot_align(4096 / SECTOR), k);
}

/* What is taken for a gap is punched and given to others: a block overlooked here is a block lost. */
static void gaps_are_found_in_whatever_order_the_blocks_lie(void **state) {
        struct vhd_slots blocks = {0};
        struct vhd_space space;
        uint64_t seed = 5;

        (void)state;
        for (uint32_t k = 0; k < SLOTS; k++)
                if (k % 1000 != 7)
                        *vec_add(&blocks.list) = (uint32_t)slot_at(k);
        for (size_t i = blocks.list.n - 1; i > 0; i--) {
                uint32_t keep = blocks.list.data[i];
                size_t j;

                seed = seed * 6364136223846793005u + 1442695040888963407u;
                j = (seed >> 33) % (i + 1);
                blocks.list.data[i] = blocks.list.data[j];
                blocks.list.data[j] = keep;
        }
        init(&space, &blocks);
        for (size_t i = 1; i < blocks.list.n; i++)
                assert_true(blocks.list.data[i - 1] < blocks.list.data[i]);
        assert_int_equal(space.punchable.list.n, SLOTS / 1000);
        for (uint64_t i = 0; i < SLOTS / 1000; i++)
                assert_int_equal(space.punchable.list.data[i], slot_at(i * 1000 + 7));
        assert_int_equal(space.next, slot_at(SLOTS));
        vec_fini(&blocks.list);
        vhd_space_fini(&space);
}

static void an_empty_disk_begins_behind_its_headers(void **state) {
        struct vhd_slots blocks = {0};
        struct vhd_space space;

        (void)state;
        init(&space, &blocks);
        assert_int_equal(space.next, slot_at(0));
        assert_int_equal(space.punchable.list.n, 0);
        vhd_space_fini(&space);
}

/* Each stride costs a sync.  2 GiB in strides of 64 MiB would be 32 of them. */
static void a_file_that_gets_large_grows_in_few_strides(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_slots blocks = {0};
        struct vhd_footer footer;
        struct vhd_space space;
        struct err_note note;
        uint64_t before = 0, n_strides = 0;
        uint32_t sector;

        (void)state;
        assert_ok(io_open(io, "/a", IO_CREATE, &file, &note));
        vhd_footer_init(&footer, VHD_DYNAMIC, SLOTS * VHD_BLOCK_SIZE, &some_uuid, 0);
        vhd_space_init(&space, file, &footer, 4096, 4096, 64 * MIB, &blocks);
        for (uint64_t i = 0; i < 1024; i++) {
                assert_ok(vhd_space_take(&space, 1024 - i, &sector, &note));
                assert_int_equal(sector, slot_at(i));
                n_strides += space.limit != before;
                before = space.limit;
        }
        assert_in_range(n_strides, 8, 11);
        assert_int_equal(space.limit, slot_at(1024)); /* no further than the disk can have blocks */
        vhd_space_fini(&space);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gaps_are_found_in_whatever_order_the_blocks_lie),
                cmocka_unit_test(an_empty_disk_begins_behind_its_headers),
                cmocka_unit_test(a_file_that_gets_large_grows_in_few_strides),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
