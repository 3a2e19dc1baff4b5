// SPDX-License-Identifier: Apache-2.0
/* Points of one vault go into another: those that it lacks, oldest first, each as what differs from its
 * parent, where the parent is there too.
 *
 *      sync_begin(from, to, &options, &sync, note)       what is missing; nothing is written
 *      sync_todo(sync, &todo)                            what the next step does, or that there is none
 *      sync_step(sync, note)                             one point; it counts as every point does (put.h)
 *      sync_free(sync)
 *
 * Chunks are read, checked, and put as those of a disk are: hashed and sealed anew by the other vault's keys,
 * of which the first has none.  What the other one has already is not stored again.
 *
 * A point is known again wherever it has gone: each disk's `source` says of which vault and point it is a
 * copy ("origin", the first one's).  So a second sync does nothing, also the other way round, or by a third
 * vault.  A run that ends early leaves whole points, and the next one goes on.
 *
 * Errors: those of points.h, get.h, put.h; ERR_CANCELLED.
 * Threads: one at a time.  Ownership: the vaults outlive it; nobody else puts into `to` by this struct vault.
 */
#ifndef VAULT_SYNC_H
#define VAULT_SYNC_H

#include "points.h"

struct sync_options {
        const char *name; /* borrowed; points of this name alone; NULL: of all */
        unsigned last;    /* so many of each name, the newest; 0: all */
        /* Bytes of the point's disks gone through, as put.h has it; may cancel; NULL: none. */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to it */
};

struct sync;
MUST_USE enum err sync_begin(struct vault *from, struct vault *to, const struct sync_options *,
                             struct sync **ret, struct err_note *);
void sync_free(struct sync *);
DEFINE_AUTO(struct sync *, sync_free);

struct sync_todo {
        const struct point *point; /* borrowed from the sync */
        uint64_t bytes; /* of its disks that differ from the parent that is there, or are no zeros */
};
/* false: there is nothing left to do. */
MUST_USE enum err sync_todo(struct sync *, bool *ret_is_there, struct sync_todo *ret, struct err_note *);
MUST_USE enum err sync_step(struct sync *, struct err_note *);
void sync_pass(struct sync *); /* that one is left out */

struct sync_count {
        uint64_t n_points;        /* that were asked for */
        uint64_t n_there, n_sent; /* of these: that the other had, and that were sent so far */
        uint64_t read, stored;    /* bytes */
};
struct sync_count sync_count(const struct sync *);

#endif
