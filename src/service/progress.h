// SPDX-License-Identifier: Apache-2.0
/* How far something long has come: bytes done and total, rate, time left; and the way to stop it.
 *
 * A verb's handler calls progress_begin once for each thing it does and progress_step as it goes; whoever
 * waits handed down `show`, which is called at most ten times a second.  The rate is that of the last few
 * seconds, so that the time left follows what is happening now.
 *
 * Errors: progress_step is ERR_CANCELLED once the waiter has asked to stop; the handler undoes and returns
 * it. Threads: one at a time; is_cancelled may be set by any thread or signal.
 */
#ifndef SERVICE_PROGRESS_H
#define SERVICE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"
#include "rate.h"

struct progress;

typedef void (*progress_show)(void *user, const struct progress *);
typedef void (*progress_say_fn)(void *user, const char *line);

struct progress {
        struct io *io;             /* borrowed; its clock */
        progress_show show;        /* borrowed; may be NULL */
        progress_say_fn say;       /* borrowed; may be NULL */
        void *user;                /* borrowed; handed to show and say */
        atomic_bool *is_cancelled; /* borrowed; may be NULL */

        const char *doing;    /* borrowed, static: "import", "convert" */
        uint64_t done, total; /* bytes; total 0: not known */
        bool has_ended;
        uint64_t began_ns, now_ns, shown_ns;
        struct rate rate;
};

/* doing is a word for people.  total may be 0 where it is not known. */
void progress_begin(struct progress *, const char *doing, uint64_t total);
MUST_USE enum err progress_step(struct progress *, uint64_t done, struct err_note *);
void progress_end(struct progress *); /* shows the last state */

/* A line of a log that was asked for, beside the bar. */
void progress_say(struct progress *, const char *line);

uint64_t progress_rate(const struct progress *);    /* bytes a second; 0: too early to say */
uint64_t progress_left_ns(const struct progress *); /* UINT64_MAX: cannot be told */

#endif
