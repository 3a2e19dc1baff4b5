// SPDX-License-Identifier: Apache-2.0
/* What lower layers hold is copied up into the top of their run, frozen or written to all the time, until it
 * can do without them. */
#include "check.h"

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "pull.h"
#include "vhd_check.h"
#include "vhd_relink.h"

enum { BLOCK = 2 * 1024 * 1024, N_BLOCKS = 5, LAYERS_MAX = 8 };
#define SIZE ((uint64_t)N_BLOCKS * BLOCK - 3 * 512)

/* /0.vhd … /<n - 1>.vhd, the last is the leaf and written to.  The run is [below, above). */
struct world {
        struct io *io;
        struct images images;
        struct fixture_dice dice;
        unsigned n, below, above;
        uint8_t *want;    /* owned; SIZE: as it was written last */
        uint8_t *durable; /* owned; SIZE: as of the last flush */
        bool *may_differ; /* owned; of each sector: written since */
        struct chain *chain;
        struct image *run[LAYERS_MAX]; /* counted, with a write side */
        size_t n_run;
        struct pull *pull;
};

static const char *path_of(unsigned i) {
        static char paths[4][32];
        static unsigned turn;
        char *path = paths[turn++ % 4];

        snprintf(path, sizeof paths[0], "/%u.vhd", i);
        return path;
}

/* ---- a guest ---- */

static void note_change(struct world *w, uint64_t n, uint64_t at) {
        for (uint64_t s = at / SECTOR; s < div_up(at + n, SECTOR); s++)
                w->may_differ[s] = true;
}

static void flush(struct world *w) {
        struct err_note note;

        assert_ok(chain_flush(w->chain, &note));
        memcpy(w->durable, w->want, SIZE);
        memset(w->may_differ, 0, SIZE / SECTOR);
}

static void zero(struct world *w, uint64_t n, uint64_t at, bool is_trim) {
        struct err_note note;

        assert_ok(is_trim ? chain_trim(w->chain, n, at, &note) : chain_write_zeroes(w->chain, n, at, &note));
        memset(w->want + at, 0, n);
        note_change(w, n, at);
}

static void change_once(struct world *w) {
        uint64_t at = fixture_roll(&w->dice, SIZE), kind = fixture_roll(&w->dice, 12), n;
        struct err_note note;

        n = 1 + fixture_roll(&w->dice, kind % 3 ? 20000 : 700000);
        if (kind % 2)
                at = round_down(at, 4096);
        if (kind == 10) { /* a whole block */
                at = round_down(at, BLOCK);
                n = BLOCK;
        }
        n = min_u64(n, SIZE - at);
        if (kind == 11) {
                flush(w);
        } else if (kind >= 8) {
                zero(w, n, at, kind > 8);
        } else {
                memset(w->want + at, (int)(1 + fixture_roll(&w->dice, 255)), n);
                assert_ok(chain_write(w->chain, w->want + at, n, at, &note));
                note_change(w, n, at);
        }
}

static void change(struct world *w, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                change_once(w);
}

/* ---- what is read ---- */

static void same_to_readers(const struct world *w) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        struct err_note note;

        assert_ok(chain_read(w->chain, got, SIZE, 0, &note));
        for (uint64_t i = 0; i < SIZE; i++)
                if (got[i] != w->want[i]) {
                        print_error("byte %llu (block %llu, sector %llu) is %u, not %u\n",
                                    (unsigned long long)i, (unsigned long long)(i / BLOCK),
                                    (unsigned long long)(i % BLOCK / SECTOR), got[i], w->want[i]);
                        fail();
                }
}

/* Sectors that were not written since the last flush are as it left them; the others old or new. */
static void same_after(const struct world *w, struct io *io, const char *who) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        struct images images;
        struct chain *chain;
        struct err_note note;

        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, path_of(w->n - 1), CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, got, SIZE, 0, &note));
        for (uint64_t s = 0; s < SIZE / SECTOR; s++)
                if (!w->may_differ[s] && memcmp(got + s * SECTOR, w->durable + s * SECTOR, SECTOR) != 0) {
                        print_error("%s: sector %llu of block %llu is not what was flushed\n", who,
                                    (unsigned long long)(s % (BLOCK / SECTOR)),
                                    (unsigned long long)(s / (BLOCK / SECTOR)));
                        fail();
                }
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

static void survives_crashes(const struct world *w, uint64_t seed) {
        for (unsigned i = 0; i < 4; i++) {
                struct io *crashed = io_sim_fork(w->io);

                io_sim_crash(crashed, seed * 4 + i);
                same_after(w, crashed, "after a crash");
                io_free(crashed);
        }
}

/* ---- the scene ---- */

static void add_layer(struct world *w, unsigned i, uint64_t size) {
        struct err_note note;

        assert_ok(fixture_vhd(w->io, path_of(i), size, i ? path_of(i - 1) : NULL, &note));
        assert_ok(chain_open(&w->images, path_of(i), CHAIN_WRITE, &w->chain, &note));
}

static void world_init(struct world *w, uint64_t seed, unsigned n, unsigned below, unsigned above) {
        const struct images_options options = {.growth_bytes = 8 * MIB, .owners_cache_bytes = 1 * MIB};
        struct err_note note;

        memset(w, 0, sizeof *w);
        w->io = io_sim_new(seed, 0);
        w->dice.state = seed;
        w->n = n;
        w->below = below;
        w->above = above;
        w->want = mem_zero(SIZE);
        w->durable = mem_zero(SIZE);
        w->may_differ = mem_zero(SIZE / SECTOR * sizeof *w->may_differ);
        images_init(&w->images, w->io, &options);
        for (unsigned i = 0; i < n; i++) {
                add_layer(w, i, SIZE);
                change(w, 6);
                if (i < n - 1)
                        assert_ok(chain_close(w->chain, &note));
        }
        flush(w);
        io_sim_settle(w->io);
}

static bool is_live(const struct world *w) {
        return w->above == w->n;
}

static void begin(struct world *w, uint64_t batch_bytes, bool never_clones) {
        const struct mover_options options = {.batch_bytes = batch_bytes,
                                              .never_clones = never_clones,
                                              .live = is_live(w) ? w->chain : NULL};
        struct err_note note;

        for (unsigned i = w->below; i < w->above; i++) {
                w->run[w->n_run] = image_ref((struct image *)chain_layer(w->chain, w->n - 1 - i));
                assert_ok(image_begin_write(w->run[w->n_run++], &note));
        }
        assert_ok(pull_new(w->run, w->n_run, &options, &w->pull, &note));
}

static bool step(struct world *w) {
        struct err_note note;

        assert_ok(pull_step(w->pull, &note));
        return pull_phase(w->pull) != PULL_FULL;
}

static struct image *top_of(const struct world *w) {
        return w->run[w->n_run - 1];
}

static void relink(struct world *w) {
        struct err_note note;

        if (w->below == 0) {
                assert_ok(vhd_unlink_image(top_of(w), &note));
        } else {
                const struct image *heir = chain_layer(w->chain, w->n - w->below);

                assert_ok(vhd_relink_image(
                        top_of(w), &(struct vhd_parent){.path = path_of(w->below - 1), .uuid = heir->uuid},
                        &note));
        }
}

static void end(struct world *w) {
        struct err_note note;

        if (w->pull)
                pull_free(TAKE(w->pull));
        while (w->n_run > 0) {
                assert_ok(image_end_write(w->run[--w->n_run], &note));
                image_unref(w->run[w->n_run]);
        }
}

static void world_fini(struct world *w) {
        struct err_note note;

        end(w);
        if (w->chain)
                assert_ok(chain_close(w->chain, &note));
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
        free(w->want);
        free(w->durable);
        free(w->may_differ);
}

/* The lower files of the run go; what is left is sound. */
static void remove_lower(struct world *w) {
        struct err_note note;

        for (unsigned i = w->above - 1; i-- > w->below;)
                assert_ok(io_unlink(w->io, path_of(i), &note));
        assert_ok(io_sync_dir(w->io, "/", &note));
}

static void check(struct world *w, unsigned i) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note;

        assert_ok(vhd_check(w->io, path_of(i), VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &found, &note));
        VEC_EACH (&found.list, each)
                print_error("%u: %s: %s\n", i, each->part, each->text);
        assert_int_equal(found.list.n, 0);
}

/* ---- from the beginning to the end ---- */

static void pull_all(uint64_t seed, unsigned n, unsigned below, unsigned above) {
        uint64_t turn = 0;
        struct world w;
        struct err_note note;

        world_init(&w, seed, n, below, above);
        begin(&w, seed % 2 ? 0 : 1, seed % 3 == 0);
        do {
                change(&w, 3);
                same_to_readers(&w);
                survives_crashes(&w, seed * 100 + turn++);
        } while (step(&w));
        assert_int_equal(pull_bytes_done(w.pull), pull_bytes_total(w.pull));
        change(&w, 3);
        relink(&w);
        same_to_readers(&w);
        survives_crashes(&w, seed * 100 + turn++);
        change(&w, 3);
        chain_take_out_below(w.chain, top_of(&w), (unsigned)w.n_run - 1);
        assert_int_equal(chain_depth(w.chain), n - (above - below - 1));
        same_to_readers(&w);
        change(&w, 6);
        same_to_readers(&w);
        end(&w);
        remove_lower(&w);
        for (unsigned i = 0; i < 4; i++) {
                change(&w, 3);
                survives_crashes(&w, seed * 100 + turn++);
        }
        flush(&w);
        assert_ok(chain_close(TAKE(w.chain), &note));
        same_after(&w, w.io, "another process");
        check(&w, n - 1);
        check(&w, above - 1);
        world_fini(&w);
}

static void a_leaf_that_is_written_to_pulls_and_needs_nobody_any_more(void **state UNUSED) {
        for (uint64_t seed = 1; seed <= 4; seed++)
                pull_all(seed, 2 + (unsigned)seed % 3, 0, 2 + (unsigned)seed % 3);
}

static void a_leaf_that_is_written_to_pulls_what_lies_above_its_grandparent(void **state UNUSED) {
        for (uint64_t seed = 11; seed <= 14; seed++)
                pull_all(seed, 4, 1 + (unsigned)seed % 2, 4);
}

static void an_inner_layer_pulls_below_a_leaf_that_is_written_to(void **state UNUSED) {
        for (uint64_t seed = 21; seed <= 24; seed++)
                pull_all(seed, 5, (unsigned)seed % 2, 3 + (unsigned)seed % 2);
}

/* ---- its parts ---- */

static void what_it_costs_is_known_before(void **state UNUSED) {
        struct mover_price price;
        struct err_note note;
        struct world w;
        uint64_t total;

        world_init(&w, 31, 3, 0, 3);
        begin(&w, 0, false);
        assert_ok(mover_price(w.run, w.n_run, w.n_run - 1, &price, &note));
        total = pull_bytes_total(w.pull);
        assert_int_equal(total, price.bytes);
        assert_true(total > 0 && price.blocks > 0);
        while (step(&w))
                ;
        assert_int_equal(pull_bytes_done(w.pull), total);
        assert_ok(mover_price(w.run, w.n_run, w.n_run - 1, &price, &note));
        assert_int_equal(price.bytes, 0);
        world_fini(&w);
}

/* [C6] */
static void what_was_pulled_is_not_pulled_again(void **state UNUSED) {
        struct world w;
        uint64_t total, done;

        world_init(&w, 32, 4, 0, 3);
        begin(&w, 1, true);
        total = pull_bytes_total(w.pull);
        for (unsigned i = 0; i < 4; i++)
                assert_true(step(&w));
        done = pull_bytes_done(w.pull);
        assert_true(done > 0 && done < total);
        end(&w);
        begin(&w, 1, true);
        assert_int_equal(pull_bytes_total(w.pull), total - done);
        world_fini(&w);
}

static void what_a_guest_has_overwritten_is_not_copied(void **state UNUSED) {
        AUTO_FREE uint8_t *data = mem_zero(SIZE);
        struct err_note note;
        struct world w;

        world_init(&w, 33, 2, 0, 2);
        begin(&w, 0, true);
        assert_true(pull_bytes_total(w.pull) > 0);
        memset(data, 7, SIZE);
        memset(w.want, 7, SIZE);
        assert_ok(chain_write(w.chain, data, SIZE, 0, &note));
        note_change(&w, SIZE, 0);
        while (step(&w))
                ;
        assert_int_equal(pull_bytes_total(w.pull), 0);
        same_to_readers(&w);
        world_fini(&w);
}

/* Written once since the flush: each sector is as it was, or as it was written. */
static void old_or_new_after(const struct world *w, struct io *io) {
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        struct images images;
        struct chain *chain;
        struct err_note note;

        images_init(&images, io, NULL);
        assert_ok(chain_open(&images, path_of(w->n - 1), CHAIN_READ, &chain, &note));
        assert_ok(chain_read(chain, got, SIZE, 0, &note));
        for (uint64_t at = 0; at < SIZE; at += SECTOR)
                assert_true(memcmp(got + at, w->durable + at, SECTOR) == 0 ||
                            memcmp(got + at, w->want + at, SECTOR) == 0);
        assert_ok(chain_close(chain, &note));
        images_fini(&images);
}

/* Once the layers below are gone, nothing could give back what a guest's unflushed write has covered. */
static void the_last_step_makes_durable_what_covers_the_lower_layers(void **state UNUSED) {
        struct err_note note;
        struct world w;

        for (uint64_t seed = 0; seed < 4 * IO_SIM_STYLES; seed++) {
                uint64_t n = seed % 2 ? SIZE - SECTOR : 2 * BLOCK;
                struct io *crashed;

                world_init(&w, 40 + seed % 5, 2, 0, 2);
                if (seed % 4 == 0)
                        begin(&w, 0, false);
                memset(w.want + SECTOR, 7, n);
                assert_ok(chain_write(w.chain, w.want + SECTOR, n, SECTOR, &note));
                if (seed % 4)
                        begin(&w, 0, false);
                while (step(&w))
                        ;
                relink(&w);
                chain_take_out_below(w.chain, top_of(&w), 1);
                remove_lower(&w);
                crashed = io_sim_fork(w.io);
                io_sim_crash(crashed, seed);
                old_or_new_after(&w, crashed);
                io_free(crashed);
                world_fini(&w);
        }
}

/* What was copied of a block before space ran out is the top's: it must not be taken away again. */
static void without_space_it_stops_and_goes_on_later(void **state UNUSED) {
        unsigned n_stopped = 0;

        for (uint64_t space = 0; space < 40; space++) {
                struct err_note note;
                struct world w;
                enum err e = ERR_NONE;

                world_init(&w, 50 + space % 4, 4, 0, space % 2 ? 3 : 4);
                io_sim_resize(w.io, io_sim_used(w.io) + space * 76 * KIB);
                begin(&w, space % 3 ? 1 : 0, true);
                while (!e && pull_phase(w.pull) != PULL_FULL)
                        e = pull_step(w.pull, &note);
                assert_true(!e || e == ERR_NO_SPACE);
                n_stopped += e != ERR_NONE;
                same_to_readers(&w);
                io_sim_resize(w.io, (uint64_t)1 << 40);
                while (step(&w))
                        ;
                same_to_readers(&w);
                world_fini(&w);
        }
        assert_true(n_stopped > 10);
}

/* A byte a sector: whether it may differ. */
static uint8_t *differing(struct chain *chain, struct chain *base) {
        uint8_t *data = mem_zero(SIZE / SECTOR);
        struct extent extent;
        struct err_note note;

        for (uint64_t at = 0; at < SIZE; at += extent.n) {
                assert_ok(chain_extent_at(chain, base, at, SIZE - at, &extent, &note));
                memset(data + at / SECTOR, extent.kind == EXTENT_DATA, extent.n / SECTOR);
        }
        return data;
}

/* [C7] also while one chain has lost the layers already, and the other one not yet. */
static void what_differs_is_the_same_while_layers_go_out_of_one_chain_and_then_the_other(
        void **state UNUSED) {
        AUTO_FREE uint8_t *before = NULL;
        struct chain *base;
        struct err_note note;
        struct world w;

        world_init(&w, 60, 4, 0, 3);
        assert_ok(chain_open(&w.images, path_of(2), CHAIN_READ, &base, &note));
        before = differing(w.chain, base);
        begin(&w, 0, false);
        while (step(&w))
                ;
        for (unsigned turn = 0; turn < 2; turn++) {
                AUTO_FREE uint8_t *now = NULL;
                AUTO_FREE uint8_t *turned = NULL;

                chain_take_out_below(turn ? base : w.chain, top_of(&w), 2);
                now = differing(w.chain, base);
                turned = differing(base, w.chain);
                assert_memory_equal(now, before, SIZE / SECTOR);
                assert_memory_equal(turned, before, SIZE / SECTOR);
        }
        assert_ok(chain_close(base, &note));
        world_fini(&w);
}

static void a_flat_layer_gives_nothing_up(void **state UNUSED) {
        struct mover_price price;
        struct err_note note;
        struct image *run[2];
        struct io_file *file;
        struct world w;

        world_init(&w, 36, 1, 0, 1);
        assert_ok(io_open(w.io, "/a.raw", IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, SIZE, &note));
        io_close(file);
        assert_ok(images_open(&w.images, "/a.raw", IMAGE_RAW, false, &run[0], &note));
        run[1] = image_ref((struct image *)chain_layer(w.chain, 0));
        assert_err(mover_price(run, 2, 2 - 1, &price, &note), ERR_UNSUPPORTED, "cannot be emptied");
        image_unref(run[0]);
        image_unref(run[1]);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_leaf_that_is_written_to_pulls_and_needs_nobody_any_more),
                cmocka_unit_test(a_leaf_that_is_written_to_pulls_what_lies_above_its_grandparent),
                cmocka_unit_test(an_inner_layer_pulls_below_a_leaf_that_is_written_to),
                cmocka_unit_test(what_it_costs_is_known_before),
                cmocka_unit_test(what_was_pulled_is_not_pulled_again),
                cmocka_unit_test(what_a_guest_has_overwritten_is_not_copied),
                cmocka_unit_test(the_last_step_makes_durable_what_covers_the_lower_layers),
                cmocka_unit_test(without_space_it_stops_and_goes_on_later),
                cmocka_unit_test(
                        what_differs_is_the_same_while_layers_go_out_of_one_chain_and_then_the_other),
                cmocka_unit_test(a_flat_layer_gives_nothing_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
