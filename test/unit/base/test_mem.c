// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"

/* Sizes around a large page, where the other way of getting memory begins. */
static void a_table_of_any_size_is_zeros_and_all_of_it_ours(void **state) {
        static const size_t sizes[] = {0, 1, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (6 << 20) + 5};

        (void)state;
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                uint8_t *one = mem_table(sizes[k]), *two = mem_table(sizes[k]);

                for (size_t i = 0; i < sizes[k]; i++) {
                        if (one[i] | two[i])
                                fail();
                        one[i] = 1;
                        two[i] = 2;
                }
                for (size_t i = 0; i < sizes[k]; i++)
                        if (one[i] != 1)
                                fail();
                mem_table_free(one, sizes[k]);
                mem_table_free(two, sizes[k]);
        }
        mem_table_free(NULL, 5);
        mem_table_free(NULL, 2 << 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_of_any_size_is_zeros_and_all_of_it_ours),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
