// SPDX-License-Identifier: Apache-2.0
#include "stream_kit.h"

#include "stream_plan.h"

/* A disk of random content over another one, of an odd size. */
static void make_pair(struct world *w, uint64_t seed) {
        struct fixture_dice dice = {seed};
        struct err_note note;

        assert_ok(fixture_vhd(w->io, "/base.vhd", 5 * BLOCK + 1536, NULL, &note));
        kit_change(w, "/base.vhd", &dice, 14);
        assert_ok(fixture_vhd(w->io, "/top.vhd", 6 * BLOCK + 512, "/base.vhd", &note));
        kit_change(w, "/top.vhd", &dice, 10);
}

struct shape {
        enum stream_format format;
        bool is_delta, has_whole_blocks;
};
static const struct shape shapes[] = {
        {STREAM_RAW, false, false}, {STREAM_VHD, false, false}, {STREAM_VHD, false, true},
        {STREAM_VHD, true, false},  {STREAM_VHD, true, true},
};

static struct stream_source_options options_of(const struct shape *shape, struct chain *base) {
        return (struct stream_source_options){.format = shape->format,
                                              .base = shape->is_delta ? base : NULL,
                                              .uuid = kit_uuid,
                                              .parent_uuid = {{9, 9}},
                                              .parent_name = "base.vhd",
                                              .has_whole_blocks = shape->has_whole_blocks};
}

/* Each part that is asked for, whatever came before, is that part of the stream. */
static void read_anywhere(struct world *w, const struct shape *shape, struct fixture_dice *dice) {
        struct chain *chain = kit_open(w, "/top.vhd", CHAIN_READ),
                     *base = kit_open(w, "/base.vhd", CHAIN_READ);
        struct stream_source_options options = options_of(shape, base);
        struct err_note note;

        {
                AUTO(buf_fini) struct buf whole = kit_pull(chain, &options, 1 * MIB);
                AUTO(stream_plan_free) struct stream_plan *plan = NULL;
                AUTO(chain_batch_free) struct chain_batch *batch = NULL;
                AUTO_FREE uint8_t *memory = mem_aligned(STREAM_PLAN_PAGE, 3 * MIB);

                assert_ok(stream_plan_new(chain, &options, &plan, &note));
                assert_ok(chain_batch_new(w->io, &batch, &note));
                assert_int_equal(stream_plan_length(plan), whole.n);
                for (int i = 0; i < 200; i++) {
                        uint64_t at = fixture_roll(dice, whole.n + 1), hole;
                        size_t n = 2 * STREAM_PLAN_PAGE + fixture_roll(dice, 3 * MIB - 2 * STREAM_PLAN_PAGE),
                               got;
                        const uint8_t *data;

                        at = fixture_roll(dice, 4) ? at : fixture_roll(dice, min_u64(whole.n, 9000));
                        assert_ok(stream_plan_read(plan, batch, at, memory, n, &data, &got, &note));
                        assert_true(data >= memory && data + got <= memory + n);
                        assert_true(got > 0 || at == whole.n);
                        assert_true(got <= whole.n - at);
                        assert_memory_equal(data, whole.data + at, got);
                        assert_ok(stream_plan_hole(plan, at, &hole, &note));
                        assert_true(hole <= whole.n - at);
                        for (uint64_t b = 0; b < hole; b += 511)
                                assert_int_equal(whole.data[at + b], 0);
                }
        }
        kit_close(base);
        kit_close(chain);
}

static void any_part_is_that_part_of_the_stream(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++) {
                struct fixture_dice dice = {seed * 77};
                struct world w;

                world_init(&w, seed);
                make_pair(&w, seed);
                for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++)
                        read_anywhere(&w, &shapes[i], &dice);
                world_fini(&w);
        }
}

static void a_part_that_was_not_taken_is_read_again(void **state) {
        struct world w;

        (void)state;
        world_init(&w, 7);
        make_pair(&w, 7);
        {
                struct chain *chain = kit_open(&w, "/top.vhd", CHAIN_READ);
                struct stream_source_options options = options_of(&shapes[2], NULL);
                AUTO(buf_fini) struct buf whole = kit_pull(chain, &options, 1 * MIB);
                AUTO(stream_plan_free) struct stream_plan *plan = NULL;
                AUTO(chain_batch_free) struct chain_batch *batch = NULL;
                AUTO_FREE uint8_t *memory = mem_aligned(STREAM_PLAN_PAGE, 64 * KIB);
                struct err_note note;
                uint64_t at = 0;
                size_t got = 0, taken = 0;

                assert_ok(stream_plan_new(chain, &options, &plan, &note));
                assert_ok(chain_batch_new(w.io, &batch, &note));
                for (unsigned i = 0; at < whole.n; at += taken, i++) {
                        const uint8_t *data;

                        assert_ok(stream_plan_read(plan, batch, at, memory, 64 * KIB, &data, &got, &note));
                        assert_true(got > 0);
                        taken = i % 3 ? got : 1 + got / 3;
                        assert_memory_equal(data, whole.data + at, taken);
                }
                kit_close(chain);
        }
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_part_is_that_part_of_the_stream),
                cmocka_unit_test(a_part_that_was_not_taken_is_read_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
