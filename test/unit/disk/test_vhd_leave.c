// SPDX-License-Identifier: Apache-2.0
#include "move_kit.h"

#include "vhd_kit.h"

static void flush(struct image *image) {
        struct err_note note;

        assert_ok(image->ops->flush(image, &note));
}

/* What a reader of the file alone believes. */
static bool is_batmap_set(struct io *io, const char *path, uint32_t block) {
        struct vhd_meta meta = kit_meta(io, path);
        AUTO_FREE uint8_t *map = mem_zero(4096);
        struct err_note note;
        AUTO(io_close) struct io_file *file = kit_open(io, path);

        assert_true(meta.has_batmap);
        assert_ok(vhd_meta_read_batmap(file, &meta, map, KIT_BLOCKS, &note));
        return vhd_bitmap_test(map, block);
}

/* As a mirrored write would: whole sectors of a block that is there. */
static void write_sectors(struct image *image, uint64_t block, uint32_t first, uint32_t n) {
        AUTO_FREE uint8_t *data = mem_zero((size_t)n * 512);
        struct err_note note;
        image_slot slot;

        assert_ok(image->ops->prepare(image, block, &slot, &note));
        assert_ok(io_write(image->file, data, (size_t)n * 512,
                           image_data_at(image, slot) + (uint64_t)first * 512, &note));
        assert_ok(image->ops->wrote(image, block, first, n, &note));
}

static void a_block_that_left_is_out_of_the_bat_and_read_until_it_is_forgotten(void **state) {
        uint8_t bits[IMAGE_BITMAP_SIZE];
        struct err_note note;
        image_slot slot, again;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        slot = w.mid->ops->slot(w.mid, 1);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), slot_where(slot));
        w.mid->ops->leave(w.mid, 1);
        w.mid->ops->leave(w.mid, 1);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), slot_where(slot));
        flush(w.mid);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), VHD_BAT_UNUSED);
        assert_ok(w.mid->ops->look(w.mid, 1, &again, bits, &note));
        assert_int_equal(slot, again);
        kit_same(&w, w.chain);

        w.mid->ops->forget_left(w.mid);
        assert_int_equal(w.mid->ops->slot(w.mid, 1), SLOT_ABSENT);
        /* a reader that found the old slot before */
        assert_ok(w.mid->ops->bitmap(w.mid, 1, slot, bits, &note));
        assert_true(vhd_bitmap_test(bits, 49) && !vhd_bitmap_test(bits, 50));
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

static void forgetting_waits_for_the_flush_that_takes_a_block_out(void **state) {
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        w.mid->ops->leave(w.mid, 1);
        w.mid->ops->forget_left(w.mid);
        assert_true(w.mid->ops->slot(w.mid, 1) & SLOT_HELD);
        flush(w.mid);
        w.mid->ops->forget_left(w.mid);
        assert_false(w.mid->ops->slot(w.mid, 1) & SLOT_HELD);
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

/* [D3], and C5: a block that left never comes back, whatever is written to it. */
static void bits_of_a_block_that_left_bring_neither_entry_nor_batmap_bit_back(void **state) {
        struct io_sim_traffic before;
        struct kit_world w;
        image_slot slot;
        uint8_t bits[512];

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        slot = w.mid->ops->slot(w.mid, 1);
        assert_true(is_batmap_set(w.io, "/mid.vhd", 3));
        w.mid->ops->leave(w.mid, 1);
        w.mid->ops->leave(w.mid, 3);
        write_sectors(w.mid, 1, 100, 5);
        flush(w.mid);
        write_sectors(w.mid, 1, 0, 4096);
        write_sectors(w.mid, 3, 0, 4096);
        before = io_sim_file_traffic(w.io, "/mid.vhd");
        flush(w.mid);
        assert_true(io_sim_file_traffic(w.io, "/mid.vhd").writes > before.writes);
        flush(w.mid);
        for (uint32_t block = 1; block <= 3; block += 2) {
                assert_int_equal(kit_bat(w.io, "/mid.vhd", block), VHD_BAT_UNUSED);
                assert_false(is_batmap_set(w.io, "/mid.vhd", block));
        }
        /* the old bitmap has them: a reader may look there yet */
        assert_int_equal(w.mid->ops->slot(w.mid, 1), slot | SLOT_WHOLE);
        kit_read_at(w.io, "/mid.vhd", bits, 512, (uint64_t)slot_where(slot) * 512);
        assert_true(vhd_bitmap_is_full(bits));
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

static void a_block_that_leaves_before_it_was_ever_flushed_is_never_in_the_bat(void **state) {
        struct err_note note;
        struct kit_world w;
        image_slot slot;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        write_sectors(w.mid, 5, 7, 2);
        slot = w.mid->ops->slot(w.mid, 5);
        w.mid->ops->leave(w.mid, 5);
        flush(w.mid);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 5), VHD_BAT_UNUSED);
        write_sectors(w.mid, 5, 9, 1);
        flush(w.mid);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 5), VHD_BAT_UNUSED);
        assert_int_equal(w.mid->ops->slot(w.mid, 5), slot);
        w.mid->ops->forget_left(w.mid);
        image_wait_readers(w.mid);
        assert_ok(w.mid->ops->punch_left(w.mid, &note));
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

static void a_flush_that_failed_leaves_it_to_the_next(void **state) {
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        w.mid->ops->leave(w.mid, 0);
        w.mid->ops->leave(w.mid, 1);
        io_sim_fail_at(w.io, 1, ERR_NO_SPACE, false);
        assert_err(w.mid->ops->flush(w.mid, &note), ERR_NO_SPACE, "no space");
        w.mid->ops->forget_left(w.mid);
        assert_true(w.mid->ops->slot(w.mid, 0) & SLOT_HELD);
        flush(w.mid);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 0), VHD_BAT_UNUSED);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), VHD_BAT_UNUSED);
        w.mid->ops->forget_left(w.mid);
        assert_int_equal(kit_held(w.mid), 3);
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

static void what_was_forgotten_is_punched_and_its_slot_used_again_after_a_sync(void **state) {
        struct io_sim_traffic traffic;
        struct err_note note;
        struct kit_world w;
        image_slot slot, other;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        slot = w.mid->ops->slot(w.mid, 1);
        traffic = io_sim_traffic(w.io);
        w.mid->ops->leave(w.mid, 1);
        flush(w.mid);
        assert_ok(w.mid->ops->punch_left(w.mid, &note)); /* chains read it there yet */
        assert_int_equal(io_sim_traffic(w.io).punches, traffic.punches);
        w.mid->ops->forget_left(w.mid);
        flush(w.mid);
        assert_int_equal(io_sim_traffic(w.io).punches, traffic.punches);
        assert_ok(w.mid->ops->punch_left(w.mid, &note));
        assert_int_equal(io_sim_traffic(w.io).punches, traffic.punches + 1);
        assert_ok(w.mid->ops->prepare(w.mid, 5, &other, &note));
        assert_int_not_equal(slot_where(other), slot_where(slot));
        flush(w.mid);
        assert_ok(w.mid->ops->prepare(w.mid, 1, &other, &note));
        assert_int_equal(slot_where(other), slot_where(slot));
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

/* A trim of all of a block is not to let go of it while it moves: the copy below would show. */
static void a_trim_of_a_block_that_leaves_is_recorded_as_zeros(void **state) {
        static const struct kit_extent all = {4096, 4096};
        struct io *io = io_sim_new(1, 0);
        uint8_t sector[512];
        struct images images;
        struct chain *chain;
        struct image *leaf;
        struct err_note note;

        (void)state;
        images_init(&images, io, &kit_images_options);
        assert_ok(kit_layer(io, "/base.vhd", NULL, 1, NULL, 0, &note));
        assert_ok(kit_layer(io, "/leaf.vhd", "/base.vhd", 2, &all, 1, &note));
        assert_ok(chain_open(&images, "/leaf.vhd", CHAIN_WRITE, &chain, &note));
        leaf = (struct image *)chain_layer(chain, 0);
        kit_begin(leaf);
        leaf->ops->leave(leaf, 1);
        assert_ok(chain_trim(chain, KIT_BLOCK, KIT_BLOCK, &note));
        assert_true(leaf->ops->slot(leaf, 1) & SLOT_HELD);
        assert_ok(chain_read(chain, sector, 512, KIT_BLOCK, &note));
        assert_int_equal(sector[0], 0);
        kit_end(leaf);
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
        io_free(io);
}

/* ---- from one write side to the next ---- */

static void flush_twice(struct image *image) {
        flush(image);
        flush(image);
}

/* Chains may read a block where it was until they are told; who stops before that must not lose it. */
static void a_write_side_that_ends_too_early_keeps_what_chains_may_read(void **state) {
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.base);
        kit_begin(w.low);
        assert_ok(kit_move(w.low, w.base, &note));
        kit_end(w.low);
        kit_same(&w, w.chain);

        kit_begin(w.low);
        assert_int_equal(kit_held(w.low), 3);
        write_sectors(w.low, 5, 0, 8); /* takes no place that is read */
        flush_twice(w.low);
        assert_int_equal(kit_bat(w.io, "/low.vhd", 2), VHD_BAT_UNUSED);
        kit_same(&w, w.chain);
        image_abandon_write(w.low);
        kit_same(&w, w.chain);

        /* it begins anew and comes to its end */
        kit_begin(w.low);
        assert_ok(kit_move(w.low, w.base, &note));
        chain_publish_moved(w.chain, w.base, w.low, kit_all_blocks, KIT_BLOCKS);
        w.low->ops->forget_left(w.low);
        image_wait_readers(w.low);
        assert_ok(w.low->ops->punch_left(w.low, &note));
        kit_end(w.low);
        kit_end(w.base);
        kit_begin(w.low);
        assert_int_equal(kit_held(w.low), 0);
        kit_end(w.low);
        kit_world_fini(&w);
}

static void places_that_no_chain_reads_are_given_back_by_the_next_write_side(void **state) {
        struct image *low, *base;
        struct io_sim_traffic traffic;
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        chain_abandon(TAKE(w.chain));
        assert_ok(images_open(&w.images, "/base.vhd", IMAGE_VHD, false, &base, &note));
        assert_ok(images_open(&w.images, "/low.vhd", IMAGE_VHD, false, &low, &note));
        kit_begin(base);
        kit_begin(low);
        assert_ok(kit_copy(low, base, 0, &note));
        flush(base);
        low->ops->leave(low, 0);
        kit_end(low);
        traffic = io_sim_traffic(w.io);
        kit_begin(low);
        assert_int_equal(kit_held(low), 2);
        low->ops->leave(low, 1);
        flush(low);
        assert_int_equal(io_sim_traffic(w.io).punches, traffic.punches + 1);
        kit_end(low);
        kit_end(base);
        image_unref(low);
        image_unref(base);
        kit_world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_block_that_left_is_out_of_the_bat_and_read_until_it_is_forgotten),
                cmocka_unit_test(forgetting_waits_for_the_flush_that_takes_a_block_out),
                cmocka_unit_test(bits_of_a_block_that_left_bring_neither_entry_nor_batmap_bit_back),
                cmocka_unit_test(a_block_that_leaves_before_it_was_ever_flushed_is_never_in_the_bat),
                cmocka_unit_test(a_flush_that_failed_leaves_it_to_the_next),
                cmocka_unit_test(what_was_forgotten_is_punched_and_its_slot_used_again_after_a_sync),
                cmocka_unit_test(a_trim_of_a_block_that_leaves_is_recorded_as_zeros),
                cmocka_unit_test(a_write_side_that_ends_too_early_keeps_what_chains_may_read),
                cmocka_unit_test(places_that_no_chain_reads_are_given_back_by_the_next_write_side),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
