// SPDX-License-Identifier: Apache-2.0
/* Histories of an SR: the machine, what is open, and the model of which VDIs there are.
 *
 * A verb that did not return, or that failed, is pending: what it would have made may be there or not, old or
 * new and nothing else; catalog_settle sees which.
 *
 * Errors: ERR_MISMATCH, a violation.  Threads: one.  Ownership: a world owns all that it points to.
 */
#ifndef TEST_SIM_HISTORY_SR_H
#define TEST_SIM_HISTORY_SR_H

#include "buf.h"
#include "coalesce.h"
#include "gc.h"
#include "history.h"
#include "sr_state.h"

enum { VDI_NAME_SIZE = 24 };

struct model_vdi {
        struct uuid uuid;
        char name[VDI_NAME_SIZE];
        bool is_snapshot;
        struct uuid snapshot_of;
        struct model_disk disk;
        struct chain *chain; /* owned; open for writing, a snapshot for reading; or NULL */
        struct uuid lease;   /* null: none */
};

enum pending_kind {
        PENDING_NONE,
        PENDING_NEW,
        PENDING_DELETE,
        PENDING_REVERT,
        PENDING_RESIZE,
        PENDING_RENAME
};

struct pending {
        enum pending_kind kind;
        struct model_vdi
                vdi; /* NEW: as it would be, without a uuid; its disk is owned. Else: name, and uuid */
        struct uuid snapshot; /* REVERT */
        uint64_t size;        /* RESIZE */
};

enum { RUN_MAX = 4 };

struct running {
        struct coalesce *coalesce; /* owned */
        bool may_fail;             /* a fault met it in a step that was not yet told of */
        bool is_live;              /* of a disk that is written to */
        uint32_t held[RUN_MAX];    /* live: a bit for each block that a layer has, from the top down */
};

struct world {
        struct history *h; /* borrowed */
        struct images_options images;
        struct sr *sr;                /* owned; NULL while closed */
        struct gc *gc;                /* owned; of sr; or NULL */
        VEC(struct model_vdi *) vdis; /* owned, and each */
        VEC(struct running) running;  /* owned, and each coalesce */
        struct pending pending;
        struct uuid ending; /* a lease whose end was not acknowledged; or null */
        unsigned n_names;   /* given so far */
};

/* How an operation ended that may have met a fault; the world is whole again afterwards.  *ret_done: it is as
 * it said. */
MUST_USE enum err world_ended(struct world *, enum err, bool *ret_done, struct err_note *);

struct model_vdi *model_vdi_find(struct world *, const struct uuid *);     /* or NULL */
struct model_vdi *model_vdi_add(struct world *, const struct model_vdi *); /* takes its disk */
void model_vdi_drop(struct world *, struct model_vdi *);
void pending_end(struct world *); /* it is not pending any more */

/* Compares the SR's list with the model's, and settles what is pending. The SR was recovered and scanned. */
MUST_USE enum err model_settle(struct world *, struct err_note *);
/* What each closed VDI reads as; of those that were written and not flushed, what a writer's open finds is
 * what stays. */
MUST_USE enum err model_look_at_vdis(struct world *, struct err_note *);
/* No file that nothing explains: nodes, and what the catalog keeps. After a collection of garbage. */
MUST_USE enum err model_check_files(struct world *, struct err_note *);

/* Leases last until they are ended.  One that was not acknowledged may be there. */
MUST_USE enum err model_settle_leases(struct world *, struct err_note *);
/* Name, size and inode of each file of the SR's folder. */
MUST_USE enum err model_list_files(struct world *, struct buf *ret, struct err_note *);

/* ---- coalesces, of which some run at a time ---- */

MUST_USE enum err history_coalesce_begin(struct world *, struct err_note *);
MUST_USE enum err history_coalesce_step(struct world *, struct err_note *); /* some steps of one */
MUST_USE enum err history_coalesce_end(struct world *, struct err_note *);
void history_coalesces_end(struct world *); /* all of them */
MUST_USE enum err history_gc_step(struct world *,
                                  struct err_note *); /* some, of one that is made if need be */
MUST_USE enum err history_gc_end(struct world *, struct err_note *);
void history_gc_free(struct world *);
/* [C5] no layer above a target has a block that it did not have before. */
MUST_USE enum err history_coalesces_check(struct world *, struct err_note *);

#endif
