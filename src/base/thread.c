// SPDX-License-Identifier: Apache-2.0
#include "thread.h"

#include <signal.h>

/* A thread has the mask of the one that starts it: so there is no moment at which it takes one. */
int thread_start(pthread_t *ret, void *(*run)(void *user), void *user) {
        sigset_t all, before;
        int failed;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(ret, NULL, run, user);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return failed;
}
