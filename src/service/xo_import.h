// SPDX-License-Identifier: Apache-2.0
/* Restore points of a Xen Orchestra remote become points of a vault, oldest first, each as what its VHDs hold
 * by themselves where the one before is in the vault.
 *
 *      xo_import_begin(vault, remote, &options, &import, note)    what is missing; nothing is put
 *      xo_import_todo(import, &todo)                              what the next step does, if anything
 *      xo_import_step(import, note)                               one point
 *      xo_import_left(import, &n)                                 what could not be had, and why
 *      xo_import_free(import)
 *
 * A point is known again: each disk's `source` says of which VM, point and VHD it came ("xo").  So a second
 * run puts nothing, and a later one goes on from the newest that is there, whether or not Xen Orchestra has
 * kept it.
 *
 * A point that is broken or being merged stands in no other's way: it is left out and told of.
 *
 * Errors: those of points.h and put.h; ERR_CANCELLED.  What the remote's own bytes give is none:
 * xo_import_left has it.
 * Threads: one at a time.  Ownership: vault and remote outlive it.
 */
#ifndef SERVICE_XO_IMPORT_H
#define SERVICE_XO_IMPORT_H

#include "points.h"
#include "xo_points.h"

struct xo_import_options {
        const char *const *vms; /* borrowed; those with these uuids alone */
        size_t n_vms;           /* 0: all */
        unsigned n_threads;     /* 0: as many as cores */
        /* Bytes of the point's disks gone through, of todo.bytes; may cancel; NULL: none. */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to it */
};

struct xo_import;
MUST_USE enum err xo_import_begin(struct vault *, const struct xo_remote *, const struct xo_import_options *,
                                  struct xo_import **ret, struct err_note *);
void xo_import_free(struct xo_import *);
DEFINE_AUTO(struct xo_import *, xo_import_free);

struct xo_import_todo {
        const struct xo_point *point; /* borrowed */
        uint64_t bytes;               /* to be read */
};
/* false: there is nothing left to do.  Opens the point's disks; where they cannot be, it is left out. */
bool xo_import_todo(struct xo_import *, struct xo_import_todo *ret);
MUST_USE enum err xo_import_step(struct xo_import *, struct err_note *);
void xo_import_pass(struct xo_import *); /* that one is not put; what follows it is looked at as if it were */

struct xo_import_count {
        uint64_t n_points;       /* that were asked for */
        uint64_t n_there, n_put; /* of these: that the vault had, and that were put so far */
        uint64_t read, stored;   /* bytes */
};
struct xo_import_count xo_import_count(const struct xo_import *);

const struct xo_left *xo_import_left(const struct xo_import *,
                                     size_t *ret_n); /* borrowed until the next step */

#endif
