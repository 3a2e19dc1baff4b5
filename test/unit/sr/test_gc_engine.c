// SPDX-License-Identifier: Apache-2.0
/* gc with the coalesces themselves, on trees that dice make: what the plan calls ready can be claimed and is
 * done, and nobody reads anything else for it. */
#include "sr_kit.h"

#include "gc.h"

enum { VDIS_MAX = 12 };

struct world {
        struct io *io;
        struct sr *sr;
        uint64_t dice;
        struct uuid vdis[VDIS_MAX]; /* and snapshots */
        char reads[VDIS_MAX][KIT_BLOCKS + 1];
        bool is_snapshot[VDIS_MAX];
        unsigned n;
        struct chain *open; /* of vdis[open_at]; NULL: none */
        struct uuid open_at;
        bool is_written;
};

static unsigned roll(struct world *world, unsigned sides) {
        world->dice = world->dice * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)(world->dice >> 33) % sides;
}

static void add(struct world *world, struct uuid uuid, const char *reads, bool is_snapshot) {
        world->vdis[world->n] = uuid;
        world->is_snapshot[world->n] = is_snapshot;
        memcpy(world->reads[world->n++], reads, KIT_BLOCKS + 1);
}

static void write_some(struct world *world, unsigned i) {
        char letters[KIT_BLOCKS + 1] = "....";

        for (unsigned n = 1 + roll(world, 2); n > 0; n--)
                letters[roll(world, KIT_BLOCKS)] = (char)('A' + roll(world, 26));
        kit_write(world->sr, &world->vdis[i], letters);
        for (unsigned b = 0; b < KIT_BLOCKS; b++)
                if (letters[b] != '.')
                        world->reads[i][b] = letters[b];
}

static void remove_one(struct world *world, unsigned i) {
        kit_delete(world->sr, &world->vdis[i]);
        world->n--;
        world->vdis[i] = world->vdis[world->n];
        world->is_snapshot[i] = world->is_snapshot[world->n];
        memcpy(world->reads[i], world->reads[world->n], KIT_BLOCKS + 1);
}

static unsigned index_of(struct world *world, const struct uuid *uuid) {
        for (unsigned i = 0; i < world->n; i++)
                if (uuid_equal(&world->vdis[i], uuid))
                        return i;
        fail();
        return 0;
}

/* A guest, who goes on while what lies below his disk is coalesced. */
static void use_chain(struct world *world) {
        unsigned i = world->open ? index_of(world, &world->open_at) : roll(world, world->n);
        struct err_note note = {0};
        char letter = (char)('a' + roll(world, 26));

        if (!world->open) {
                world->open_at = world->vdis[i];
                world->is_written = !world->is_snapshot[i];
                assert_ok(sr_open_chain(world->sr, &world->vdis[i],
                                        world->is_written ? CHAIN_WRITE : CHAIN_READ, &world->open, &note));
        }
        if (world->is_written && roll(world, 2)) {
                unsigned block = roll(world, KIT_BLOCKS);

                kit_put(world->open, block, letter);
                world->reads[i][block] = letter;
        }
        assert_string_equal(kit_read_chain(world->open).s, world->reads[i]);
        if (roll(world, 8) == 0) {
                assert_ok(sr_close_chain(world->sr, world->open, &note));
                world->open = NULL;
        }
}

static void close_chain(struct world *world) {
        struct err_note note = {0};

        if (world->open)
                assert_ok(sr_close_chain(world->sr, world->open, &note));
        world->open = NULL;
}

static void change(struct world *world) {
        unsigned i = world->n ? roll(world, world->n) : 0, what = roll(world, 10);

        if (world->open && uuid_equal(&world->vdis[i], &world->open_at))
                return;
        if (world->n == 0)
                add(world, kit_vdi(world->sr, "v"), "....", false);
        else if (what < 4 && !world->is_snapshot[i])
                write_some(world, i);
        else if (what < 7 && world->n < VDIS_MAX && !world->is_snapshot[i])
                add(world, kit_snapshot(world->sr, &world->vdis[i], "s"), world->reads[i], true);
        else if (what == 7 && world->n < VDIS_MAX)
                add(world, kit_clone(world->sr, &world->vdis[i], "c"), world->reads[i], false);
        else if (what > 7)
                remove_one(world, i);
}

static void check_reads(struct world *world) {
        for (unsigned i = 0; i < world->n; i++)
                assert_reads(world->sr, &world->vdis[i], world->reads[i]);
}

/* No hidden node is an only child's parent any more. */
static void check_short(struct world *world) {
        const struct tree *tree = sr_tree(world->sr);

        VEC_EACH (&tree->nodes, each) {
                assert_int_equal((*each)->error.code, ERR_NONE);
                if ((*each)->is_hidden)
                        assert_true((*each)->n_children > 1);
        }
}

static void run_gc(struct world *world, bool comes_in_between) {
        struct gc_options options = {.max_running = 1 + roll(world, 3)};
        struct err_note note = {0};
        struct gc_turn turn;
        struct gc *gc;

        assert_ok(gc_new(world->sr, &options, &gc, &note));
        for (unsigned i = 0;; i++) {
                assert_true(i < 10000);
                assert_ok(gc_step(gc, &turn, &note));
                if (comes_in_between && world->n > 0 && roll(world, 2) == 0)
                        use_chain(world);
                if (comes_in_between && roll(world, 4) == 0) {
                        change(world);
                        gc_look_again(gc);
                }
                if (turn.what == GC_IDLE && turn.wait_ns == UINT64_MAX)
                        break;
                /* Somebody was in the way. */
                if (turn.what == GC_IDLE) {
                        comes_in_between = false;
                        io_sim_advance(world->io, turn.wait_ns);
                }
                if (i > 60)
                        comes_in_between = false;
        }
        assert_int_equal(gc_sums(gc).n_failed, 0);
        close_chain(world);
        gc_look_again(gc);
        do {
                assert_ok(gc_step(gc, &turn, &note));
                if (turn.what == GC_IDLE && turn.wait_ns != UINT64_MAX)
                        io_sim_advance(world->io, turn.wait_ns);
        } while (turn.what != GC_IDLE || turn.wait_ns != UINT64_MAX);
        assert_int_equal(gc_sums(gc).n_failed, 0);
        gc_free(gc);
}

static void play(uint64_t seed, bool comes_in_between) {
        AUTO(io_free) struct io *io = io_sim_new(seed, 0);
        struct world world = {.io = io, .sr = kit_create(io), .dice = seed};

        for (unsigned round = 0; round < 3; round++) {
                for (unsigned i = 0; i < 20; i++)
                        change(&world);
                run_gc(&world, comes_in_between);
                check_reads(&world);
                check_short(&world);
        }
        sr_close(world.sr);
        world.sr = kit_open(io);
        check_reads(&world);
        sr_close(world.sr);
}

static void what_is_ready_can_be_done_and_nothing_is_left(void **state UNUSED) {
        for (uint64_t seed = 1; seed <= 12; seed++)
                play(seed, false);
}

static void so_it_is_while_others_change_the_trees(void **state UNUSED) {
        for (uint64_t seed = 101; seed <= 112; seed++)
                play(seed, true);
}

/* What it moves is what it said it would. */
static void the_price_is_what_is_paid(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(sr_close) struct sr *sr = kit_create(io);
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct uuid vdi = kit_vdi(sr, "a"), snapshots[3];
        struct gc_options options = {0};
        struct err_note note = {0};
        struct gc_turn turn;
        struct gc *gc;

        for (unsigned i = 0; i < 3; i++) {
                kit_write(sr, &vdi, i ? "AB.C" : "ABCD");
                snapshots[i] = kit_snapshot(sr, &vdi, "s");
        }
        kit_write(sr, &vdi, "E");
        for (unsigned i = 0; i < 3; i++)
                kit_delete(sr, &snapshots[i]);
        assert_ok(gc_status(sr, NULL, &status, &note));
        assert_int_equal(status.items.n, 1);
        assert_int_equal(status.items.data[0].layers, 3);
        assert_ok(gc_new(sr, &options, &gc, &note));
        do
                assert_ok(gc_step(gc, &turn, &note));
        while (turn.what == GC_WORKED);
        assert_int_equal(gc_sums(gc).bytes_done, status.items.data[0].bytes_total);
        assert_int_equal(gc_sums(gc).bytes_total, status.items.data[0].bytes_total);
        gc_free(gc);
        assert_reads(sr, &vdi, "EBCC");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_ready_can_be_done_and_nothing_is_left),
                cmocka_unit_test(so_it_is_while_others_change_the_trees),
                cmocka_unit_test(the_price_is_what_is_paid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
