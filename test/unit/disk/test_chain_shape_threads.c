// SPDX-License-Identifier: Apache-2.0
/* Readers and a writer of a disk below which snapshots are emptied into the base, block by block, and taken
 * out of the chain, over and over.
 *
 * The writer writes each sector with a higher generation each time.  A reader may see no generation that is
 * older than the last write that had ended when it began, and none that has not begun. */
#include "move_kit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { READERS = 3, ROUNDS = 5, BLOCKS = 3, SECTORS = BLOCKS * 4096, WRITES_A_ROUND = 60 };

struct scene {
        struct io *io;
        struct images images;
        struct chain *chain;
        _Atomic uint64_t begun[SECTORS], ended[SECTORS]; /* generations */
        _Atomic bool is_over;
        _Atomic unsigned n_wrong, n_writes, n_readers;
};

/* Some are whole blocks, so that layers hold blocks in every way. */
static void write_once(struct scene *scene, struct fixture_dice *dice, uint8_t *data, uint64_t generation) {
        uint64_t first = fixture_roll(dice, SECTORS), n = 1 + fixture_roll(dice, 40);
        struct err_note note;

        if (fixture_roll(dice, 12) == 0) {
                first = round_down(first, 4096);
                n = 4096;
        }
        n = min_u64(n, SECTORS - first);
        for (uint64_t s = first; s < first + n; s++)
                atomic_store(&scene->begun[s], generation);
        fixture_fill(data, n * 512, first * 512, generation);
        if (chain_write(scene->chain, data, n * 512, first * 512, &note))
                atomic_fetch_add(&scene->n_wrong, 1);
        for (uint64_t s = first; s < first + n; s++)
                atomic_store(&scene->ended[s], generation);
        atomic_fetch_add(&scene->n_writes, 1);
}

static void *write_all_the_time(void *arg) {
        AUTO_FREE uint8_t *data = mem_zero(KIT_BLOCK);
        struct fixture_dice dice = {3};
        struct scene *scene = arg;

        for (uint64_t generation = 1; !atomic_load(&scene->is_over); generation++)
                write_once(scene, &dice, data, generation);
        return NULL;
}

static void read_once(struct scene *scene, struct fixture_dice *dice) {
        uint64_t first = fixture_roll(dice, SECTORS),
                 n = min_u64(1 + fixture_roll(dice, 64), SECTORS - first);
        uint64_t least[64];
        uint8_t data[64 * 512];
        struct err_note note;

        for (uint64_t i = 0; i < n; i++)
                least[i] = atomic_load(&scene->ended[first + i]);
        if (chain_read(scene->chain, data, n * 512, first * 512, &note))
                atomic_fetch_add(&scene->n_wrong, 1);
        for (uint64_t i = 0; i < n; i++) {
                bool is_sound;
                uint64_t is = fixture_generation(data + i * 512, (first + i) * 512, &is_sound);

                if (!is_sound || is < least[i] || is > atomic_load(&scene->begun[first + i]))
                        atomic_fetch_add(&scene->n_wrong, 1);
        }
}

static void *read_all_the_time(void *arg) {
        struct scene *scene = arg;
        struct fixture_dice dice = {100 + atomic_fetch_add(&scene->n_readers, 1)};

        while (!atomic_load(&scene->is_over))
                read_once(scene, &dice);
        return NULL;
}

/* ---- the owner ---- */

static void snapshot(struct scene *scene, unsigned n) {
        struct err_note note;
        struct image *leaf;
        char base[32];

        snprintf(base, sizeof base, "/snapshot%u.vhd", n);
        assert_ok(chain_freeze(scene->chain, &note));
        assert_ok(io_rename(scene->io, "/leaf.vhd", base, &note));
        assert_ok(fixture_vhd(scene->io, "/leaf.vhd", (uint64_t)BLOCKS * KIT_BLOCK, base, &note));
        assert_ok(images_open(&scene->images, "/leaf.vhd", IMAGE_VHD, true, &leaf, &note));
        chain_push_leaf(scene->chain, leaf, base, "/leaf.vhd");
        chain_thaw(scene->chain);
}

/* One block of the layer above the base; the others may be on the way at the same time. */
static void move_block(struct scene *scene, struct image *base, struct image *layer, uint64_t block) {
        struct err_note note;

        if (!(layer->ops->slot(layer, block) & SLOT_HELD))
                return;
        assert_ok(kit_copy(layer, base, block, &note));
        assert_ok(base->ops->flush(base, &note));
        layer->ops->leave(layer, block);
        assert_ok(layer->ops->flush(layer, &note));
        chain_publish_moved(scene->chain, base, layer, &block, 1);
        layer->ops->forget_left(layer);
        image_wait_readers(layer);
        assert_ok(layer->ops->punch_left(layer, &note));
}

/* The layer above the base goes; a snapshot comes in the middle of it. */
static void coalesce(struct scene *scene, unsigned n) {
        unsigned depth = chain_depth(scene->chain);
        struct image *base = (struct image *)chain_layer(scene->chain, depth - 1),
                     *layer = (struct image *)chain_layer(scene->chain, depth - 2);
        unsigned seen = atomic_load(&scene->n_writes);

        kit_begin(base);
        kit_begin(layer);
        for (uint64_t block = 0; block < BLOCKS; block++) {
                move_block(scene, base, layer, block);
                if (block == 0)
                        snapshot(scene, n);
        }
        while (atomic_load(&scene->n_writes) < seen + WRITES_A_ROUND)
                sched_yield();
        kit_end(base);
        kit_end(layer);
        chain_take_out(scene->chain, layer);
}

static void scene_init(struct scene *scene) {
        struct err_note note;

        scene->io = io_sim_new(1, 0);
        images_init(&scene->images, scene->io, &kit_images_options);
        assert_ok(fixture_vhd(scene->io, "/leaf.vhd", (uint64_t)BLOCKS * KIT_BLOCK, NULL, &note));
        assert_ok(chain_open(&scene->images, "/leaf.vhd", CHAIN_WRITE, &scene->chain, &note));
        snapshot(scene, 0);
        snapshot(scene, 1);
}

static void readers_never_see_a_mixture_while_layers_are_emptied_and_go(void **state) {
        struct scene *scene = mem_new(struct scene);
        pthread_t readers[READERS], writer;
        struct err_note note;

        (void)state;
        scene_init(scene);
        assert_int_equal(pthread_create(&writer, NULL, write_all_the_time, scene), 0);
        for (int i = 0; i < READERS; i++)
                assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, scene), 0);
        for (unsigned n = 2; n < ROUNDS + 2; n++)
                coalesce(scene, n);
        atomic_store(&scene->is_over, true);
        pthread_join(writer, NULL);
        for (int i = 0; i < READERS; i++)
                pthread_join(readers[i], NULL);
        assert_int_equal(chain_depth(scene->chain), 3);
        assert_int_equal(atomic_load(&scene->n_wrong), 0);
        assert_ok(chain_close(scene->chain, &note));
        images_fini(&scene->images);
        io_free(scene->io);
        free(scene);
}

/* ---- waiting for readers ---- */

struct waiting {
        struct image *image;
        _Atomic bool has_ended;
};

static void *wait_for_readers(void *arg) {
        struct waiting *waiting = arg;

        image_wait_readers(waiting->image);
        atomic_store(&waiting->has_ended, true);
        return NULL;
}

/* [C3] Of all chains, not only of the first or the last. */
static void bytes_wait_for_the_readers_of_every_chain_through_an_image(void **state) {
        struct chain *chains[3];
        struct err_note note;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        for (unsigned i = 0; i < 3; i++)
                assert_ok(chain_open(&w.images, "/mid.vhd", CHAIN_READ, &chains[i], &note));
        for (unsigned i = 0; i < 3; i++) {
                struct waiting waiting = {.image = w.low};
                struct chain_hold hold = chain_hold_begin(chains[i]);
                pthread_t thread;

                assert_int_equal(pthread_create(&thread, NULL, wait_for_readers, &waiting), 0);
                for (unsigned k = 0; k < 50 && !atomic_load(&waiting.has_ended); k++)
                        nanosleep(&(struct timespec){.tv_nsec = 400000}, NULL);
                assert_false(atomic_load(&waiting.has_ended));
                chain_hold_end(chains[i], hold);
                pthread_join(thread, NULL);
        }
        for (unsigned i = 0; i < 3; i++)
                chain_abandon(chains[i]);
        kit_world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(readers_never_see_a_mixture_while_layers_are_emptied_and_go),
                cmocka_unit_test(bytes_wait_for_the_readers_of_every_chain_through_an_image),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
