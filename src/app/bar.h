// SPDX-License-Identifier: Apache-2.0
/* Progress on standard error: a bar on a terminal, for anything over a second; lines or JSON objects where
 * asked for.
 *
 *      convert  42% [==========>             ]  861 MiB of 2.00 GiB  310 MiB/s  4s left
 *
 * Errors: none; what cannot be shown is not.  Threads: the one that works.
 */
#ifndef APP_BAR_H
#define APP_BAR_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "progress.h"

enum bar_style { BAR_NONE, BAR_TERMINAL, BAR_LINES, BAR_JSON };

struct bar {
        enum bar_style style;
        bool has_colour;
        bool is_drawn;
        uint64_t drawn_ns;
};

void bar_show(void *bar, const struct progress *); /* a progress_show */
void bar_say(void *bar, const char *line);         /* a progress_say_fn: a line of its own, above the bar */
void bar_clear(struct bar *);                      /* before anything else is written */

/* One state in one style, without what ends the line. */
void bar_draw(const struct bar *, const struct progress *, unsigned columns, struct buf *);

#endif
