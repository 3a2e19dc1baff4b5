// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <signal.h>

#include "cleanup.h"
#include "thread.h"

static void *look_at_mask(void *user) {
        pthread_sigmask(SIG_SETMASK, NULL, user);
        return user;
}

static void signals_are_not_for_a_thread_and_stay_for_who_started_it(void **state UNUSED) {
        sigset_t before, inside, after;
        pthread_t thread;
        void *returned;

        sigemptyset(&inside);
        pthread_sigmask(SIG_SETMASK, NULL, &before);
        assert_int_equal(thread_start(&thread, look_at_mask, &inside), 0);
        assert_int_equal(pthread_join(thread, &returned), 0);
        assert_ptr_equal(returned, &inside);
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        for (int each = 1; each < 32; each++) {
                if (each != SIGKILL && each != SIGSTOP)
                        assert_int_equal(sigismember(&inside, each), 1);
                assert_int_equal(sigismember(&after, each), sigismember(&before, each));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(signals_are_not_for_a_thread_and_stay_for_who_started_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
