// SPDX-License-Identifier: Apache-2.0
/* Chains through layers whose blocks move (this attacks chain_map_change.c too). */
#include "move_kit.h"

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_chain_reads_the_same_at_every_step_of_a_move),
                cmocka_unit_test(all_chains_through_the_layers_are_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
