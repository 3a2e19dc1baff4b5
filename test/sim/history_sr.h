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

struct world {
        struct history *h; /* borrowed */
        struct images_options images;
        struct sr *sr;                /* owned; NULL while closed */
        VEC(struct model_vdi *) vdis; /* owned, and each */
        struct pending pending;
        unsigned n_names; /* given so far */
};

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

#endif
