// SPDX-License-Identifier: Apache-2.0
/* What a verb is about to do to names, footers or a BAT, written durable before its first step and dropped
 * after its last, so that the owner's next open undoes or finishes what a crash cut short (recover.h).
 *
 * Errors: those of the store; ERR_CORRUPT for one that cannot be read: then nothing may be changed before it
 * is looked at. Threads: the owner of the SR.  Ownership: an intent that was read is the caller's, released
 * by its fini.
 */
#ifndef SR_INTENT_H
#define SR_INTENT_H

#include "buf.h"
#include "catalog.h"
#include "image.h"

enum intent_kind {
        INTENT_PIVOT,  /* see pivot.h: the prepared file takes vdi's name, what had it is hidden as `other` */
        INTENT_NODE,   /* see cut.h: new_node, prepared, gets its name; only together with others */
        INTENT_RESIZE, /* plan is vhd_resize's */
        /* The three of a coalesce, one after the other under one uuid: nodes are all of the run, from the
         * target up, vdi is its top, other its target. */
        INTENT_COALESCE, /* see claim.h: blocks may be on their way */
        INTENT_RELINK, /* see relink.h: the run is emptied, vdi's children are given other as their parent */
        INTENT_LEAF_PIVOT, /* see leaf_pivot.h: other takes the name of vdi, which is emptied */
        /* The two of one that pulls, likewise. */
        INTENT_PULL,       /* see claim.h: blocks may be on their way up */
        INTENT_RELINK_TOP, /* see relink.h: vdi holds all of the run, and is given other's parent */
        /* see sr_move.h: vdi is, or is about to be, of the SR `other` in the folder `where` */
        INTENT_MOVE,
};

struct intent {
        struct uuid uuid;
        enum intent_kind kind;
        struct uuid vdi;
        enum image_kind vdi_kind; /* as it was before */
        struct uuid other;
        struct uuid new_node; /* null: none */
        struct uuid together; /* of pivots and nodes that happen all or none (cut.h); null: alone */
        bool has_row;
        struct vdi_row row; /* to be put when it is finished */
        struct buf plan;
        VEC(struct uuid) nodes; /* owned */
        char *where;            /* owned; NULL: of no other folder */
};
bool intent_is_of_coalesce(const struct intent *);
bool intent_names(const struct intent *, const struct uuid *node); /* in any part */
void intent_fini(struct intent *);
DEFINE_AUTO_IN_PLACE(struct intent, intent_fini);

struct intents {
        VEC(struct intent) list; /* owned, and what each holds */
};
void intents_fini(struct intents *);
DEFINE_AUTO_IN_PLACE(struct intents, intents_fini);

MUST_USE enum err intents_read(struct catalog *, struct intents *ret, struct err_note *);
MUST_USE enum err intent_put(struct store_change *, const struct intent *, struct err_note *);
MUST_USE enum err intent_drop(struct store_change *, const struct uuid *, struct err_note *);

#endif
