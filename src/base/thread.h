// SPDX-License-Identifier: Apache-2.0
/* A thread of our own.  Signals are not for it: they are for the thread that the process was started with,
 * whose waits they end.
 *
 * Errors: an errno.  Threads: any.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "err.h"

/* 0, or an errno, and no thread; user is borrowed, handed to run. */
MUST_USE int thread_start(pthread_t *ret, void *(*run)(void *user), void *user);

#endif
