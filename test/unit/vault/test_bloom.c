// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "bloom.h"
#include "mem.h"
#include "sim_dice.h"

enum { IDS = 20000 };

static struct vault_id id_of(uint64_t n) {
        struct sim_dice dice = {.state = sim_hash(n, 1)};
        struct vault_id id;

        sim_fill(&dice, id.b, sizeof id.b);
        return id;
}

static void what_was_added_may_be_there_and_little_else(void **state) {
        size_t size = bloom_size(IDS);
        AUTO_FREE uint8_t *filter = mem_zero(size);
        unsigned wrong = 0;

        (void)state;
        for (uint64_t i = 0; i < IDS; i++) {
                struct vault_id id = id_of(i);

                bloom_add(filter, size, &id);
        }
        for (uint64_t i = 0; i < IDS; i++) {
                struct vault_id id = id_of(i), other = id_of(IDS + i);

                assert_true(bloom_may_have(filter, size, &id));
                wrong += bloom_may_have(filter, size, &other);
        }
        assert_in_range(wrong, 1, IDS / 50);
}

/* The first bytes of the ids of one disk may be anything: here they are all the same. */
static void the_first_bytes_do_not_matter(void **state) {
        size_t size = bloom_size(IDS);
        AUTO_FREE uint8_t *filter = mem_zero(size);
        unsigned wrong = 0;

        (void)state;
        for (uint64_t i = 0; i < 2 * IDS; i++) {
                struct vault_id id = id_of(i);

                memset(id.b, 7, 8);
                if (i < IDS)
                        bloom_add(filter, size, &id);
                else
                        wrong += bloom_may_have(filter, size, &id);
        }
        assert_in_range(wrong, 1, IDS / 50);
}

static void a_filter_of_nothing_has_nothing(void **state) {
        struct vault_id id = id_of(1);

        (void)state;
        assert_int_equal(bloom_size(0), 0);
        assert_false(bloom_may_have(NULL, 0, &id));
}

static void ten_bits_an_id(void **state) {
        (void)state;
        assert_int_equal(bloom_size(1), BLOOM_BLOCK);
        assert_int_equal(bloom_size(512 * 1024) / 1024, 640);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_added_may_be_there_and_little_else),
                cmocka_unit_test(the_first_bytes_do_not_matter),
                cmocka_unit_test(a_filter_of_nothing_has_nothing),
                cmocka_unit_test(ten_bits_an_id),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
