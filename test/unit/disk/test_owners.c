// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "owners.h"

static void runs_are_found_whatever_their_shape(void **state) {
        AUTO(owners_free) struct owners *owners = owners_new(64 * MIB, 2);
        uint16_t by_page[IMAGE_BLOCK_SECTORS], ragged[IMAGE_BLOCK_SECTORS];
        const uint16_t *all[2] = {by_page, ragged};
        uint64_t ticket;
        unsigned end;
        uint16_t owner;

        (void)state;
        for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s++) {
                by_page[s] = (uint16_t)(s / 24 % 7 == 3 ? OWNER_NONE : s / 24 % 7);
                ragged[s] = (uint16_t)(s / 5 % 3);
        }
        assert_false(owners_find(owners, 0, 7, 0, 1, &owner, &end, &ticket));
        owners_put(owners, 0, 7, by_page, ticket);
        owners_put(owners, 1, 7, ragged, ticket);
        for (uint64_t block = 0; block < 2; block++)
                for (unsigned s = 0, limit = IMAGE_BLOCK_SECTORS - 3; s < limit; s++) {
                        unsigned want = s + 1;

                        while (want < limit && all[block][want] == all[block][s])
                                want++;
                        assert_true(owners_find(owners, block, 7, s, limit, &owner, &end, &ticket));
                        assert_int_equal(owner, all[block][s]);
                        assert_int_equal(end, want);
                }
}

static void it_stays_within_its_bound_and_keeps_what_is_used(void **state) {
        const uint64_t limit = 1 * MIB;
        AUTO(owners_free) struct owners *owners = owners_new(limit, 1000);
        uint16_t of[IMAGE_BLOCK_SECTORS] = {0}, owner;
        uint64_t ticket;
        unsigned end, n = 0;

        (void)state;
        for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s++)
                of[s] = (uint16_t)(s % 3);
        assert_false(owners_find(owners, 0, 7, 0, 1, &owner, &end, &ticket));
        for (uint64_t block = 0; block < 1000; block++) {
                owners_put(owners, block, 7, of, ticket);
                assert_true(owners_bytes(owners) <= limit);
                assert_true(owners_find(owners, 0, 7, 0, 1, &owner, &end, &ticket));
        }
        for (uint64_t block = 0; block < 1000; block++)
                n += owners_find(owners, block, 7, 0, 1, &owner, &end, &ticket);
        assert_true(n > 32 && n < 130);
}

enum { MANY = 4000 };

static void fill(uint16_t of[IMAGE_BLOCK_SECTORS], uint64_t block) {
        for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s++)
                of[s] = (uint16_t)((block + s / 8) % 200);
}

/* More blocks than the table has cells: a block that is asked for again and again stays, whoever comes. */
static void blocks_that_share_a_cell_do_not_push_out_the_one_in_use(void **state) {
        const uint64_t limit = 256 * 1024;
        AUTO(owners_free) struct owners *owners = owners_new(limit, MANY);
        uint16_t of[IMAGE_BLOCK_SECTORS], owner;
        uint64_t ticket;
        unsigned end, n = 0;

        (void)state;
        for (uint64_t block = 0; block < MANY; block++) {
                assert_false(owners_find(owners, block, 7, 0, 1, &owner, &end, &ticket));
                fill(of, block);
                owners_put(owners, block, 7, of, ticket);
                assert_true(owners_bytes(owners) <= limit);
                assert_true(owners_find(owners, 5, 7, 9, 4096, &owner, &end, &ticket) || block < 5);
                assert_true(block < 5 || owner == 6);
        }
        for (uint64_t block = 0; block < MANY; block++)
                for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s += 8)
                        if (owners_find(owners, block, 7, s, 4096, &owner, &end, &ticket)) {
                                assert_int_equal(owner, (block + s / 8) % 200);
                                assert_int_equal(end, s + 8);
                                n++;
                        }
        assert_true(n > 200 * 512);
}

static void what_is_known_of_one_entry_is_not_found_under_another(void **state) {
        AUTO(owners_free) struct owners *owners = owners_new(1 * MIB, 10);
        uint16_t by_page[IMAGE_BLOCK_SECTORS] = {0}, ragged[IMAGE_BLOCK_SECTORS] = {0}, owner;
        uint64_t ticket;
        unsigned end;

        (void)state;
        ragged[3] = 1;
        for (unsigned i = 0; i < 2; i++) {
                assert_false(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
                owners_put(owners, 4, 7, i ? ragged : by_page, ticket);
                assert_true(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
                assert_false(owners_find(owners, 4, 8, 0, 1, &owner, &end, &ticket));
                owners_put(owners, 4, 8, i ? by_page : ragged, ticket);
                assert_true(owners_find(owners, 4, 8, 0, 1, &owner, &end, &ticket));
                assert_false(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
                owners_drop(owners, 4);
                assert_false(owners_find(owners, 4, 8, 0, 1, &owner, &end, &ticket));
                assert_int_equal(owners_bytes(owners), 0);
        }
}

/* Bits read before a publication must not be remembered after it. */
static void what_was_found_out_before_a_drop_is_not_kept(void **state) {
        AUTO(owners_free) struct owners *owners = owners_new(1 * MIB, 10);
        uint16_t of[IMAGE_BLOCK_SECTORS] = {0}, owner;
        uint64_t ticket;
        unsigned end;

        (void)state;
        assert_false(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
        owners_drop(owners, 4);
        owners_put(owners, 4, 7, of, ticket);
        assert_false(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
        owners_put(owners, 4, 7, of, ticket);
        assert_true(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
}

static void a_block_of_more_layers_than_a_cell_can_number_is_kept_too(void **state) {
        AUTO(owners_free) struct owners *owners = owners_new(1 * MIB, 10);
        uint16_t of[IMAGE_BLOCK_SECTORS], owner;
        uint64_t ticket;
        unsigned end;

        (void)state;
        for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s++)
                of[s] = (uint16_t)(s / 8 == 511 ? OWNER_NONE : s / 8);
        assert_false(owners_find(owners, 4, 7, 0, 1, &owner, &end, &ticket));
        owners_put(owners, 4, 7, of, ticket);
        for (unsigned s = 0; s < IMAGE_BLOCK_SECTORS; s += 3) {
                assert_true(owners_find(owners, 4, 7, s, IMAGE_BLOCK_SECTORS, &owner, &end, &ticket));
                assert_int_equal(owner, of[s]);
                assert_int_equal(end, s / 8 * 8 + 8);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(runs_are_found_whatever_their_shape),
                cmocka_unit_test(it_stays_within_its_bound_and_keeps_what_is_used),
                cmocka_unit_test(blocks_that_share_a_cell_do_not_push_out_the_one_in_use),
                cmocka_unit_test(what_is_known_of_one_entry_is_not_found_under_another),
                cmocka_unit_test(what_was_found_out_before_a_drop_is_not_kept),
                cmocka_unit_test(a_block_of_more_layers_than_a_cell_can_number_is_kept_too),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
