// SPDX-License-Identifier: Apache-2.0
/* Blocks move down from under a leaf that is written to all the time. */
#include "guest_kit.h"

#include <pthread.h>
#include <time.h>

#include "chain_move.h"
#include "push.h"
#include "vhd_check.h"

static uint64_t held_by(struct image *image) {
        struct image_slots slots = {0};
        struct err_note note;
        uint64_t n;

        assert_ok(image->ops->load(image, &slots, &note));
        n = slots.held.n;
        vec_fini(&slots.held);
        return n;
}

/* ---- the push ---- */

static void begin(struct world *w, uint64_t batch_bytes) {
        const struct mover_options options = {
                .batch_bytes = batch_bytes, .never_clones = w->never_clones, .live = w->chain};
        struct err_note note;

        for (unsigned i = w->below; i < w->n; i++) {
                w->run[w->n_run] = (struct image *)chain_layer(w->chain, w->n - 1 - i);
                assert_ok(image_begin_write(w->run[w->n_run], &note));
                w->run[w->n_run++]->references++;
        }
        assert_ok(chain_begin_move(w->chain, w->run, w->n_run, &note));
        assert_ok(push_new(w->run, w->n_run, &options, &w->push, &note));
}

static bool step(struct world *w) {
        struct err_note note;

        assert_ok(push_step(w->push, &w->chain, 1, &note));
        return push_phase(w->push) != PUSH_EMPTY;
}

static void give_up_run(struct world *w) {
        struct err_note note;

        push_free(TAKE(w->push));
        for (size_t i = 0; i < w->n_run; i++) {
                assert_ok(image_end_write(w->run[i], &note));
                image_unref(w->run[i]);
        }
        w->n_run = 0;
}

static void is_sound(struct world *w, const char *path) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note;

        assert_ok(vhd_check(w->io, path, VHD_CHECK_BITMAPS, &found, &note));
        VEC_EACH (&found.list, each)
                print_error("%s: %s: %s\n", path, each->part, each->text);
        assert_int_equal(found.list.n, 0);
}

/* The emptied leaf's name becomes the target's. */
static void pivot(struct world *w) {
        char leaf[32], target[32];
        struct err_note note;

        snprintf(leaf, sizeof leaf, "%s", path_of(w->n - 1));
        snprintf(target, sizeof target, "%s", path_of(w->below));
        assert_ok(chain_prepare_pivot(w->chain, &note));
        assert_ok(chain_freeze(w->chain, &note));
        note_flush(w);
        assert_ok(io_rename(w->io, target, leaf, &note));
        chain_pivot(w->chain, leaf);
        chain_thaw(w->chain);
        assert_ok(io_sync_dir(w->io, "/", &note));
        assert_int_equal(chain_depth(w->chain), w->below + 1);
}

/* ---- tests ---- */

static void move_all(uint64_t seed, unsigned n, unsigned below, uint64_t batch_bytes, bool with_crashes) {
        struct err_note note;
        struct world w;

        world_init(&w, seed, n, below, n);
        begin(&w, batch_bytes);
        do {
                change(&w, 1 + (unsigned)fixture_roll(&w.dice, 4));
                same_to_readers(&w);
                if (with_crashes)
                        survives_crashes(&w, path_of(n - 1), seed + fixture_roll(&w.dice, 1000));
        } while (step(&w));
        for (size_t i = 1; i < w.n_run; i++)
                assert_int_equal(held_by(w.run[i]), 0); /* [C5] */
        change(&w, 5);
        same_to_readers(&w);
        pivot(&w);
        change(&w, 5);
        same_to_readers(&w);
        give_up_run(&w);
        change(&w, 5);
        same_to_readers(&w);
        if (with_crashes)
                survives_crashes(&w, path_of(n - 1), seed);
        assert_ok(chain_close(w.chain, &note));
        is_sound(&w, path_of(n - 1));
        assert_ok(chain_open(&w.images, path_of(n - 1), CHAIN_WRITE, &w.chain, &note));
        same_to_readers(&w);
        world_fini(&w);
}

static void a_leaf_empties_into_its_parent_while_it_is_written(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++)
                move_all(seed, 2, 0, 3 * MIB, false);
}

static void a_run_of_four_empties_over_a_base_that_stays(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++)
                move_all(100 + seed, 5, 1, seed % 2 ? 1 : 5 * MIB, false);
}

static void what_was_flushed_is_there_after_a_crash_at_any_step(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 2; seed++) {
                move_all(200 + seed, 2, 0, 3 * MIB, true);
                move_all(300 + seed, 4, 1, 3 * MIB, true);
        }
}

/* At any step: the leaf is written to by itself again, and a later push goes on. */
static void a_move_may_end_at_any_step(void **state) {
        (void)state;
        for (unsigned stop = 0; stop < 18; stop += 2) {
                struct err_note note;
                struct world w;
                unsigned n = 0;

                world_init(&w, 400 + stop, 3, 0, 3);
                begin(&w, 3 * MIB);
                while (n++ < stop && step(&w))
                        change(&w, 2);
                assert_ok(push_settle(w.push, &w.chain, 1, &note));
                chain_end_move(w.chain);
                change(&w, 6);
                same_to_readers(&w);
                give_up_run(&w);
                change(&w, 6);
                same_to_readers(&w);
                assert_ok(chain_flush(w.chain, &note));
                note_flush(&w);
                survives_crashes(&w, "/2.vhd", stop);
                begin(&w, 3 * MIB);
                while (step(&w))
                        change(&w, 1);
                pivot(&w);
                same_to_readers(&w);
                give_up_run(&w);
                world_fini(&w);
        }
}

/* What was the leaf is an inner node then, and the push goes on. */
static void a_snapshot_may_come_at_any_step(void **state) {
        (void)state;
        for (unsigned stop = 0; stop < 18; stop += 3) {
                AUTO_FREE uint8_t *then = mem_zero(SIZE), *got = mem_zero(SIZE);
                struct image *leaf;
                struct chain *chain;
                struct err_note note;
                struct world w;
                unsigned n = 0;

                world_init(&w, 500 + stop, 3, 0, 3);
                begin(&w, 3 * MIB);
                while (n++ < stop && step(&w))
                        change(&w, 2);
                assert_ok(chain_freeze(w.chain, &note));
                note_flush(&w);
                memcpy(then, w.want, SIZE);
                assert_ok(io_rename(w.io, "/2.vhd", "/base.vhd", &note));
                assert_ok(fixture_vhd(w.io, "/2.vhd", SIZE, "/base.vhd", &note));
                assert_ok(images_open(&w.images, "/2.vhd", IMAGE_VHD, true, &leaf, &note));
                chain_push_leaf(w.chain, leaf, "/base.vhd", "/2.vhd");
                assert_false(chain_is_moving(w.chain));
                chain_thaw(w.chain);
                do {
                        change(&w, 2);
                        same_to_readers(&w);
                } while (step(&w));
                assert_ok(chain_flush(w.chain, &note));
                note_flush(&w);
                survives_crashes(&w, "/2.vhd", stop);
                give_up_run(&w);
                assert_ok(chain_open(&w.images, "/base.vhd", CHAIN_READ, &chain, &note));
                assert_ok(chain_read(chain, got, SIZE, 0, &note));
                assert_memory_equal(got, then, SIZE);
                assert_ok(chain_close(chain, &note));
                world_fini(&w);
        }
}

/* ---- in the middle of one call ---- */

enum { A_WHILE_NS = 30000000 };

/* Something that must not end before something else has: it begins in the middle of that, and is looked at a
 * while later. */
struct waiter {
        struct world *w;
        const char *verb, *path; /* of the call in whose middle it begins */
        unsigned skip;           /* so many such calls come before it */
        void *(*run)(void *);
        pthread_t thread;
        _Atomic bool has_begun, has_ended;
        bool ended_early;
};

static void begin_waiter(void *user, const char *verb, const char *path) {
        struct waiter *waiter = user;
        struct timespec a_while = {.tv_nsec = A_WHILE_NS};

        if (atomic_load(&waiter->has_begun) || strcmp(verb, waiter->verb) != 0 ||
            strcmp(path, waiter->path) != 0 || waiter->skip-- > 0)
                return;
        atomic_store(&waiter->has_begun, true);
        if (pthread_create(&waiter->thread, NULL, waiter->run, waiter))
                return;
        (void)nanosleep(&a_while, NULL);
        waiter->ended_early = atomic_load(&waiter->has_ended);
}

/* To the leaf alone: what is new in the target waits for other reasons too. */
static void *write_each_block(void *arg) {
        struct waiter *waiter = arg;
        uint8_t page[4096];
        struct err_note note;

        memset(page, 77, sizeof page);
        for (uint64_t block = 0; block < N_BLOCKS; block++)
                if (waiter->w->is_in_leaf[block])
                        (void)!chain_write(waiter->w->chain, page, sizeof page, block * BLOCK + 8192, &note);
        atomic_store(&waiter->has_ended, true);
        return NULL;
}

static void *step_once(void *arg) {
        struct waiter *waiter = arg;

        (void)step(waiter->w);
        atomic_store(&waiter->has_ended, true);
        return NULL;
}

static void end_waiter(struct waiter *waiter) {
        io_sim_set_watch(waiter->w->io, NULL, NULL);
        assert_true(atomic_load(&waiter->has_begun));
        assert_int_equal(pthread_join(waiter->thread, NULL), 0);
        assert_false(waiter->ended_early);
}

static void look_into_leaf(struct world *w) {
        struct image *leaf = w->run[w->n_run - 1];

        for (uint64_t block = 0; block < N_BLOCKS; block++)
                w->is_in_leaf[block] = leaf->ops->slot(leaf, block) & SLOT_HELD;
}

static void all_77_at_8192(struct world *w) {
        for (uint64_t block = 0; block < N_BLOCKS; block++)
                if (w->is_in_leaf[block])
                        memset(w->want + block * BLOCK + 8192, 77, 4096);
}

static void finish(struct world *w) {
        while (push_phase(w->push) != PUSH_EMPTY)
                (void)step(w);
        same_to_readers(w);
        for (size_t i = 1; i < w->n_run; i++)
                assert_int_equal(held_by(w->run[i]), 0);
        pivot(w);
        same_to_readers(w);
        give_up_run(w);
        world_fini(w);
}

/* The first writes give the block its place, with the target locked. */
static void a_write_waits_while_its_block_is_copied(void **state) {
        struct world w;
        struct waiter waiter = {
                .w = &w, .verb = "write", .path = "/0.vhd", .skip = 2, .run = write_each_block};

        (void)state;
        world_init(&w, 700, 2, 0, 2);
        w.never_clones = true;
        begin(&w, 1);
        look_into_leaf(&w);
        io_sim_set_watch(w.io, begin_waiter, &waiter);
        (void)step(&w);
        end_waiter(&waiter);
        all_77_at_8192(&w);
        finish(&w);
}

static void blocks_are_published_when_no_change_is_in_flight(void **state) {
        struct world w;
        struct waiter waiter = {.w = &w, .verb = "write", .path = "/1.vhd", .run = step_once};

        (void)state;
        world_init(&w, 701, 2, 0, 2);
        begin(&w, 32 * MIB);
        look_into_leaf(&w);
        while (push_phase(w.push) != PUSH_PUBLISH)
                (void)step(&w);
        io_sim_set_watch(w.io, begin_waiter, &waiter);
        (void)write_each_block(&waiter);
        end_waiter(&waiter);
        all_77_at_8192(&w);
        finish(&w);
}

static uint64_t first_in_leaf(const struct world *w) {
        uint64_t block = 0;

        while (!w->is_in_leaf[block])
                block++;
        return block;
}

static void *write_88(void *arg) {
        struct waiter *waiter = arg;
        uint8_t page[4096];
        struct err_note note;

        memset(page, 88, sizeof page);
        (void)!chain_write(waiter->w->chain, page, sizeof page, first_in_leaf(waiter->w) * BLOCK + 8192,
                           &note);
        atomic_store(&waiter->has_ended, true);
        return NULL;
}

/* Else one file could have the one last, and the other the other. */
static void two_writes_to_a_mirrored_sector_come_to_both_files_in_one_order(void **state) {
        struct world w;
        struct waiter waiter = {.w = &w, .verb = "write", .path = "/0.vhd", .run = write_88};

        (void)state;
        world_init(&w, 703, 2, 0, 2);
        begin(&w, 32 * MIB);
        look_into_leaf(&w);
        (void)step(&w);
        io_sim_set_watch(w.io, begin_waiter, &waiter);
        (void)write_each_block(&waiter);
        end_waiter(&waiter);
        all_77_at_8192(&w);
        memset(w.want + first_in_leaf(&w) * BLOCK + 8192, 88, 4096);
        finish(&w);
}

/* Whatever of it is seen then is what is seen when the block has moved. */
static bool change_that_fails(uint64_t seed, unsigned n, bool is_trim) {
        uint8_t page[4096];
        struct err_note note;
        struct world w;
        uint64_t at;
        bool did_fire;

        world_init(&w, seed, 3, 0, 3);
        begin(&w, 32 * MIB);
        look_into_leaf(&w);
        (void)step(&w);
        at = first_in_leaf(&w) * BLOCK + 8192;
        memset(page, 66, sizeof page);
        io_sim_fail_at(w.io, n, ERR_IO, false);
        (void)!(is_trim ? chain_trim(w.chain, sizeof page, at, &note)
                        : chain_write(w.chain, page, sizeof page, at, &note));
        did_fire = io_sim_fired(w.io);
        io_sim_heal(w.io);
        assert_ok(chain_read(w.chain, w.want + at, sizeof page, at, &note));
        finish(&w);
        return did_fire;
}

static void a_change_of_a_mirrored_block_that_fails_is_the_same_in_both_files(void **state) {
        (void)state;
        for (uint64_t seed = 710; seed < 713; seed++)
                for (int is_trim = 0; is_trim < 2; is_trim++)
                        for (unsigned n = 1; change_that_fails(seed, n, is_trim); n++)
                                ;
}

/* What comes between the flush and the freeze, to a block that is the target's by now. */
static void write_once(void *user, const char *verb, const char *path) {
        struct world *w = user;
        struct err_note note;

        if (strcmp(verb, "sync") != 0 || strcmp(path, "/1.vhd") != 0 || w->want[8192] == 55)
                return;
        memset(w->want + 8192, 55, 4096);
        assert_ok(chain_write(w->chain, w->want + 8192, 4096, 8192, &note));
}

static void a_freeze_brings_down_the_whole_run(void **state) {
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 702, 2, 0, 2);
        begin(&w, 32 * MIB);
        while (step(&w))
                ;
        memset(w.want, 3, 4096);
        assert_ok(chain_write(w.chain, w.want, 4096, 0, &note)); /* so that there is something to sync */
        chain_end_move(w.chain);
        memset(w.want + BLOCK, 4, 4096);
        assert_ok(chain_write(w.chain, w.want + BLOCK, 4096, BLOCK, &note));
        assert_ok(chain_begin_move(w.chain, w.run, w.n_run, &note));
        io_sim_set_watch(w.io, write_once, &w);
        assert_ok(chain_freeze(w.chain, &note));
        io_sim_set_watch(w.io, NULL, NULL);
        assert_int_equal(w.want[8192], 55);
        note_flush(&w);
        survives_crashes(&w, "/1.vhd", 702);
        chain_thaw(w.chain);
        push_free(TAKE(w.push));
        assert_ok(push_new(w.run, w.n_run, &(struct mover_options){.live = w.chain}, &w.push, &note));
        finish(&w);
}

/* ---- many hands ---- */

struct hands {
        struct world *w;
        unsigned me;
        _Atomic bool *is_over;
        unsigned n_wrong;
};

/* Each owns the pages whose number is its own modulo 3, and must find what it wrote last. */
static void *write_own_pages(void *arg) {
        struct hands *h = arg;
        struct fixture_dice dice = {h->me + 1};
        uint64_t n_pages = SIZE / 4096 / 3;
        uint8_t *last = mem_zero(n_pages);
        struct err_note note;

        for (uint64_t i = 0; i < n_pages; i++)
                last[i] = h->w->want[(i * 3 + h->me) * 4096];
        for (unsigned turn = 0; !atomic_load(h->is_over) || turn < 200; turn++) {
                uint64_t i = fixture_roll(&dice, n_pages), at = (i * 3 + h->me) * 4096;
                uint8_t page[4096];

                if (chain_read(h->w->chain, page, sizeof page, at, &note) || page[0] != last[i] ||
                    page[4095] != last[i])
                        h->n_wrong++;
                last[i] = (uint8_t)(1 + fixture_roll(&dice, 255));
                memset(page, last[i], sizeof page);
                if (chain_write(h->w->chain, page, sizeof page, at, &note))
                        h->n_wrong++;
                if (turn % 64 == 0 && chain_flush(h->w->chain, &note))
                        h->n_wrong++;
        }
        free(last);
        return NULL;
}

static void fill_pages(struct world *w) {
        struct err_note note;

        for (uint64_t at = 0; at + 4096 <= SIZE; at += 4096)
                memset(w->want + at, (int)(1 + at / 4096 % 251), 4096);
        assert_ok(chain_write(w->chain, w->want, round_down(SIZE, 4096), 0, &note));
}

static void many_hands_write_while_all_of_it_moves(void **state) {
        _Atomic bool is_over = false;
        pthread_t threads[3];
        struct hands hands[3];
        struct world w;

        (void)state;
        world_init(&w, 600, 3, 0, 3);
        fill_pages(&w);
        begin(&w, 3 * MIB);
        for (unsigned i = 0; i < 3; i++) {
                hands[i] = (struct hands){.w = &w, .me = i, .is_over = &is_over};
                assert_int_equal(pthread_create(&threads[i], NULL, write_own_pages, &hands[i]), 0);
        }
        while (step(&w))
                ;
        pivot(&w);
        atomic_store(&is_over, true);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(pthread_join(threads[i], NULL), 0);
                assert_int_equal(hands[i].n_wrong, 0);
        }
        give_up_run(&w);
        world_fini(&w);
}

#ifdef __SANITIZE_THREAD__ /* has nothing to find where there is one thread, and takes its time */
enum { IS_FOR_THREADS = 1 };
#else
enum { IS_FOR_THREADS = 0 };
#endif

int main(void) {
        const struct CMUnitTest alone[] = {
                cmocka_unit_test(a_leaf_empties_into_its_parent_while_it_is_written),
                cmocka_unit_test(a_run_of_four_empties_over_a_base_that_stays),
                cmocka_unit_test(what_was_flushed_is_there_after_a_crash_at_any_step),
                cmocka_unit_test(a_move_may_end_at_any_step),
                cmocka_unit_test(a_snapshot_may_come_at_any_step),
                cmocka_unit_test(two_writes_to_a_mirrored_sector_come_to_both_files_in_one_order),
                cmocka_unit_test(a_change_of_a_mirrored_block_that_fails_is_the_same_in_both_files),
                cmocka_unit_test(a_freeze_brings_down_the_whole_run),
        };
        const struct CMUnitTest together[] = {
                cmocka_unit_test(a_write_waits_while_its_block_is_copied),
                cmocka_unit_test(blocks_are_published_when_no_change_is_in_flight),
                cmocka_unit_test(many_hands_write_while_all_of_it_moves),
        };
        int failed = IS_FOR_THREADS ? 0 : cmocka_run_group_tests(alone, NULL, NULL);

        return failed + cmocka_run_group_tests(together, NULL, NULL);
}
