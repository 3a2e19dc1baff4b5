// SPDX-License-Identifier: Apache-2.0
/* Which snapshot came before which, of the VDIs that hold data: as the layers tell it, not clocks.
 *
 * What a snapshot reads lies in one layer and those below it.  It came before another VDI if that VDI reads
 * through this layer.  Two that share their layer read the same; then the time they were made, and where that
 * is the same their uuids, say which is before which.  So each VDI has one predecessor at most, and many may
 * have the same: branches that a revert or a clone began.
 *
 * Errors: of files that could not be looked at; VDIs whose chain is broken are left out.
 * Threads: the owner of the SR.
 */
#ifndef SR_LINE_H
#define SR_LINE_H

#include "sr_state.h"

struct line_member {
        struct uuid uuid, before; /* before: the nearest snapshot that came before; null: none */
        bool is_snapshot, has_cbt;
};
struct line {
        VEC(struct line_member) members; /* owned */
};

/* All VDIs of the SR that hold data. */
MUST_USE enum err line_read(struct sr *, struct line *ret, struct err_note *);
void line_fini(struct line *);
DEFINE_AUTO_IN_PLACE(struct line, line_fini);

const struct line_member *line_find(const struct line *, const struct uuid *); /* or NULL */
/* Whether `older` is before the other, at any distance. */
bool line_leads(const struct line *, const struct uuid *older, const struct uuid *newer);

#endif
