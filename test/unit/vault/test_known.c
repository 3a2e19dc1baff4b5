// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "fixture_vault.h"
#include "known.h"
#include "target_sim.h"

struct place {
        struct io *io;
        struct target_sim *target;
        struct vault *vault;
        struct known *known;
};

static int set_up(void **state) {
        static struct place place;
        struct err_note note;

        place.io = io_sim_new(1, 0);
        place.target = target_sim_new(1);
        assert_ok(fixture_vault_make(place.io, target_sim_open(place.target), false, &place.vault, &note));
        place.known = known_new(place.vault->blobs);
        *state = &place;
        return 0;
}

static int tear_down(void **state) {
        struct place *place = *state;

        known_free(place->known);
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
        return 0;
}

static struct vault_id id_of(unsigned i) {
        struct vault_id id = {{0}};

        memcpy(id.b, &i, sizeof i);
        id.b[31] = 1;
        return id;
}

static void what_was_added_is_known_once(void **state) {
        struct place *place = *state;

        for (unsigned i = 0; i < 5000; i++) {
                struct vault_id id = id_of(i);

                assert_false(known_has(place->known, &id));
                assert_true(known_add(place->known, &id));
                assert_true(known_has(place->known, &id));
                assert_false(known_add(place->known, &id));
        }
        assert_int_equal(known_pending(place->known), 5000);
}

static void a_pack_that_was_put_takes_its_ids_out_of_memory(void **state) {
        struct place *place = *state;
        struct vault_index_pack pack = {.n_blobs = 100, .length = 100000};
        struct vault_pack_entry entries[100];

        pack.head.name.b[0] = 1;
        for (unsigned i = 0; i < 150; i++) {
                struct vault_id id = id_of(i);

                assert_true(known_add(place->known, &id));
                if (i < 100)
                        entries[i] = (struct vault_pack_entry){
                                .type = VAULT_CHUNK, .stored = 100, .length = FIXTURE_CHUNK, .id = id};
        }
        known_settle(place->known, &pack, entries, 100);
        assert_int_equal(known_pending(place->known), 50);
        for (unsigned i = 0; i < 150; i++) {
                struct vault_id id = id_of(i);

                assert_true(known_has(place->known, &id));
                assert_false(known_add(place->known, &id));
        }
}

static void *ask(void *user) {
        struct place *place = user;
        bool was_known = false;

        for (unsigned i = 0; i < 20000; i++) {
                struct vault_id id = id_of(77);
                bool is_known = known_has(place->known, &id);

                if (was_known && !is_known)
                        return place;
                was_known = is_known;
        }
        return NULL;
}

static void those_who_ask_meanwhile_see_it_come_and_never_go(void **state) {
        struct place *place = *state;
        pthread_t threads[3];
        void *wrong;

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, ask, place), 0);
        for (unsigned i = 0; i < 3000; i++) {
                struct vault_id id = id_of(i);

                assert_true(known_add(place->known, &id));
        }
        for (unsigned i = 0; i < 3; i++) {
                pthread_join(threads[i], &wrong);
                assert_null(wrong);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(what_was_added_is_known_once),
                TEST(a_pack_that_was_put_takes_its_ids_out_of_memory),
                TEST(those_who_ask_meanwhile_see_it_come_and_never_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
