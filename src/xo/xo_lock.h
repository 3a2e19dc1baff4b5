// SPDX-License-Identifier: Apache-2.0
/* The lock that Xen Orchestra has on a VM's backups: an empty folder, which whoever holds it makes anew every
 * few seconds.  One that has stayed as it is for longer than that is a dead one's, and goes.
 *
 *      xo_lock_take(io, path, &lock, note)
 *      xo_lock_keep(&lock, note)              now and then: makes it anew where it is time
 *      xo_lock_release(&lock)
 *
 * Made anew is: another folder takes its name, in one step, so it is there at each instant.  Whether one is
 * dead is seen by our own clock between two looks of ours, since the server of a remote may have another.
 *
 * Errors: ERR_BUSY: another holds it, or has taken it for dead.  Threads: one at a time.
 */
#ifndef XO_LOCK_H
#define XO_LOCK_H

#include "io.h"

enum {
        XO_LOCK_DEAD_SECONDS = 15, /* Xen Orchestra waits for 10 */
        XO_LOCK_WAIT_SECONDS = 120,
        XO_LOCK_KEEP_SECONDS = 4,
};

struct xo_lock {
        struct io *io; /* borrowed; NULL: it is not held */
        char *path;    /* owned */
        uint64_t inode;
        uint64_t kept_ns; /* by io's clock */
};
/* Waits for who holds it, but no longer than XO_LOCK_WAIT_SECONDS. */
MUST_USE enum err xo_lock_take(struct io *, const char *path, struct xo_lock *ret, struct err_note *);
MUST_USE enum err xo_lock_keep(struct xo_lock *, struct err_note *);
void xo_lock_release(struct xo_lock *);
DEFINE_AUTO_IN_PLACE(struct xo_lock, xo_lock_release);

#endif
