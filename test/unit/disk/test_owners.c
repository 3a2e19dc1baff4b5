// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "owners.h"

static void runs_are_found_whatever_their_shape(void **state) {
        AUTO(owners_free) struct owners *owners = owners_new(64 * MIB);
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
        AUTO(owners_free) struct owners *owners = owners_new(limit);
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
        assert_true(n > 64 && n < 130);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(runs_are_found_whatever_their_shape),
                cmocka_unit_test(it_stays_within_its_bound_and_keeps_what_is_used),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
