// SPDX-License-Identifier: Apache-2.0
/* Chains through layers whose blocks move (this attacks chain_map_change.c too). */
#include "move_kit.h"
#include "vhd_kit.h"
#include "vhd_resize.h"

/* low and mid into base, the deeper one's clears first; all chains told, what was there punched. */
static void run_to_the_end(struct kit_world *w, struct chain *const *chains, size_t n) {
        struct err_note note;

        assert_ok(kit_copy(w->low, w->base, 0, &note));
        for (uint64_t block = 1; block < KIT_BLOCKS; block++)
                assert_ok(kit_copy(w->low, w->base, block, &note));
        for (uint64_t block = 0; block < KIT_BLOCKS; block++)
                assert_ok(kit_copy(w->mid, w->base, block, &note));
        assert_ok(w->base->ops->flush(w->base, &note));
        assert_ok(kit_clear(w->low, &note));
        assert_ok(kit_clear(w->mid, &note));
        for (size_t i = 0; i < n; i++) {
                kit_same(w, chains[i]);
                chain_publish_moved(chains[i], w->base, w->mid, kit_all_blocks, KIT_BLOCKS);
                kit_same(w, chains[i]);
        }
        w->low->ops->forget_left(w->low);
        w->mid->ops->forget_left(w->mid);
        image_wait_readers(w->low);
        image_wait_readers(w->mid);
        assert_ok(w->low->ops->punch_left(w->low, &note));
        assert_ok(w->mid->ops->punch_left(w->mid, &note));
}

static void a_chain_reads_the_same_at_every_step_of_a_move(void **state) {
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.base);
        kit_begin(w.low);
        kit_begin(w.mid);
        kit_same(&w, w.chain);
        run_to_the_end(&w, &w.chain, 1);
        kit_same(&w, w.chain);
        assert_int_equal(kit_held(w.low), 0);
        assert_int_equal(kit_held(w.mid), 0);

        kit_end(w.base);
        kit_end(w.low);
        kit_end(w.mid);
        kit_same(&w, w.chain);
        assert_true(chain_passes(w.chain, w.mid));
        chain_take_out(w.chain, w.low);
        kit_same(&w, w.chain);
        chain_take_out(w.chain, w.mid);
        kit_same(&w, w.chain);
        assert_int_equal(chain_depth(w.chain), 2);
        assert_ok(chain_close(TAKE(w.chain), &note));

        /* from the files alone, with all four layers */
        kit_world_open(&w, CHAIN_READ);
        kit_same(&w, w.chain);
        kit_world_fini(&w);
}

static void all_chains_through_the_layers_are_told(void **state) {
        struct chain *chains[2];
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        assert_ok(kit_layer(w.io, "/other.vhd", "/mid.vhd", 5, &(struct kit_extent){4096, 1}, 0, &note));
        assert_ok(chain_open(&w.images, "/other.vhd", CHAIN_READ, &chains[0], &note));
        free(w.before); /* other has what the leaf has not changed */
        w.before = kit_read_all(chains[0]);
        kit_begin(w.base);
        kit_begin(w.low);
        kit_begin(w.mid);
        assert_ok(chain_open(&w.images, "/other.vhd", CHAIN_READ, &chains[1], &note));
        run_to_the_end(&w, chains, 2);
        kit_same(&w, chains[0]);
        kit_same(&w, chains[1]);
        chain_abandon(chains[0]);
        chain_abandon(chains[1]);
        kit_end(w.base);
        kit_end(w.low);
        kit_end(w.mid);
        kit_world_fini(&w);
}

/* The cache of owners must not outlive a publication, nor be filled from bits that were read before it. */
static void what_was_known_of_a_block_is_forgotten_when_it_moves(void **state) {
        static const uint64_t block = 1;
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.base);
        kit_begin(w.mid);
        kit_begin(w.low);
        kit_same(&w, w.chain); /* everything is in the cache */
        assert_ok(kit_copy(w.low, w.base, block, &note));
        assert_ok(kit_copy(w.mid, w.base, block, &note));
        assert_ok(w.base->ops->flush(w.base, &note));
        w.mid->ops->leave(w.mid, block);
        w.low->ops->leave(w.low, block);
        assert_ok(w.low->ops->flush(w.low, &note));
        assert_ok(w.mid->ops->flush(w.mid, &note));
        chain_publish_moved(w.chain, w.base, w.mid, &block, 1);
        for (unsigned s = 0; s < 4096; s++) {
                struct chain_hold hold = chain_hold_begin(w.chain);
                struct chain_segment segment;

                assert_ok(chain_segment_at(w.chain, KIT_BLOCK + s * 512u, 512, &segment, &note));
                assert_true(!segment.file || segment.file == w.base->file);
                chain_hold_end(w.chain, hold);
        }
        image_abandon_write(w.mid);
        image_abandon_write(w.low);
        image_abandon_write(w.base);
        kit_world_fini(&w);
}

/* ---- a publication in the middle of a look-up ---- */

static struct kit_world *published;
static const struct image_ops *ops_of_low;

static enum err publish_and_answer(struct image *image, uint64_t block, image_slot slot,
                                   uint8_t ret[IMAGE_BITMAP_SIZE], struct err_note *note) {
        chain_publish_moved(published->chain, published->low, published->mid, &block, 1);
        return ops_of_low->bitmap(image, block, slot, ret, note);
}

/* Who has begun with the old entry goes on with it: of mid, low and base low is the second, then the first.
 */
static void a_look_up_that_meets_a_publication_is_about_one_entry(void **state) {
        const uint64_t at = KIT_BLOCK + 300 * 512; /* low's */
        struct image_ops ops;
        struct err_note note;
        struct kit_world w;
        uint8_t sector[512];

        (void)state;
        kit_world_init(&w);
        kit_begin(w.low);
        kit_begin(w.mid);
        assert_ok(kit_copy(w.mid, w.low, 1, &note));
        published = &w;
        ops_of_low = w.low->ops;
        ops = *w.low->ops;
        ops.bitmap = publish_and_answer;
        chain_publish_moved(w.chain, w.mid, w.mid, &kit_all_blocks[1], 1); /* nothing is known of it now */
        w.low->ops = &ops;
        assert_ok(chain_read(w.chain, sector, 512, at, &note));
        w.low->ops = ops_of_low;
        assert_memory_equal(sector, w.before + at, 512);
        kit_same(&w, w.chain);
        image_abandon_write(w.mid);
        image_abandon_write(w.low);
        kit_world_fini(&w);
}

/* The word of a block that only its leaf and the target hold stays the same, and yet there is more to know.
 */
static void a_block_that_moves_out_of_the_leaf_is_looked_at_again(void **state) {
        static const struct kit_extent in_base = {10, 5}, in_leaf = {12, 9};
        static const uint64_t block = 0;
        struct kit_world w = {.io = io_sim_new(1, 0)};
        struct image *leaf;
        struct err_note note;

        (void)state;
        images_init(&w.images, w.io, &kit_images_options);
        assert_ok(kit_layer(w.io, "/base.vhd", NULL, 1, &in_base, 1, &note));
        assert_ok(kit_layer(w.io, "/leaf.vhd", "/base.vhd", 2, &in_leaf, 1, &note));
        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_WRITE, &w.chain, &note));
        leaf = (struct image *)chain_layer(w.chain, 0);
        w.base = (struct image *)chain_layer(w.chain, 1);
        w.before = kit_read_all(w.chain);
        kit_begin(w.base);
        kit_begin(leaf);
        assert_ok(kit_move(leaf, w.base, &note));
        kit_same(&w, w.chain);
        chain_publish_moved(w.chain, w.base, leaf, &block, 1);
        kit_same(&w, w.chain);
        leaf->ops->forget_left(leaf);
        kit_same(&w, w.chain);
        image_wait_readers(leaf);
        assert_ok(leaf->ops->punch_left(leaf, &note));
        kit_same(&w, w.chain);
        kit_end(leaf);
        kit_end(w.base);
        assert_ok(chain_close(TAKE(w.chain), &note));
        kit_world_fini(&w);
}

/* Each publication puts a row behind the others, until there is no room. */
static void a_map_whose_rows_are_full_is_made_anew(void **state) {
        static const uint64_t block = 0;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.base);
        for (unsigned i = 0; i < 6000; i++)
                chain_publish_moved(w.chain, w.base, w.base, &block, 1);
        assert_true(chain_map_size(w.chain) < 6000 * 8 * 2);
        kit_same(&w, w.chain);
        kit_end(w.base);
        kit_world_fini(&w);
}

static void a_snapshot_in_the_middle_of_a_move_takes_the_places_as_they_are(void **state) {
        struct err_note note;
        struct kit_world w;
        struct image *leaf;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.base);
        kit_begin(w.low);
        assert_ok(kit_move(w.low, w.base, &note));
        chain_publish_moved(w.chain, w.base, w.low, kit_all_blocks, KIT_BLOCKS);
        assert_ok(chain_freeze(w.chain, &note));
        assert_ok(io_rename(w.io, "/leaf.vhd", "/snapshot.vhd", &note));
        assert_ok(fixture_vhd(w.io, "/leaf.vhd", (uint64_t)KIT_BLOCKS * KIT_BLOCK, "/snapshot.vhd", &note));
        assert_ok(images_open(&w.images, "/leaf.vhd", IMAGE_VHD, true, &leaf, &note));
        chain_push_leaf(w.chain, leaf, "/snapshot.vhd", "/leaf.vhd");
        chain_thaw(w.chain);
        kit_same(&w, w.chain);
        w.low->ops->forget_left(w.low);
        image_wait_readers(w.low);
        assert_ok(w.low->ops->punch_left(w.low, &note));
        kit_same(&w, w.chain);
        kit_end(w.low);
        chain_take_out(w.chain, w.low);
        kit_same(&w, w.chain);
        kit_end(w.base);
        kit_world_fini(&w);
}

/* A map has room for so many layers more; then it is copied. */
static void any_number_of_snapshots_can_be_taken_of_an_open_disk(void **state) {
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        for (unsigned n = 0; n < 45; n++) {
                uint64_t at = KIT_BLOCK + (n * 5 + 3) * 512;
                struct err_note note;
                struct image *leaf;
                char base[32];

                snprintf(base, sizeof base, "/snapshot%u.vhd", n);
                fixture_fill(w.before + at, 3 * 512, at, 10 + n);
                assert_ok(chain_write(w.chain, w.before + at, 3 * 512, at, &note));
                assert_ok(chain_freeze(w.chain, &note));
                assert_ok(io_rename(w.io, "/leaf.vhd", base, &note));
                assert_ok(fixture_vhd(w.io, "/leaf.vhd", (uint64_t)KIT_BLOCKS * KIT_BLOCK, base, &note));
                assert_ok(images_open(&w.images, "/leaf.vhd", IMAGE_VHD, true, &leaf, &note));
                chain_push_leaf(w.chain, leaf, base, "/leaf.vhd");
                chain_thaw(w.chain);
                if (n % 10 == 4 || n > 40)
                        kit_same(&w, w.chain);
        }
        kit_world_fini(&w);
}

/* ---- the write side ---- */

static void a_file_that_is_being_moved_is_locked_alone_and_shared_again(void **state) {
        struct images others;
        struct chain *chain;
        struct err_note note;
        struct kit_world w;
        struct image *image;

        (void)state;
        kit_world_init(&w);
        images_init(&others, w.io, NULL);
        kit_begin(w.base);
        assert_err(images_open(&others, "/base.vhd", IMAGE_VHD, false, &image, &note), ERR_BUSY, "base.vhd");
        assert_err(images_open(&w.images, "/base.vhd", IMAGE_VHD, true, &image, &note), ERR_BUSY, "open");
        assert_ok(chain_open(&w.images, "/mid.vhd", CHAIN_READ, &chain, &note));
        chain_abandon(chain);
        kit_end(w.base);
        assert_ok(images_open(&others, "/base.vhd", IMAGE_VHD, false, &image, &note));
        assert_err(image_begin_write(w.base, &note), ERR_BUSY, "base.vhd");
        assert_false(image_has_write(w.base));
        kit_same(&w, w.chain);
        image_unref(image);
        kit_begin(w.base);
        image_abandon_write(w.base);
        assert_ok(images_open(&others, "/base.vhd", IMAGE_VHD, false, &image, &note));
        image_unref(image);
        images_fini(&others);
        kit_world_fini(&w);
}

static void fail_syncs(void *user, const char *verb, const char *path) {
        (void)path;
        if (strcmp(verb, "sync") == 0)
                io_sim_fail_at(user, 1, ERR_IO, false);
}

static void a_read_only_or_failed_image_gets_no_write_side(void **state) {
        static const struct images_options read_only = {.is_read_only = true};
        struct images others;
        struct err_note note;
        struct kit_world w;
        struct image *image;

        (void)state;
        kit_world_init(&w);
        images_init(&others, w.io, &read_only);
        assert_ok(images_open(&others, "/base.vhd", IMAGE_VHD, false, &image, &note));
        assert_err(image_begin_write(image, &note), ERR_READ_ONLY, "reading only");
        image_unref(image);
        images_fini(&others);

        kit_begin(w.base);
        kit_begin(w.mid);
        assert_ok(kit_copy(w.mid, w.base, 4, &note));
        image_abandon_write(w.mid);
        io_sim_set_watch(w.io, fail_syncs, w.io);
        assert_err(w.base->ops->flush(w.base, &note), ERR_IO, "flush");
        io_sim_set_watch(w.io, NULL, NULL);
        io_sim_heal(w.io);
        assert_err(image_end_write(w.base, &note), ERR_IO, "an earlier sync");
        assert_false(image_has_write(w.base));
        kit_same(&w, w.chain);
        assert_err(image_begin_write(w.base, &note), ERR_IO, "an earlier sync");
        kit_world_fini(&w);
}

/* What sr/ changes in a footer while the image is frozen is not undone by growing. */
static void a_hidden_image_stays_hidden(void **state) {
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        assert_ok(vhd_edit_set_hidden(w.base->file, true, &note));
        kit_begin(w.base);
        assert_true(w.base->is_hidden);
        kit_begin(w.mid);
        assert_ok(kit_copy(w.mid, w.base, 2, &note));
        assert_ok(kit_copy(w.mid, w.base, 4, &note));
        kit_end(w.mid);
        kit_end(w.base);
        assert_true(kit_meta(w.io, "/base.vhd").footer.is_hidden);
        assert_false(kit_meta(w.io, "/mid.vhd").footer.is_hidden);
        kit_same(&w, w.chain);
        kit_world_fini(&w);
}

static void a_leaf_keeps_its_write_side_until_the_last_has_ended(void **state) {
        struct err_note note;
        struct kit_world w;
        struct image *leaf;

        (void)state;
        kit_world_init(&w);
        leaf = (struct image *)chain_layer(w.chain, 0);
        leaf->references++;
        kit_begin(leaf);
        assert_ok(chain_close(TAKE(w.chain), &note));
        assert_true(image_has_write(leaf));
        assert_true(leaf->ops->slot(leaf, 0) & SLOT_HELD);
        kit_end(leaf);
        assert_false(image_has_write(leaf));
        image_unref(leaf);
        kit_world_open(&w, CHAIN_WRITE);
        kit_same(&w, w.chain);
        kit_world_fini(&w);
}

/* The target may have been grown since the chain was opened, where its table had room. */
static void a_target_that_was_grown_takes_blocks_past_its_old_end(void **state) {
        static const struct kit_extent mid[] = {{3 * 4096 + 50, 10}, {5 * 4096, 4096}};
        const uint64_t size = (uint64_t)KIT_BLOCKS * KIT_BLOCK, small = 3 * KIT_BLOCK + 20 * 512;
        struct kit_world w = {.io = io_sim_new(1, 0)};
        AUTO(buf_fini) struct buf plan = {0};
        struct err_note note;

        (void)state;
        images_init(&w.images, w.io, &kit_images_options);
        assert_ok(fixture_vhd(w.io, "/base.vhd", small, NULL, &note));
        assert_ok(kit_layer(w.io, "/mid.vhd", "/base.vhd", 2, mid, 2, &note));
        assert_ok(kit_layer(w.io, "/leaf.vhd", "/mid.vhd", 3, mid, 0, &note));
        assert_ok(chain_open(&w.images, "/leaf.vhd", CHAIN_READ, &w.chain, &note));
        w.mid = (struct image *)chain_layer(w.chain, 1);
        w.base = (struct image *)chain_layer(w.chain, 2);
        w.before = kit_read_all(w.chain);
        assert_ok(vhd_resize_plan(w.base->file, size, &plan, &note));
        assert_ok(vhd_resize_apply(w.base->file, &plan, &note));
        kit_begin(w.base);
        assert_int_equal(w.base->size, size);
        kit_begin(w.mid);
        assert_ok(kit_move(w.mid, w.base, &note));
        chain_publish_moved(w.chain, w.base, w.mid, kit_all_blocks, KIT_BLOCKS);
        kit_same(&w, w.chain);
        w.mid->ops->forget_left(w.mid);
        image_wait_readers(w.mid);
        assert_ok(w.mid->ops->punch_left(w.mid, &note));
        kit_same(&w, w.chain);
        kit_end(w.mid);
        kit_end(w.base);
        chain_take_out(w.chain, w.mid);
        kit_same(&w, w.chain);
        kit_world_fini(&w);
}

/* A file without a BAT has all blocks, whoever moves them there. */
static void a_raw_base_takes_blocks_in(void **state) {
        static const struct kit_extent mid[] = {{3, 5}, {4096, 4096}};
        struct kit_world w = {.io = io_sim_new(1, 0)};
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_parent parent = {.path = "/base.raw", .is_raw = true};
        const struct vhd_create_options options = {
                .type = VHD_DIFFERENCING, .size = (uint64_t)KIT_BLOCKS * KIT_BLOCK, .parent = &parent};
        struct err_note note;
        struct chain *chain;
        uint8_t sector[512];

        (void)state;
        images_init(&w.images, w.io, &kit_images_options);
        assert_ok(io_open(w.io, "/base.raw", IO_WRITE | IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, options.size - 100, &note));
        io_close(TAKE(file));
        assert_ok(vhd_create(w.io, "/mid.vhd", &options, NULL, &note));
        assert_ok(chain_open(&w.images, "/mid.vhd", CHAIN_WRITE, &chain, &note));
        for (unsigned i = 0; i < 2; i++) {
                AUTO_FREE uint8_t *data = mem_zero(mid[i].n * 512);

                fixture_fill(data, mid[i].n * 512, mid[i].first * 512, 2);
                assert_ok(chain_write(chain, data, mid[i].n * 512, mid[i].first * 512, &note));
        }
        fixture_fill(sector, 512, (KIT_SECTORS - 1) * 512ull, 2);
        assert_ok(chain_write(chain, sector, 512, (KIT_SECTORS - 1) * 512ull, &note));
        assert_ok(chain_close(chain, &note));

        assert_ok(chain_open(&w.images, "/mid.vhd", CHAIN_READ, &w.chain, &note));
        w.before = kit_read_all(w.chain);
        w.mid = (struct image *)chain_layer(w.chain, 0);
        w.base = (struct image *)chain_layer(w.chain, 1);
        kit_begin(w.base);
        kit_begin(w.mid);
        assert_ok(kit_move(w.mid, w.base, &note));
        chain_publish_moved(w.chain, w.base, w.mid, kit_all_blocks, KIT_BLOCKS);
        w.mid->ops->forget_left(w.mid);
        w.base->ops->forget_left(w.base);
        image_wait_readers(w.mid);
        assert_ok(w.mid->ops->punch_left(w.mid, &note));
        assert_ok(w.base->ops->punch_left(w.base, &note));
        kit_same(&w, w.chain);
        kit_end(w.mid);
        kit_end(w.base);
        kit_same(&w, w.chain);
        kit_world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_chain_reads_the_same_at_every_step_of_a_move),
                cmocka_unit_test(all_chains_through_the_layers_are_told),
                cmocka_unit_test(what_was_known_of_a_block_is_forgotten_when_it_moves),
                cmocka_unit_test(a_look_up_that_meets_a_publication_is_about_one_entry),
                cmocka_unit_test(a_block_that_moves_out_of_the_leaf_is_looked_at_again),
                cmocka_unit_test(a_map_whose_rows_are_full_is_made_anew),
                cmocka_unit_test(a_snapshot_in_the_middle_of_a_move_takes_the_places_as_they_are),
                cmocka_unit_test(any_number_of_snapshots_can_be_taken_of_an_open_disk),
                cmocka_unit_test(a_file_that_is_being_moved_is_locked_alone_and_shared_again),
                cmocka_unit_test(a_read_only_or_failed_image_gets_no_write_side),
                cmocka_unit_test(a_hidden_image_stays_hidden),
                cmocka_unit_test(a_leaf_keeps_its_write_side_until_the_last_has_ended),
                cmocka_unit_test(a_target_that_was_grown_takes_blocks_past_its_old_end),
                cmocka_unit_test(a_raw_base_takes_blocks_in),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
