// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <time.h>

#include "mem.h"
#include "readers.h"

enum { THREADS = 4, TURNS = 2000 };

/* What is shared: replaced by the writer, who spoils the old one once its readers have gone. */
struct shared {
        struct readers   readers;
        _Atomic(int *)   value;
        _Atomic bool     is_over;
        _Atomic uint64_t n_spoiled;
};

static void *read_on(void *arg) {
        struct shared *shared = arg;

        while (!atomic_load(&shared->is_over)) {
                struct readers_hold hold = readers_begin(&shared->readers);

                if (*atomic_load(&shared->value) != 1)
                        atomic_fetch_add(&shared->n_spoiled, 1);
                readers_end(&shared->readers, hold);
        }
        return NULL;
}

static void nobody_sees_what_was_freed(void **state) {
        struct shared *shared = mem_aligned(64, sizeof *shared);
        pthread_t threads[THREADS];
        int *first = mem_new(int);

        (void)state;
        memset(shared, 0, sizeof *shared);
        readers_init(&shared->readers);
        *first = 1;
        atomic_store(&shared->value, first);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, read_on, shared), 0);
        for (int i = 0; i < TURNS; i++) {
                int *fresh = mem_new(int), *old;

                *fresh = 1;
                old = atomic_exchange(&shared->value, fresh);
                readers_wait(&shared->readers);
                *old = 0;
                free(old);
        }
        atomic_store(&shared->is_over, true);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&shared->n_spoiled), 0);
        free(atomic_load(&shared->value));
        readers_fini(&shared->readers);
        free(shared);
}

struct waiting {
        struct readers readers;
        _Atomic bool has_begun, has_waited;
};

static void *wait_once(void *arg) {
        struct waiting *waiting = arg;

        atomic_store(&waiting->has_begun, true);
        readers_wait(&waiting->readers);
        atomic_store(&waiting->has_waited, true);
        return NULL;
}

static void a_wait_lasts_as_long_as_a_hold_that_was_there(void **state) {
        const struct timespec a_while = {.tv_nsec = 200000};
        struct waiting *waiting = mem_aligned(64, sizeof *waiting);
        struct readers_hold early, late;
        pthread_t thread;

        (void)state;
        memset(waiting, 0, sizeof *waiting);
        readers_init(&waiting->readers);
        early = readers_begin(&waiting->readers);
        assert_int_equal(pthread_create(&thread, NULL, wait_once, waiting), 0);
        while (!atomic_load(&waiting->has_begun))
                nanosleep(&a_while, NULL);
        for (int i = 0; i < 100; i++) {
                late = readers_begin(&waiting->readers);
                nanosleep(&a_while, NULL);
                readers_end(&waiting->readers, late);
                assert_false(atomic_load(&waiting->has_waited));
        }
        readers_end(&waiting->readers, early);
        pthread_join(thread, NULL);
        assert_true(atomic_load(&waiting->has_waited));
        readers_fini(&waiting->readers);
        free(waiting);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nobody_sees_what_was_freed),
                cmocka_unit_test(a_wait_lasts_as_long_as_a_hold_that_was_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
