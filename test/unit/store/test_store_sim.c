// SPDX-License-Identifier: Apache-2.0
/* The faults of the store in memory; what it promises as a store is in test_store.c. */
#include "check.h"

#include "store.h"
#include "store_sim.h"

static enum err put_two(struct store *store, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (store_begin(store, &change, note) || store_put(change, "t", "a", "1", 1, note) ||
            store_put(change, "t", "b", "1", 1, note) || store_delete(change, "t", "old", note))
                return note->code;
        return store_commit(TAKE(change), note);
}

/* How many of the two rows are there: none or both, and the old one is there only with none. */
static unsigned rows_found(struct store *store) {
        static const char *const keys[] = {"a", "b", "old"};
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;
        bool found[3];

        for (unsigned i = 0; i < 3; i++) {
                found[i] = store_get(store, "t", keys[i], &got, &note) == ERR_NONE;
                assert_true(found[i] || note.code == ERR_NOT_FOUND);
        }
        assert_true(found[0] == found[1] && found[0] != found[2]);
        return found[0] ? 2 : 0;
}

static struct store *opened(struct store_sim *sim) {
        struct store *store = NULL;
        struct store_change *change;
        struct err_note note;

        assert_ok(store_sim_open(sim, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "old", "0", 1, &note));
        assert_ok(store_commit(change, &note));
        return store;
}

enum { CALLS = 5, COMMIT = 5 }; /* of put_two, and which of them is its commit */

static void each_call_can_fail_and_the_handle_goes_on(void **state) {
        struct err_note note;

        (void)state;
        for (unsigned after = 0; after < 2; after++) {
                for (uint64_t n = 1; n <= CALLS; n++) {
                        AUTO(store_sim_free) struct store_sim *sim = store_sim_new("model");
                        struct store *store = opened(sim);

                        store_sim_fail_at(sim, n, ERR_NO_SPACE, after);
                        assert_err(put_two(store, &note), ERR_NO_SPACE, "model: no space left (simulated");
                        assert_int_equal(rows_found(store), after && n == COMMIT ? 2 : 0);
                        assert_ok(put_two(store, &note));
                        assert_int_equal(rows_found(store), 2);
                        store_close(store);
                }
        }
}

static void a_crash_leaves_what_was_committed(void **state) {
        struct err_note note;

        (void)state;
        for (unsigned after = 0; after < 2; after++) {
                for (uint64_t n = 1; n <= CALLS; n++) {
                        AUTO(store_sim_free) struct store_sim *sim = store_sim_new("model");
                        struct store *store = opened(sim);

                        store_sim_crash_at(sim, n, after);
                        assert_err(put_two(store, &note), ERR_IO, "model");
                        assert_true(store_sim_is_dead(sim));
                        assert_err(put_two(store, &note), ERR_IO, "model"); /* nothing goes on */
                        store_close(store);
                        assert_err(store_sim_open(sim, STORE_WRITE, &store, &note), ERR_IO, "model");
                        store_sim_restart(sim);
                        assert_ok(store_sim_open(sim, STORE_WRITE, &store, &note));
                        assert_int_equal(rows_found(store), after && n == COMMIT ? 2 : 0);
                        store_close(store);
                }
        }
}

static void calls_are_counted_and_an_order_can_be_taken_back(void **state) {
        AUTO(store_sim_free) struct store_sim *sim = store_sim_new("model");
        AUTO(store_close) struct store *store = opened(sim);
        uint64_t was = store_sim_calls(sim);
        struct err_note note;

        (void)state;
        store_sim_fail_at(sim, CALLS, ERR_IO, false);
        store_sim_fail_at(sim, 0, ERR_IO, false);
        assert_ok(put_two(store, &note));
        assert_int_equal(store_sim_calls(sim) - was, CALLS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_call_can_fail_and_the_handle_goes_on),
                cmocka_unit_test(a_crash_leaves_what_was_committed),
                cmocka_unit_test(calls_are_counted_and_an_order_can_be_taken_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
