// SPDX-License-Identifier: Apache-2.0
/* Points of one vault go into another: those that it lacks, oldest first, each as what differs from its
 * parent, where the parent is there too.
 *
 *      sync_begin(from, to, &options, &sync, note)       what is missing; nothing is sent
 *      sync_todo(sync, &todo)                            what the next step does, or that there is none
 *      sync_step(sync, note)                             one point; it counts as every point does (put.h)
 *      sync_left(sync, &n)                               what could not be had, and why
 *      sync_free(sync)
 *
 * Chunks are read, checked, and put as those of a disk are: hashed and sealed anew by the other vault's keys,
 * of which the first has none.  What the other one has already is not stored again.
 *
 * A point is known again wherever it has gone: each disk's `source` says of which vault and point it is a
 * copy ("origin", the first one's).  So a second sync does nothing, also the other way round, or by a third
 * vault.  A run that ends early leaves whole points, and the next one goes on.
 *
 *   [Y1] the first vault has a session that names what is missing, from before its packs are listed to the
 *        end (reading.h): no prune there takes it away
 *   [Y2] a point that is damaged, or was let go, stands in no other's way: it is left out and told of
 *   [Y3] a copy that is recorded as damaged counts as not there: it is sent again, and that heals it (put.h
 *        [P6])
 *
 * Errors: those of points.h, put.h, of targets; ERR_CANCELLED.  What a point's own bytes in the first vault
 * give is none: sync_left has it.
 * Threads: one at a time.  Ownership: the vaults outlive it; nobody else puts into `to` by this struct vault.
 */
#ifndef VAULT_SYNC_H
#define VAULT_SYNC_H

#include "points.h"

struct sync_options {
        const char *const *names; /* borrowed; points of these names alone */
        size_t n_names;           /* 0: of all */
        const char *const *vms;   /* borrowed; likewise of the VMs with these uuids */
        size_t n_vms;
        int64_t since;      /* seconds since 1970: not those from before; 0: all */
        unsigned last;      /* so many of each name, the newest; 0: all */
        unsigned n_threads; /* 0: as many as cores */
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
        uint64_t bytes;   /* of its disks that differ from the parent that is there, or are no zeros */
        uint64_t through; /* what `step` tells of at its end: holes too */
};
/* false: there is nothing left to do. */
bool sync_todo(struct sync *, struct sync_todo *ret);
MUST_USE enum err sync_step(struct sync *, struct err_note *);
void sync_pass(struct sync *); /* that one is not sent */

struct sync_count {
        uint64_t n_points;        /* that were asked for */
        uint64_t n_there, n_sent; /* of these: that the other had, and that were sent so far */
        uint64_t bytes, through;  /* of sync_todo, together, as it was known when this began */
        uint64_t read, stored;    /* bytes */
};
struct sync_count sync_count(const struct sync *);

struct sync_left {
        const struct point *point; /* borrowed from the sync */
        char *why;                 /* owned by the sync */
};
const struct sync_left *sync_left(const struct sync *, size_t *ret_n); /* borrowed until the next step */

#endif
