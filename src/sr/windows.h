// SPDX-License-Identifier: Apache-2.0
/* Times of the week in which something may be done.  Pure but for window_moment_of, which breaks a time down
 * as the machine's time zone has it.
 *
 *      [DAYS] [FROM-TO] [=RATE]     "22:00-06:00"  "sat,sun"  "mon-fri 22:00-06:00=200M"
 *
 * DAYS: mon tue wed thu fri sat sun, single or as a range (fri-mon), separated by commas; without them, every
 * day.  FROM and TO: local times of day, 00:00 to 24:00; without them, the whole day.  A window whose end is
 * not after its beginning crosses midnight, and belongs to the day on which it begins: "fri 22:00-06:00" ends
 * on Saturday.  RATE: bytes a second while it is open.
 *
 * A clock that is put forward skips what lies between, also the beginning of a window, which is open from the
 * first moment there is; one that is put back makes a window that it meets twice that much longer.
 *
 * Errors: of window_parse, ERR_INVALID says what would be right.  Threads: any.
 */
#ifndef SR_WINDOWS_H
#define SR_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Less would be a coalesce that never ends. */
#define GC_LIMIT_AT_LEAST ((uint64_t)64 * 1024)

enum { WINDOWS_MAX = 16, WINDOW_DAY = 24 * 60 };

struct window {
        uint8_t days;      /* bit 0: Monday */
        uint16_t from, to; /* minutes of the day; to <= from: of the next day */
        uint64_t limit;    /* bytes a second; 0: none */
};
struct windows {
        unsigned n; /* 0: always open */
        struct window list[WINDOWS_MAX];
};

MUST_USE enum err window_parse(const char *text, struct window *ret, struct err_note *);
struct window_text {
        char s[80];
};
struct window_text window_format(const struct window *); /* as window_parse takes it */

/* A local time, to the minute. */
struct window_moment {
        unsigned day; /* 0: Monday */
        unsigned minute;
};
/* *ret_limit: of the open one that allows most; 0: none. */
bool windows_are_open(const struct windows *, struct window_moment, uint64_t *ret_limit);

typedef struct window_moment (*window_clock)(int64_t unix_seconds);
struct window_moment window_moment_of(int64_t unix_seconds);
/* When they are open next, in unix seconds; INT64_MAX: not within two weeks. */
int64_t windows_next_open(const struct windows *, int64_t now, window_clock);

#endif
