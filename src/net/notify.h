// SPDX-License-Identifier: Apache-2.0
/* What a service tells the manager that started it: "READY=1", "STOPPING=1", "WATCHDOG=1".
 *
 * One datagram to the unix socket that $NOTIFY_SOCKET names, a path or, with "@" in front, an abstract name.
 *
 * Errors: ERR_INVALID, it is no such name; ERR_CLOSED, nobody takes it.  Threads: any.
 */
#ifndef NET_NOTIFY_H
#define NET_NOTIFY_H

#include "cleanup.h"
#include "err.h"

MUST_USE enum err notify_send(const char *socket, const char *text, struct err_note *);

#endif
