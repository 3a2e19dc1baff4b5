// SPDX-License-Identifier: Apache-2.0
/* A chain under many hands: readers, writers of whole and of torn sectors, trims, flushes, and snapshots in
 * between. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"

enum { BLOCK = 2 * 1024 * 1024, WRITERS = 3, TURNS = 300, SLICE = 24 };

struct scene {
        struct io *io;
        struct images images;
        struct chain *chain;
        _Atomic unsigned next;
        _Atomic bool is_over;
        _Atomic unsigned n_wrong;
};

static void scene_init(struct scene *scene) {
        const struct images_options options = {.growth_bytes = 4 * MIB, .unflushed_limit = 4096};
        struct err_note note;

        memset(scene, 0, sizeof *scene);
        scene->io = io_sim_new(1, 0);
        images_init(&scene->images, scene->io, &options);
        assert_ok(fixture_vhd(scene->io, "/leaf.vhd", 4 * BLOCK, NULL, &note));
        assert_ok(chain_open(&scene->images, "/leaf.vhd", CHAIN_WRITE, &scene->chain, &note));
}

static void scene_fini(struct scene *scene) {
        struct err_note note;

        assert_ok(chain_close(scene->chain, &note));
        images_fini(&scene->images);
        io_free(scene->io);
        assert_int_equal(atomic_load(&scene->n_wrong), 0);
}

/* Each writer owns the bytes at (i * WRITERS + me) * SLICE: neighbours in one sector belong to different
 * writers, and each must find what it wrote last. */
static void *write_slices(void *arg) {
        struct scene *scene = arg;
        unsigned me = atomic_fetch_add(&scene->next, 1);
        struct fixture_dice dice = {me + 1};
        uint8_t last[64] = {0};

        for (unsigned turn = 0; turn < TURNS; turn++) {
                uint64_t i = fixture_roll(&dice, sizeof last), at = (i * WRITERS + me) * SLICE + BLOCK - 1000;
                uint8_t data[SLICE], got[SLICE];
                struct err_note note;

                if (chain_read(scene->chain, got, SLICE, at, &note))
                        atomic_fetch_add(&scene->n_wrong, 1);
                for (int b = 0; b < SLICE; b++)
                        if (got[b] != last[i])
                                atomic_fetch_add(&scene->n_wrong, 1);
                last[i] = (uint8_t)(1 + fixture_roll(&dice, 255));
                memset(data, last[i], SLICE);
                if (chain_write(scene->chain, data, SLICE, at, &note))
                        atomic_fetch_add(&scene->n_wrong, 1);
        }
        return NULL;
}

/* Blocks 2 and 3 are written whole pages at a time, trimmed and flushed; a page is one generation or zeros,
 * never a mix within a sector. */
static void *disturb(void *arg) {
        struct scene *scene = arg;
        struct fixture_dice dice = {99};
        AUTO_FREE uint8_t *data = mem_zero(65536);
        struct err_note note;

        while (!atomic_load(&scene->is_over)) {
                uint64_t at = 2 * (uint64_t)BLOCK + 65536 * fixture_roll(&dice, 2 * BLOCK / 65536);
                enum err e;

                switch (fixture_roll(&dice, 4)) {
                case 0:
                        e = chain_trim(scene->chain, BLOCK, round_down(at, BLOCK), &note);
                        break;
                case 1:
                        e = chain_flush(scene->chain, &note);
                        break;
                default:
                        fixture_fill(data, 65536, at, 1 + fixture_roll(&dice, 1000));
                        e = chain_write(scene->chain, data, 65536, at, &note);
                }
                if (e)
                        atomic_fetch_add(&scene->n_wrong, 1);
        }
        return NULL;
}

static void *look(void *arg) {
        struct scene *scene = arg;
        struct fixture_dice dice = {77};
        struct err_note note;
        uint8_t sector[512];

        while (!atomic_load(&scene->is_over)) {
                uint64_t at = 2 * (uint64_t)BLOCK + 512 * fixture_roll(&dice, 2 * BLOCK / 512);
                bool is_sound;

                if (chain_read(scene->chain, sector, 512, at, &note))
                        atomic_fetch_add(&scene->n_wrong, 1);
                fixture_generation(sector, at, &is_sound);
                if (!is_sound)
                        atomic_fetch_add(&scene->n_wrong, 1);
        }
        return NULL;
}

static void snapshot(struct scene *scene, int n) {
        AUTO_FREE uint8_t *before = mem_zero(BLOCK);
        AUTO_FREE uint8_t *after = mem_zero(BLOCK);
        char base[32];
        struct image *leaf;
        struct err_note note;

        snprintf(base, sizeof base, "/base%d.vhd", n);
        assert_ok(chain_freeze(scene->chain, &note));
        assert_ok(chain_read(scene->chain, before, BLOCK, BLOCK - 1000, &note));
        assert_ok(io_rename(scene->io, "/leaf.vhd", base, &note));
        assert_ok(fixture_vhd(scene->io, "/leaf.vhd", 4 * BLOCK, base, &note));
        assert_ok(images_open(&scene->images, "/leaf.vhd", IMAGE_VHD, true, &leaf, &note));
        chain_hold_flush(scene->chain);
        chain_push_leaf(scene->chain, leaf, base, "/leaf.vhd");
        assert_ok(chain_read(scene->chain, after, BLOCK, BLOCK - 1000, &note));
        assert_memory_equal(before, after, BLOCK);
        chain_thaw(scene->chain);
        chain_release_flush(scene->chain, false);
}

static void many_hands_see_one_disk(void **state) {
        struct scene scene;
        pthread_t writers[WRITERS], disturber, looker;

        (void)state;
        scene_init(&scene);
        for (int i = 0; i < WRITERS; i++)
                assert_int_equal(pthread_create(&writers[i], NULL, write_slices, &scene), 0);
        assert_int_equal(pthread_create(&disturber, NULL, disturb, &scene), 0);
        assert_int_equal(pthread_create(&looker, NULL, look, &scene), 0);
        for (int i = 0; i < 6; i++)
                snapshot(&scene, i);
        for (int i = 0; i < WRITERS; i++)
                pthread_join(writers[i], NULL);
        atomic_store(&scene.is_over, true);
        pthread_join(disturber, NULL);
        pthread_join(looker, NULL);
        assert_int_equal(chain_depth(scene.chain), 7);
        scene_fini(&scene);
}

/* ---- two writers, one of whom must wait ---- */

struct rival {
        struct scene *scene;
        uint64_t at;
        bool is_started; /* by the watcher, on the first writer's thread */
        bool was_early;  /* it had ended while the first was still about */
        pthread_t thread;
        _Atomic bool has_ended;
};

static void *write_seven(void *arg) {
        struct rival *rival = arg;
        struct err_note note;

        if (chain_write(rival->scene->chain, "\7\7\7\7", 4, rival->at, &note))
                atomic_fetch_add(&rival->scene->n_wrong, 1);
        atomic_store(&rival->has_ended, true);
        return NULL;
}

static void give_it_time(struct rival *rival) {
        for (int i = 0; i < 100 && !atomic_load(&rival->has_ended); i++)
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Between the read and the write of a read-modify-write, another one comes to the same sector. */
static void start_the_rival(void *user, const char *verb, const char *path) {
        struct rival *rival = user;

        (void)path;
        if (strcmp(verb, "write") != 0 || rival->is_started)
                return;
        rival->is_started = true;
        assert_int_equal(pthread_create(&rival->thread, NULL, write_seven, rival), 0);
        give_it_time(rival);
}

static void two_writes_to_one_sector_both_count(void **state) {
        struct rival rival = {.at = 100};
        struct err_note note;
        struct scene scene;
        uint8_t got[104];

        (void)state;
        scene_init(&scene);
        assert_ok(chain_write(scene.chain, "\1", 1, 0, &note));
        rival.scene = &scene;
        io_sim_set_watch(scene.io, start_the_rival, &rival);
        assert_ok(chain_write(scene.chain, "\5\5\5\5", 4, 40, &note));
        assert_true(rival.is_started);
        pthread_join(rival.thread, NULL);
        io_sim_set_watch(scene.io, NULL, NULL);
        assert_ok(chain_read(scene.chain, got, sizeof got, 0, &note));
        assert_memory_equal(got, "\1", 1);
        assert_memory_equal(got + 40, "\5\5\5\5", 4);
        assert_memory_equal(got + 100, "\7\7\7\7", 4);
        scene_fini(&scene);
}

static void a_frozen_disk_takes_no_write_until_it_is_thawed(void **state) {
        struct rival rival = {.at = 100};
        struct err_note note;
        struct scene scene;

        (void)state;
        scene_init(&scene);
        rival.scene = &scene;
        assert_ok(chain_freeze(scene.chain, &note));
        assert_int_equal(pthread_create(&rival.thread, NULL, write_seven, &rival), 0);
        give_it_time(&rival);
        assert_false(atomic_load(&rival.has_ended));
        chain_thaw(scene.chain);
        pthread_join(rival.thread, NULL);
        assert_true(atomic_load(&rival.has_ended));
        scene_fini(&scene);
}

static void *flush_too(void *arg) {
        struct rival *rival = arg;
        struct err_note note;

        if (chain_flush(rival->scene->chain, &note))
                atomic_fetch_add(&rival->scene->n_wrong, 1);
        atomic_store(&rival->has_ended, true);
        return NULL;
}

static void flush_beside(void *user, const char *verb, const char *path UNUSED) {
        struct rival *rival = user;

        if (rival->is_started || strcmp(verb, "sync") != 0)
                return;
        rival->is_started = true;
        assert_int_equal(pthread_create(&rival->thread, NULL, flush_too, rival), 0);
        give_it_time(rival);
        rival->was_early = atomic_load(&rival->has_ended);
}

/* What the first has taken on itself, and not yet brought down, the second cannot say is durable. */
static void a_flush_waits_for_the_one_before(void **state) {
        struct rival rival = {.is_started = false};
        struct err_note note;
        struct scene scene;

        (void)state;
        scene_init(&scene);
        assert_ok(chain_write(scene.chain, "\5\5\5\5", 4, 40, &note));
        rival.scene = &scene;
        io_sim_set_watch(scene.io, flush_beside, &rival);
        assert_ok(chain_flush(scene.chain, &note));
        assert_true(rival.is_started);
        pthread_join(rival.thread, NULL);
        io_sim_set_watch(scene.io, NULL, NULL);
        assert_false(rival.was_early);
        scene_fini(&scene);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(many_hands_see_one_disk),
                cmocka_unit_test(two_writes_to_one_sector_both_count),
                cmocka_unit_test(a_flush_waits_for_the_one_before),
                cmocka_unit_test(a_frozen_disk_takes_no_write_until_it_is_thawed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
