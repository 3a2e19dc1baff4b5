// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "hex.h"
#include "vault_sum.h"

static void check(const char *want, const struct span *parts, unsigned n) {
        uint8_t sum[VAULT_SUM_SIZE];
        char text[2 * VAULT_SUM_SIZE + 1];

        vault_sum(parts, n, sum);
        hex_format(sum, sizeof sum, text);
        assert_string_equal(text, want);
}

static void it_is_sha_256_of_all_parts(void **state) {
        static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        const struct span whole = {(const uint8_t *)"abc", 3};
        const struct span parts[] = {{NULL, 0}, {whole.data, 1}, {whole.data + 1, 2}, {NULL, 0}};

        (void)state;
        check(of_nothing, NULL, 0);
        check(of_nothing, parts, 1);
        check(of_abc, &whole, 1);
        check(of_abc, parts, 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_sha_256_of_all_parts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
