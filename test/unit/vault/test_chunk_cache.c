// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "chunk_cache.h"

enum { CHUNK = 64 };

struct source {
        atomic_uint n_loads;
        atomic_bool fails;
        bool is_slow;
};

static enum err load(void *user, uint64_t n, void *ret, struct err_note *note) {
        struct source *source = user;

        atomic_fetch_add(&source->n_loads, 1);
        if (source->is_slow)
                usleep(2000);
        if (atomic_load(&source->fails))
                return err_set(note, ERR_IO, "chunk %u", (unsigned)n);
        memset(ret, (int)n, CHUNK);
        return ERR_NONE;
}

static struct chunk_cache *make_cache(struct source *source, size_t n_chunks) {
        return chunk_cache_new(&(struct chunk_cache_options){CHUNK, n_chunks * CHUNK, load, source});
}

static void what_is_there_is_not_loaded_again(void **state) {
        struct source source = {0};
        AUTO(chunk_cache_free) struct chunk_cache *cache = make_cache(&source, 4);
        struct err_note note;
        uint8_t got[8];

        (void)state;
        for (unsigned i = 0; i < 20; i++) {
                assert_ok(chunk_cache_read(cache, i % 4, i, got, sizeof got, &note));
                assert_int_equal(got[0], i % 4);
                assert_int_equal(got[7], i % 4);
        }
        assert_int_equal(source.n_loads, 4);
}

static void the_one_that_was_not_used_for_longest_goes(void **state) {
        struct source source = {0};
        AUTO(chunk_cache_free) struct chunk_cache *cache = make_cache(&source, 3);
        static const unsigned asked[] = {1, 2, 3, 1, 4, 1, 3, 2};
        struct err_note note;
        uint8_t got;

        (void)state;
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
                assert_ok(chunk_cache_read(cache, asked[i], 0, &got, 1, &note));
        assert_int_equal(source.n_loads, 5); /* 2 alone had to go, for 4 */
}

static void an_error_is_not_kept(void **state) {
        struct source source = {.fails = true};
        AUTO(chunk_cache_free) struct chunk_cache *cache = make_cache(&source, 2);
        struct err_note note;
        uint8_t got;

        (void)state;
        assert_err(chunk_cache_read(cache, 5, 0, &got, 1, &note), ERR_IO, "chunk 5");
        source.fails = false;
        assert_ok(chunk_cache_read(cache, 5, 0, &got, 1, &note));
        assert_int_equal(got, 5);
}

/* ---- many at once ---- */

struct reader {
        struct chunk_cache *cache;
        unsigned seed;
        bool is_wrong;
};

static void *read_some(void *user) {
        struct reader *reader = user;
        struct err_note note;
        uint8_t got[CHUNK];

        for (unsigned i = 0; i < 300; i++) {
                unsigned n = (reader->seed = reader->seed * 1103515245 + 12345) >> 16 & 7;

                if (chunk_cache_read(reader->cache, n, 0, got, CHUNK, &note) || got[0] != n ||
                    got[CHUNK - 1] != n)
                        reader->is_wrong = true;
        }
        return NULL;
}

static void many_read_from_few_rows(void **state) {
        struct source source = {0};
        AUTO(chunk_cache_free) struct chunk_cache *cache = make_cache(&source, 2);
        struct reader readers[5];
        pthread_t threads[5];

        (void)state;
        for (unsigned i = 0; i < 5; i++) {
                readers[i] = (struct reader){cache, i, false};
                assert_int_equal(pthread_create(&threads[i], NULL, read_some, &readers[i]), 0);
        }
        for (unsigned i = 0; i < 5; i++) {
                pthread_join(threads[i], NULL);
                assert_false(readers[i].is_wrong);
        }
}

static void *read_one(void *user) {
        struct err_note note;
        uint8_t got = 0;

        return chunk_cache_read(user, 3, 0, &got, 1, &note) || got != 3 ? user : NULL;
}

static void those_who_want_the_same_chunk_load_it_once(void **state) {
        struct source source = {.is_slow = true};
        AUTO(chunk_cache_free) struct chunk_cache *cache = make_cache(&source, 4);
        pthread_t threads[4];
        void *wrong;

        (void)state;
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, read_one, cache), 0);
        for (unsigned i = 0; i < 4; i++) {
                pthread_join(threads[i], &wrong);
                assert_null(wrong);
        }
        assert_int_equal(source.n_loads, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_there_is_not_loaded_again),
                cmocka_unit_test(the_one_that_was_not_used_for_longest_goes),
                cmocka_unit_test(an_error_is_not_kept),
                cmocka_unit_test(many_read_from_few_rows),
                cmocka_unit_test(those_who_want_the_same_chunk_load_it_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
