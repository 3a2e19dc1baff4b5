// SPDX-License-Identifier: Apache-2.0
/* Depth costs nothing, in counts: timings belong to bench/. */
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"

enum { BLOCK = 2 * 1024 * 1024, BLOCKS = 4, PAGE = 4096, WARM = 1000 };

/* How the data of a disk lies in its layers: piece i is in layer i % depth. */
static void make_chain(struct images *images, unsigned depth, uint64_t piece, char ret_top[32]) {
        char parent[32] = "";
        struct err_note note;

        for (unsigned layer = 0; layer < depth; layer++) {
                struct chain *chain;

                snprintf(ret_top, 32, "/%u-%u.vhd", depth, layer);
                assert_ok(fixture_vhd(images->io, ret_top, (uint64_t)BLOCKS * BLOCK, layer ? parent : NULL,
                                      &note));
                assert_ok(chain_open(images, ret_top, CHAIN_WRITE, &chain, &note));
                for (uint64_t i = layer; i * piece < (uint64_t)BLOCKS * BLOCK; i += depth) {
                        uint8_t data[PAGE];

                        memset(data, (int)(1 + i % 255), sizeof data);
                        assert_ok(chain_write(chain, data, sizeof data, i * piece, &note));
                }
                assert_ok(chain_close(chain, &note));
                strcpy(parent, ret_top);
        }
}

static void read_pages(struct chain *chain, uint64_t piece) {
        struct fixture_dice dice = {5};
        struct err_note note;

        for (int i = 0; i < WARM; i++) {
                uint64_t n = fixture_roll(&dice, (uint64_t)BLOCKS * BLOCK / piece);
                uint8_t data[PAGE];

                assert_ok(chain_read(chain, data, sizeof data, n * piece, &note));
                assert_int_equal(data[0], 1 + n % 255);
        }
}

/* Once warm (bitmaps were read, owners are known), a read of what one layer has is one file read. */
static void assert_one_call_a_read(unsigned depth, uint64_t piece) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct images images;
        struct chain *chain;
        struct err_note note;
        uint64_t before;
        char top[32];

        images_init(&images, io, NULL);
        make_chain(&images, depth, piece, top);
        assert_ok(chain_open(&images, top, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_depth(chain), depth);
        read_pages(chain, piece);
        before = io_sim_count(io).all;
        read_pages(chain, piece);
        assert_int_equal(io_sim_count(io).all - before, WARM);
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

static void a_read_of_whole_pages_in_many_layers_is_one_file_read(void **state) {
        (void)state;
        assert_one_call_a_read(1, PAGE);
        assert_one_call_a_read(30, PAGE);
        assert_one_call_a_read(200, PAGE);
}

static void a_read_of_blocks_in_many_layers_is_one_file_read(void **state) {
        (void)state;
        assert_one_call_a_read(3, BLOCK);
        assert_one_call_a_read(200, BLOCK);
}

/* The segments of all pages from memory alone: how many are known.  Those are what chain_segment_at says. */
static unsigned count_known(struct chain *chain, struct io *io) {
        unsigned n = 0;

        for (uint64_t at = 0; at < (uint64_t)BLOCKS * BLOCK; at += PAGE) {
                struct chain_segment now = {0}, full = {0};
                uint64_t before = io_sim_count(io).all;
                struct chain_hold hold = chain_hold_begin(chain);
                bool is_known = chain_segment_now(chain, at, PAGE, &now);
                struct err_note note;

                assert_int_equal(io_sim_count(io).all, before);
                if (is_known) {
                        n++;
                        assert_ok(chain_segment_at(chain, at, PAGE, &full, &note));
                        assert_memory_equal(&now, &full, sizeof now);
                }
                chain_hold_end(chain, hold);
        }
        return n;
}

static void assert_known_after_a_read(enum chain_mode mode, unsigned depth) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct chain_segment segment;
        struct images images;
        struct chain *chain;
        struct err_note note;
        char top[32];

        images_init(&images, io, NULL);
        make_chain(&images, depth, PAGE, top);
        assert_ok(chain_open(&images, top, mode, &chain, &note));
        assert_int_equal(count_known(chain, io), 0);
        read_pages(chain, PAGE);
        assert_int_equal(count_known(chain, io), (unsigned)BLOCKS * BLOCK / PAGE);
        assert_false(chain_segment_now(chain, (uint64_t)BLOCKS * BLOCK, PAGE, &segment));
        assert_false(chain_segment_now(chain, (uint64_t)BLOCKS * BLOCK - PAGE, 2 * PAGE, &segment));
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

static void where_bytes_lie_is_known_from_memory_once_it_was_read(void **state) {
        (void)state;
        assert_known_after_a_read(CHAIN_READ, 3);
        assert_known_after_a_read(CHAIN_WRITE, 3);
        assert_known_after_a_read(CHAIN_WRITE, 30);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_read_of_whole_pages_in_many_layers_is_one_file_read),
                cmocka_unit_test(a_read_of_blocks_in_many_layers_is_one_file_read),
                cmocka_unit_test(where_bytes_lie_is_known_from_memory_once_it_was_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
