// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture.h"
#include "nbd_pool.h"

struct held {
        uint8_t *at;
        size_t n;
        uint8_t letter;
};

static void any_history_of_pieces_keeps_them_apart(void **state) {
        AUTO(nbd_pool_free) struct nbd_pool *pool = nbd_pool_new();
        struct fixture_dice dice = {1};
        struct held held[NBD_POOL_PIECES_MAX] = {0};
        unsigned n_none = 0;

        (void)state;
        for (unsigned i = 0; i < 20000; i++) {
                struct held *one = &held[fixture_roll(&dice, NBD_POOL_PIECES_MAX)];

                if (one->at) {
                        assert_int_equal(one->at[0], one->letter);
                        assert_int_equal(one->at[one->n - 1], one->letter);
                        nbd_pool_give(pool, TAKE(one->at));
                        continue;
                }
                one->n = 1 + (size_t)fixture_roll(&dice, fixture_roll(&dice, 4) ? 70000 : 8 << 20);
                one->letter = (uint8_t)i;
                one->at = nbd_pool_take(pool, one->n);
                n_none += !one->at;
                if (one->at)
                        one->at[0] = one->at[one->n - 1] = one->letter;
        }
        assert_true(n_none > 100 && n_none < 15000);
        for (unsigned i = 0; i < NBD_POOL_PIECES_MAX; i++)
                if (held[i].at)
                        nbd_pool_give(pool, held[i].at);
        assert_non_null(nbd_pool_take(pool, NBD_POOL_SIZE));
}

static void the_lowest_place_is_taken_and_no_more_than_there_is(void **state) {
        AUTO(nbd_pool_free) struct nbd_pool *pool = nbd_pool_new();
        uint8_t *all = nbd_pool_take(pool, NBD_POOL_SIZE), *a, *b, *c;

        (void)state;
        assert_null(nbd_pool_take(pool, 1));
        nbd_pool_give(pool, all);
        a = nbd_pool_take(pool, 100);
        b = nbd_pool_take(pool, 64);
        c = nbd_pool_take(pool, 1);
        assert_ptr_equal(a, all);
        assert_ptr_equal(b, all + 128);
        assert_ptr_equal(c, all + 192);
        nbd_pool_give(pool, a);
        assert_ptr_equal(nbd_pool_take(pool, 129), all + 256);
        assert_ptr_equal(nbd_pool_take(pool, 128), all);
        assert_null(nbd_pool_take(pool, NBD_POOL_SIZE - 447));
        assert_ptr_equal(nbd_pool_take(pool, NBD_POOL_SIZE - 448), all + 448);
}

static void what_a_burst_touched_is_given_back_once_all_is_free(void **state) {
        AUTO(nbd_pool_free) struct nbd_pool *pool = nbd_pool_new();
        uint8_t *large = nbd_pool_take(pool, 5 << 20), *small = nbd_pool_take(pool, 100);

        (void)state;
        nbd_pool_give(pool, large);
        small[0] = 'a';
        nbd_pool_rest(pool);
        assert_int_equal(small[0], 'a');
        assert_int_equal(nbd_pool_touched(pool), (5 << 20) + 128);
        nbd_pool_give(pool, small);
        nbd_pool_rest(pool);
        assert_int_equal(nbd_pool_touched(pool), 0);
        large = nbd_pool_take(pool, 1 << 20);
        nbd_pool_give(pool, large);
        nbd_pool_rest(pool);
        assert_int_equal(nbd_pool_touched(pool), 1 << 20);
        assert_ptr_equal(nbd_pool_take(pool, 1), large);
}

static void there_are_as_many_pieces_as_was_said(void **state) {
        AUTO(nbd_pool_free) struct nbd_pool *pool = nbd_pool_new();
        uint8_t *last = NULL;

        (void)state;
        for (unsigned i = 0; i < NBD_POOL_PIECES_MAX; i++)
                assert_non_null(last = nbd_pool_take(pool, 1));
        assert_null(nbd_pool_take(pool, 1));
        nbd_pool_give(pool, last);
        assert_ptr_equal(nbd_pool_take(pool, 1), last);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_history_of_pieces_keeps_them_apart),
                cmocka_unit_test(the_lowest_place_is_taken_and_no_more_than_there_is),
                cmocka_unit_test(what_a_burst_touched_is_given_back_once_all_is_free),
                cmocka_unit_test(there_are_as_many_pieces_as_was_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
