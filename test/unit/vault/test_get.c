// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "fixture_vault.h"
#include "get.h"
#include "mem.h"
#include "target_sim.h"

/* A vault with one point of a disk with holes. */
struct place {
        struct io *io;
        struct target_sim *target;
        struct vault *vault;
        struct fixture_disk disk;
        struct point point;
};

static const struct vault_disk *disk_of(const struct place *place) {
        return &place->point.manifest.disks.data[0];
}

static void open_place(struct place *place, bool is_encrypted) {
        struct vault_name name;
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), is_encrypted, &place->vault,
                                     &note));
        fixture_disk_resize(&place->disk, 40 * MIB + 777);
        fixture_disk_write(&place->disk, 3, 5 * MIB, 1);
        fixture_disk_write(&place->disk, 20 * MIB + 5, 3 * MIB, 2);
        fixture_disk_write(&place->disk, 40 * MIB, 777, 3);
        assert_ok(fixture_put_disk(place->vault, &place->disk, NULL, &name, &note));
        assert_ok(points_get(place->vault, &name, &place->point, &note));
}

static void close_place(struct place *place) {
        point_fini(&place->point);
        fixture_disk_fini(&place->disk);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

/* ---- ranges ---- */

static const struct get_options defaults = {.trusts_tags = false};

static void any_range_reads_as_what_was_put(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(close_place) struct place place = {0};
                AUTO(get_close) struct get *get = NULL;
                AUTO_FREE uint8_t *got = mem_zero(MIB);
                struct fixture_dice dice = {9};
                struct err_note note;

                open_place(&place, is_encrypted);
                assert_ok(get_open(place.vault, disk_of(&place), &defaults, &get, &note));
                for (int i = 0; i < 500; i++) {
                        uint64_t at = fixture_roll(&dice, place.disk.size);
                        size_t n = (size_t)fixture_roll(&dice, min_u64(MIB, place.disk.size - at) + 1);

                        if (i % 3 == 0)
                                n = (size_t)min_u64(n, 100);
                        assert_ok(get_read(get, got, n, at, &note));
                        assert_memory_equal(got, place.disk.bytes.data + at, n);
                }
                assert_err(get_read(get, got, 2, place.disk.size - 1, &note), ERR_INVALID, "the disk has");
                assert_err(get_read(get, got, 2, UINT64_MAX, &note), ERR_INVALID, "the disk has");
        }
}

static void small_reads_of_one_chunk_fetch_it_once(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(get_close) struct get *get = NULL;
        struct err_note note;
        uint64_t before;
        uint8_t got[512];

        (void)state;
        open_place(&place, true);
        assert_ok(get_open(place.vault, disk_of(&place), &defaults, &get, &note));
        assert_ok(get_read(get, got, sizeof got, 0, &note));
        before = target_sim_count(place.target).reads;
        for (uint64_t at = 512; at < FIXTURE_CHUNK; at += 512)
                assert_ok(get_read(get, got, sizeof got, at, &note));
        assert_int_equal(target_sim_count(place.target).reads, before);
}

static void data_is_found_by_whole_chunks(void **state) {
        static const struct {
                uint64_t at, start, end;
        } cases[] = {
                {0, 0, 5 * MIB + FIXTURE_CHUNK},
                {4711, 4711, 5 * MIB + FIXTURE_CHUNK},
                {6 * MIB, 20 * MIB, 23 * MIB + FIXTURE_CHUNK},
                {30 * MIB, 40 * MIB, 40 * MIB + 777},
                {40 * MIB + 777, 40 * MIB + 777, 40 * MIB + 777},
        };
        AUTO(close_place) struct place place = {0};
        AUTO(get_close) struct get *get = NULL;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        assert_ok(get_open(place.vault, disk_of(&place), &defaults, &get, &note));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                uint64_t start, end;

                assert_ok(get_next_data(get, cases[i].at, &start, &end, &note));
                assert_int_equal(start, cases[i].start);
                assert_int_equal(end, cases[i].end);
        }
}

/* ---- many at once ---- */

struct reader {
        struct place *place;
        struct get *get;
        uint64_t seed;
        bool is_wrong;
};

static void *read_some(void *user) {
        struct reader *reader = user;
        struct fixture_dice dice = {reader->seed};
        uint8_t got[70000];
        struct err_note note;

        for (int i = 0; i < 100; i++) {
                uint64_t at = fixture_roll(&dice, 4) * MIB + fixture_roll(&dice, 100000);

                if (get_read(reader->get, got, sizeof got, at, &note) ||
                    memcmp(got, reader->place->disk.bytes.data + at, sizeof got) != 0)
                        reader->is_wrong = true;
        }
        return NULL;
}

static void several_read_at_once(void **state) {
        const struct get_options small = {.cache_bytes = 1};
        AUTO(close_place) struct place place = {0};
        AUTO(get_close) struct get *get = NULL;
        struct reader readers[4];
        pthread_t threads[4];
        struct err_note note;

        (void)state;
        open_place(&place, true);
        assert_ok(get_open(place.vault, disk_of(&place), &small, &get, &note));
        for (unsigned i = 0; i < 4; i++) {
                readers[i] = (struct reader){&place, get, i, false};
                assert_int_equal(pthread_create(&threads[i], NULL, read_some, &readers[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
                pthread_join(threads[i], NULL);
                assert_false(readers[i].is_wrong);
        }
}

/* ---- all of it ---- */

struct taken {
        struct place *place;
        uint64_t n; /* bytes */
        unsigned n_steps;
        bool cancels, fails;
};

static enum err take(void *user, const void *data, size_t n, uint64_t at, struct err_note *note) {
        struct taken *taken = user;

        if (taken->fails)
                return err_set(note, ERR_NO_SPACE, "the sink is full");
        if (!range_fits(at, n, taken->place->disk.size) ||
            memcmp(data, taken->place->disk.bytes.data + at, n) != 0)
                return err_set(note, ERR_MISMATCH, "at %llu", (unsigned long long)at);
        __atomic_fetch_add(&taken->n, n, __ATOMIC_RELAXED);
        return ERR_NONE;
}

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct taken *taken = user;

        (void)done;
        taken->n_steps++;
        return taken->cancels && taken->n_steps == 4 ? err_set(note, ERR_CANCELLED, "enough") : ERR_NONE;
}

static void all_is_everything_but_the_holes(void **state) {
        (void)state;
        for (unsigned n_threads = 1; n_threads < 5; n_threads++) {
                AUTO(close_place) struct place place = {0};
                struct taken taken = {.place = &place};
                const struct get_sink sink = {
                        .write = take, .step = step, .user = &taken, .n_threads = n_threads};
                struct get_count count;
                struct err_note note;

                open_place(&place, true);
                assert_ok(get_all(place.vault, disk_of(&place), &sink, &count, &note));
                assert_int_equal(taken.n, 8 * MIB + 2 * FIXTURE_CHUNK + 777);
                assert_int_equal(count.data, taken.n);
                assert_int_equal(count.data + count.zeros, place.disk.size);
        }
}

static void a_sink_that_fails_and_one_that_cancels_end_it(void **state) {
        AUTO(close_place) struct place place = {0};
        struct taken taken = {.place = &place, .fails = true};
        const struct get_sink sink = {.write = take, .step = step, .user = &taken, .n_threads = 2};
        struct get_count count;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        assert_err(get_all(place.vault, disk_of(&place), &sink, &count, &note), ERR_NO_SPACE,
                   "disk d: the sink is full");
        taken = (struct taken){.place = &place, .cancels = true};
        assert_err(get_all(place.vault, disk_of(&place), &sink, &count, &note), ERR_CANCELLED, "enough");
}

/* ---- damage ---- */

static void a_disk_of_another_size_is_refused(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(get_close) struct get *get = NULL;
        struct vault_disk disk;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        disk = *disk_of(&place);
        disk.size--;
        assert_err(get_open(place.vault, &disk, &defaults, &get, &note), ERR_CORRUPT,
                   "not that of its size and root");
}

static void a_pack_that_is_gone_is_said_with_its_range(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(get_close) struct get *get = NULL;
        AUTO(target_list_fini) struct target_list packs = {0};
        struct err_note note;
        uint8_t got[10];

        (void)state;
        open_place(&place, true);
        assert_ok(target_list(place.vault->target, "packs/", &packs, &note));
        assert_ok(get_open(place.vault, disk_of(&place), &defaults, &get, &note));
        assert_ok(get_read(get, got, 1, 19 * MIB, &note)); /* the tree is read by now */
        VEC_EACH (&packs.items, item)
                assert_ok(target_remove(place.vault->target, item->name, &note));
        assert_err(get_read(get, got, 10, 20 * MIB, &note), ERR_NOT_FOUND, "at 20971520: ");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_range_reads_as_what_was_put),
                cmocka_unit_test(small_reads_of_one_chunk_fetch_it_once),
                cmocka_unit_test(data_is_found_by_whole_chunks),
                cmocka_unit_test(several_read_at_once),
                cmocka_unit_test(all_is_everything_but_the_holes),
                cmocka_unit_test(a_sink_that_fails_and_one_that_cancels_end_it),
                cmocka_unit_test(a_disk_of_another_size_is_refused),
                cmocka_unit_test(a_pack_that_is_gone_is_said_with_its_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
