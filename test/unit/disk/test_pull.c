// SPDX-License-Identifier: Apache-2.0
/* What lower layers hold is copied up into the top of their run, frozen or written to all the time, until it
 * can do without them. */
#include "guest_kit.h"

#include "pull.h"
#include "vhd_check.h"
#include "vhd_relink.h"

/* ---- the pull ---- */

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

static void close_world(struct world *w) {
        end(w);
        world_fini(w);
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
                survives_crashes(&w, path_of(w.n - 1), seed * 100 + turn++);
        } while (step(&w));
        assert_int_equal(pull_bytes_done(w.pull), pull_bytes_total(w.pull));
        change(&w, 3);
        relink(&w);
        same_to_readers(&w);
        survives_crashes(&w, path_of(w.n - 1), seed * 100 + turn++);
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
                survives_crashes(&w, path_of(w.n - 1), seed * 100 + turn++);
        }
        flush(&w);
        assert_ok(chain_close(TAKE(w.chain), &note));
        same_after(&w, w.io, path_of(w.n - 1), "another process");
        check(&w, n - 1);
        check(&w, above - 1);
        close_world(&w);
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
        close_world(&w);
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
        close_world(&w);
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
        close_world(&w);
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
                close_world(&w);
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
                close_world(&w);
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
        close_world(&w);
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
        close_world(&w);
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
