// SPDX-License-Identifier: Apache-2.0
/* A daemon's log: a line on standard error for each thing that an operator may want to know, with time and
 * level.
 *
 *      catenad: 2026-11-21T03:20:42Z info: listening on …
 *
 * What came from elsewhere is made printable.  No secret goes in: neither passwords nor references of
 * sessions.
 *
 * Errors: none.  Threads: any; a line is written at once.
 */
#ifndef APP_DAEMON_LOG_H
#define APP_DAEMON_LOG_H

#include <stdatomic.h>

#include "config.h"
#include "io.h"

struct daemon_log {
        struct io *io;    /* borrowed; its clock */
        atomic_int level; /* of enum config_log: what is written, and all before it */
};

void daemon_log(struct daemon_log *, enum config_log, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* For those who are handed a function: an info. */
void daemon_log_line(void *log, const char *text);

#endif
