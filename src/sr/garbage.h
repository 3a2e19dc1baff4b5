// SPDX-License-Identifier: Apache-2.0
/* Deletion of nodes that nobody needs (docs/why/012-what-may-be-deleted.md).
 *
 * Garbage is a node that is hidden in both footers, whose file is whole and has one name, that no file names
 * as its parent in any way (not even a damaged or unfinished one), that nothing leases, no intent names and
 * nobody has open [C2].  What names a parent goes first, and durably, before the parent goes.  While there is
 * a file of which nobody can tell whose child it is, nothing is garbage.
 *
 * Errors: those of io; a node that cannot go is a notice, not an error.
 * Threads: the owner of the SR.
 */
#ifndef SR_GARBAGE_H
#define SR_GARBAGE_H

#include "sr_state.h"

/* sr was refreshed.  waiting may be NULL. */
MUST_USE enum err garbage_collect(struct sr *, unsigned *ret_n, uint64_t *ret_bytes,
                                  struct sr_notices *waiting, struct err_note *);
/* A hidden node that holds no block, that nothing names and nobody has open: its name goes, not durably yet.
 * ERR_BUSY where it is not so. */
MUST_USE enum err garbage_remove_emptied(struct sr *, const struct node *, struct err_note *);
/* The same of one that may hold blocks: nothing reads through it any more. */
MUST_USE enum err garbage_remove_pulled(struct sr *, const struct node *, struct err_note *);
/* After a verb that made garbage. */
MUST_USE enum err garbage_collect_quietly(struct sr *, struct err_note *);

#endif
