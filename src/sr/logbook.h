// SPDX-License-Identifier: Apache-2.0
/* The logs of changed blocks of an SR: `<uuid>.cbtlog` beside the disks, in the format of cbt_log.h.
 *
 * A log says what was written from its parent, a snapshot, to the disk it is named by, which is never written
 * any more.  A log that sm kept for a disk that is written to is untrue from the first write on, and goes
 * before that.
 *
 * Promises: a log is there whole, as it was or as it is written; written and removed are durable when the
 * call returns.  What is doubtful says of every block that it changed.
 *
 * Errors: as io.h; ERR_CORRUPT, ERR_CUT_SHORT of one that cannot be read.
 * Threads: the owner of the SR.
 */
#ifndef SR_LOGBOOK_H
#define SR_LOGBOOK_H

#include "cbt_log.h"
#include "sr_state.h"

struct change_log {
        struct cbt_log head;
        uint8_t *bits; /* owned; NULL: none */
};
void change_log_fini(struct change_log *);
DEFINE_AUTO_IN_PLACE(struct change_log, change_log_fini);

/* No block changed, nobody before it. */
MUST_USE enum err change_log_init(struct change_log *, uint64_t size_bytes, struct err_note *);
/* Also says what the older one says; where that is larger, which no disk that grew can explain, all. */
void change_log_add(struct change_log *, const struct change_log *older);
void change_log_fill(struct change_log *); /* every block */

bool logbook_has(const struct sr *, const struct uuid *); /* as the last refresh saw it */
MUST_USE enum err logbook_head(struct sr *, const struct uuid *, struct cbt_log *ret, struct err_note *);
MUST_USE enum err logbook_read(struct sr *, const struct uuid *, struct change_log *ret, struct err_note *);
MUST_USE enum err logbook_write(struct sr *, const struct uuid *, const struct change_log *,
                                struct err_note *);
MUST_USE enum err logbook_remove(struct sr *, const struct uuid *, struct err_note *);
/* Before vdi, a disk of its own, is changed. */
MUST_USE enum err logbook_drop_stale(struct sr *, const struct vdi *, struct err_note *);

#endif
