// SPDX-License-Identifier: Apache-2.0
/* Two VDIs of a line compared by their layers: opened in the SR's turn, read by whoever has the time, since
 * that reads the bitmaps of all that lies between them.
 *
 *      compare_open(sr, older, newer, &compare, note)
 *      compare_read(&compare, &log, note)              without the turn
 *      compare_close(&compare)
 *
 * Errors: ERR_NOT_FOUND of one that has no data; those of its file.
 * Threads: the owner of the SR; compare_read: any.
 */
#ifndef SR_COMPARE_H
#define SR_COMPARE_H

#include "logbook.h"

struct compare {
        struct sr *sr;               /* borrowed, outlives us */
        struct chain *older, *newer; /* owned; NULL: not open */
        struct uuid from;            /* the older */
};

MUST_USE enum err compare_open(struct sr *, const struct uuid *older, const struct uuid *newer,
                               struct compare *ret, struct err_note *);
/* What may differ in the newer: a log whose parent is the older. */
MUST_USE enum err compare_read(const struct compare *, struct change_log *ret, struct err_note *);
void compare_close(struct compare *);
DEFINE_AUTO_IN_PLACE(struct compare, compare_close);

/* All three at once. */
MUST_USE enum err compare_layers(struct sr *, const struct uuid *older, const struct uuid *newer,
                                 struct change_log *ret, struct err_note *);

#endif
