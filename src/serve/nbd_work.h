// SPDX-License-Identifier: Apache-2.0
/* Threads that may wait, for work that is cut into errands: each disk has a lane, and lanes take turns.
 *
 * Within a lane errands begin in the order in which they came; several of them run at once.  One lane never
 * has all the threads, so whoever has little to do is not behind one who streams: he waits for at most one
 * errand of each other lane.
 *
 *      nbd_work_new(n_threads)
 *      nbd_lane_new(work)          one for each disk
 *      nbd_work_add(lane, errand)  … errand->run(errand->user), in one of the threads
 *
 * Errors: none.  Threads: any.  Ownership: an errand is the caller's, who leaves it alone from add until it
 * runs; within run it is his again.
 */
#ifndef SERVE_NBD_WORK_H
#define SERVE_NBD_WORK_H

#include <stdbool.h>

#include "cleanup.h"

struct nbd_work;
struct nbd_lane;

struct nbd_errand {
        void (*run)(void *user);
        void *user;              /* borrowed; handed to run */
        struct nbd_errand *next; /* borrowed; the lane's */
};

struct nbd_work *nbd_work_new(unsigned n_threads); /* at least 2 */
void nbd_work_free(struct nbd_work *);             /* all lanes are freed */
DEFINE_AUTO(struct nbd_work *, nbd_work_free);

/* As many as a machine like this one should have. */
unsigned nbd_work_threads(void);

struct nbd_lane *nbd_lane_new(struct nbd_work *);
void nbd_lane_free(struct nbd_lane *); /* waits for what runs; nothing waits to begin */

void nbd_work_add(struct nbd_lane *, struct nbd_errand *);

/* For what never waits and needs no thread: from enter to leave it counts as running.  False: the lane is
 * frozen, and an errand is to be added, which waits. */
bool nbd_lane_enter(struct nbd_lane *);
void nbd_lane_leave(struct nbd_lane *);

/* From freeze to thaw nothing of the lane begins, and what is added waits.  freeze returns when nothing of it
 * runs. */
void nbd_lane_freeze(struct nbd_lane *);
void nbd_lane_thaw(struct nbd_lane *);

#endif
