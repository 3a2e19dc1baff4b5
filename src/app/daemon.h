// SPDX-License-Identifier: Apache-2.0
/* The whole of a daemon: its state directory, its SRs, its objects, and the servers by which it is reached.
 *
 *      daemon_open(&options, &daemon, note)     everything listens
 *      daemon_say_where(daemon)                 a line for each place, on standard output
 *      daemon_run(daemon, &signals)             until signals.stop
 *      daemon_close(daemon)                     nobody new; calls and tasks cancelled; disks flushed, closed
 *
 * Errors: those of its parts; then nothing of it is left.  Threads: the main one.
 */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include <stdatomic.h>

#include "config.h"

struct daemon;

struct daemon_options {
        struct io *io;           /* borrowed */
        const char *config_path; /* borrowed; read again when it is told to */
        struct config *config;   /* borrowed; what was read of it */
};

struct daemon_signals {
        atomic_bool stop, reload; /* set by handlers */
};

MUST_USE enum err daemon_open(const struct daemon_options *, struct daemon **ret, struct err_note *);
void daemon_say_where(struct daemon *);
void daemon_run(struct daemon *, struct daemon_signals *);
void daemon_close(struct daemon *);
DEFINE_AUTO(struct daemon *, daemon_close);

#endif
