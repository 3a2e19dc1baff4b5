// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "index_tiers.h"
#include "sim_dice.h"

/* Names of the n-th index: its number. */
static void add(struct index_sizes *sizes, uint64_t n_entries) {
        struct index_size *size = vec_add(&sizes->list);

        size->name.b[14] = (uint8_t)(sizes->list.n >> 8);
        size->name.b[15] = (uint8_t)sizes->list.n;
        size->n_entries = n_entries;
}

struct row {
        const char *what;
        uint64_t sizes[20]; /* 0 ends */
        uint64_t picked[20];
};

static const struct row rows[] = {
        {"none", {0}, {0}},
        {"one", {10}, {0}},
        {"seven small ones", {1, 2, 3, 4, 5, 6, 7}, {0}},
        {"eight small ones", {8, 1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 6, 7, 8}},
        {"more than eight", {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {"seven in each of two tiers", {1, 1, 1, 1, 1, 1, 1, 5000, 5000, 5000, 5000, 5000, 5000, 5000}, {0}},
        {"eight of a tier, and those below",
         {5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 3, 4095, 40000},
         {3, 4095, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000}},
        {"full ones stay", {300000, 300000, 300000, 300000, 300000, 300000, 300000, 300000}, {0}},
        {"at the border of full ones", {262144, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}},
        {"no more than fit into one",
         {200000, 200000, 200000, 200000, 200000, 200000, 200000, 200000},
         {200000, 200000}},
};

static void the_table(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO(index_sizes_fini) struct index_sizes sizes = {0};
                AUTO(index_sizes_fini) struct index_sizes picked = {0};
                size_t n = 0;

                print_message("            %s\n", rows[i].what);
                for (size_t j = 0; rows[i].sizes[j]; j++)
                        add(&sizes, rows[i].sizes[j]);
                while (rows[i].picked[n])
                        n++;
                index_tiers_pick(&sizes, &picked);
                assert_int_equal(picked.list.n, n);
                for (size_t j = 0; j < n; j++)
                        assert_int_equal(picked.list.data[j].n_entries, rows[i].picked[j]);
        }
}

/* Does what was picked; how many entries were written by it. */
static uint64_t merge(struct index_sizes *sizes, const struct index_sizes *picked) {
        uint64_t sum = 0;

        VEC_EACH (&picked->list, each) {
                sum += each->n_entries;
                for (size_t i = 0; i < sizes->list.n; i++)
                        if (vault_name_compare(&sizes->list.data[i].name, &each->name) == 0)
                                vec_remove_at(&sizes->list, i);
        }
        *vec_add(&sizes->list) = (struct index_size){picked->list.data[0].name, sum};
        return sum;
}

static void few_are_left_and_none_is_written_often(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                AUTO(index_sizes_fini) struct index_sizes sizes = {0};
                AUTO(index_sizes_fini) struct index_sizes picked = {0};
                struct sim_dice dice = {.state = sim_hash(seed, 2)};
                uint64_t all = 0, written = 0, range = (uint64_t)8 << sim_below(&dice, 12);

                for (unsigned i = 0; i < 1500; i++) {
                        struct index_size size = {.n_entries = 1 + sim_below(&dice, range)};

                        sim_fill(&dice, size.name.b, sizeof size.name.b);
                        *vec_add(&sizes.list) = size;
                        all += size.n_entries;
                        for (;;) {
                                index_tiers_pick(&sizes, &picked);
                                if (picked.list.n == 0)
                                        break;
                                assert_true(picked.list.n >= 2);
                                written += merge(&sizes, &picked);
                        }
                        assert_true(sizes.list.n <=
                                    INDEX_TIERS * (INDEX_TIER_FAN - 1) + all / (INDEX_ENTRIES_MAX / 2));
                        VEC_EACH (&sizes.list, each)
                                assert_true(each->n_entries <= INDEX_ENTRIES_MAX);
                }
                /* Below the lowest tier's end what was made of eight is made of eight again. */
                assert_true(written <= all * INDEX_TIERS + (uint64_t)1500 * INDEX_TIER_FIRST);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_table),
                cmocka_unit_test(few_are_left_and_none_is_written_often),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
