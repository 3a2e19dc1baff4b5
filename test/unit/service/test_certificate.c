// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>

#include "certificate.h"
#include "mem.h"

enum { N_READS = 2000 };

static void what_was_set_last_is_told(void **state) {
        AUTO(certificate_free) struct certificate *certificate = certificate_new("one");
        AUTO_FREE char *first = certificate_pem(certificate);
        AUTO_FREE char *second = NULL;

        (void)state;
        certificate_set(certificate, "another");
        second = certificate_pem(certificate);
        assert_string_equal(first, "one");
        assert_string_equal(second, "another");
}

static void *ask(void *user) {
        for (unsigned i = 0; i < N_READS; i++) {
                AUTO_FREE char *pem = certificate_pem(user);

                assert_true(strcmp(pem, "one") == 0 || strcmp(pem, "another") == 0);
        }
        return NULL;
}

static void who_asks_meanwhile_is_told_the_one_or_the_other(void **state) {
        AUTO(certificate_free) struct certificate *certificate = certificate_new("one");
        pthread_t threads[2];

        (void)state;
        for (unsigned i = 0; i < 2; i++)
                pthread_create(&threads[i], NULL, ask, certificate);
        for (unsigned i = 0; i < N_READS; i++)
                certificate_set(certificate, i % 2 ? "one" : "another");
        for (unsigned i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_set_last_is_told),
                cmocka_unit_test(who_asks_meanwhile_is_told_the_one_or_the_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
