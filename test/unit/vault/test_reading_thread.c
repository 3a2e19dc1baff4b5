// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <unistd.h>

#include "fixture_vault.h"
#include "reading_thread.h"
#include "target_sim.h"

struct told {
        pthread_mutex_t lock;
        unsigned n;
};

static void note_broken(void *user) {
        struct told *told = user;

        pthread_mutex_lock(&told->lock);
        told->n++;
        pthread_mutex_unlock(&told->lock);
}

static unsigned how_often(struct told *told) {
        unsigned n;

        pthread_mutex_lock(&told->lock);
        n = told->n;
        pthread_mutex_unlock(&told->lock);
        return n;
}

static bool is_there(struct vault *vault, const struct vault_name *session, const char *suffix) {
        AUTO_FREE char *path = mem_format("sessions/%s%s", vault_name_format(session).s, suffix);
        struct err_note note;
        uint64_t size;

        return target_size(vault->target, path, &size, &note) == ERR_NONE;
}

static void it_says_that_the_reading_goes_on_and_when_it_was_broken(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(reading_end) struct reading reading = {0};
        struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER};
        const struct reading_thread_options options = {
                .every_ns = 1000000, .broken = note_broken, .user = &told};
        struct reading_thread *thread;
        struct vault_name name;
        struct err_note note;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        assert_ok(reading_begin(vault, NULL, 0, &reading, &note));
        name = reading.session.name;
        assert_ok(reading_thread_new(&reading, &options, &thread, &note));
        io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
        while (!is_there(vault, &name, ".1"))
                usleep(1000);
        assert_int_equal(how_often(&told), 0);
        assert_ok(vault_put_object(vault, VAULT_SESSION_BROKEN, &name,
                                   (struct span){(const uint8_t *)"{}", 2}, NULL, &note));
        while (how_often(&told) == 0) {
                io_sim_advance(io, (uint64_t)SESSION_BEAT_SECONDS * 1000000000);
                usleep(1000);
        }
        reading_thread_free(thread);
        assert_int_equal(how_often(&told), 1);
        assert_true(reading.is_broken);
}

static void it_ends_at_once(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(reading_end) struct reading reading = {0};
        const struct reading_thread_options options = {.every_ns = 0};
        AUTO(reading_thread_free) struct reading_thread *thread = NULL;
        struct err_note note;

        (void)state;
        assert_ok(fixture_vault_make(io, target_sim_open(place), true, &vault, &note));
        assert_ok(reading_begin(vault, NULL, 0, &reading, &note));
        assert_ok(reading_thread_new(&reading, &options, &thread, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_says_that_the_reading_goes_on_and_when_it_was_broken),
                cmocka_unit_test(it_ends_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
