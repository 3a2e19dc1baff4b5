// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <stdlib.h>
#include <unistd.h>

#include "notify.h"
#include "text.h"

#define WATCHDOG_MAX_US (UINT64_C(24) * 3600 * 1000000)

static uint64_t number_of(const char *variable) {
        const char *text = getenv(variable);
        uint64_t number = 0;

        return text && text_parse_u64(text, &number) ? number : 0;
}

void service_manager_find(struct service_manager *ret) {
        uint64_t pid = number_of("WATCHDOG_PID"), us = number_of("WATCHDOG_USEC");

        *ret = (struct service_manager){.socket = getenv("NOTIFY_SOCKET")};
        if (ret->socket && us <= WATCHDOG_MAX_US && (pid == 0 || pid == (uint64_t)getpid()))
                ret->watchdog_ns = us * 1000;
}

void service_manager_tell(const struct service_manager *manager, const char *text) {
        struct err_note unused;

        if (manager->socket)
                (void)!notify_send(manager->socket, text, &unused);
}
