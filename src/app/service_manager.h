// SPDX-License-Identifier: Apache-2.0
/* The service manager that started a daemon, as its environment tells: where it is told of things, and how
 * often it wants to hear that we live.
 *
 *      $NOTIFY_SOCKET, $WATCHDOG_USEC, $WATCHDOG_PID
 *
 * Errors: none: who cannot be told is not.  Threads: the main one.
 */
#ifndef APP_SERVICE_MANAGER_H
#define APP_SERVICE_MANAGER_H

#include <stdint.h>

struct service_manager {
        const char *socket;   /* borrowed from the environment; NULL: there is none */
        uint64_t watchdog_ns; /* 0: it does not want to hear */
};

void service_manager_find(struct service_manager *);
void service_manager_tell(const struct service_manager *, const char *text);

#endif
