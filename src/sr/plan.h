// SPDX-License-Identifier: Apache-2.0
/* What there is to do in an SR, in which order, and why the rest waits.  Pure: looks at nothing but what it
 * is handed, changes nothing, so it is tested as tables.
 *
 *      plan_find   nodes -> garbage, and runs that one coalesce can take in one pass
 *      (the caller prices each candidate: what it would move)
 *      plan_rank   prices, room -> direction, state, reason, order
 *
 * Garbage is a hidden node that has nothing above it but garbage.  A run is hidden nodes, each the only child
 * of the one below; its lowest node is the target of a push, its top that of a pull.  The top may have many
 * children, or be visible: a leaf (of a push the target then takes its name), or, for a pull alone, one that
 * has children.  Nodes that a coalesce may not touch cut a run: what is left
 * of it on both sides are candidates of their own, and what is cut out is one that waits, with its reason.
 *
 * Promises:
 *   [C2] garbage is hidden; nothing but garbage stands on it
 *   [C4] a candidate that is ready has no node that is leased, open by itself, named by another file, or of
 *        another coalesce
 *   of one tree at most one candidate is ready or running
 *   garbage comes before all else, what stands on it first; then what runs, then what is ready, by benefit
 *   per byte moved; equal ones by uuid, so that one input has one plan
 *
 * Units: bytes.  Errors: none.  Threads: any.
 * Ownership: what nodes and policy point at is borrowed for the call; a plan holds numbers and texts of its
 * own.
 */
#ifndef SR_PLAN_H
#define SR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image.h"
#include "uuid.h"
#include "vec.h"

#define PLAN_NO_PARENT SIZE_MAX

enum plan_open { PLAN_CLOSED, PLAN_OPEN_TO_READ, PLAN_OPEN_TO_WRITE };

struct plan_node {
        struct uuid uuid;
        size_t parent; /* its place in the array, or PLAN_NO_PARENT */
        enum image_kind kind;
        bool is_hidden;
        bool is_half_hidden;   /* one footer says so, the other does not yet */
        bool is_kept;          /* hidden only while others stand on it (a raw disk): never garbage */
        bool has_another_name; /* its file has more than one link */
        bool is_in_change;     /* an unfinished verb names it */
        unsigned n_claims;     /* files that name it as their parent, damaged and unfinished ones too */
        uint64_t size;         /* of the disk */
        uint64_t allocated;    /* that its file takes */
        const char *leased_by; /* borrowed; NULL: nobody */
        enum plan_open open;   /* by itself: chains of what stands on it do not count */
        const char *opened_by; /* borrowed; may be NULL */
        const char *error;     /* borrowed; NULL: it can be read */
        const char *held;      /* borrowed; what else keeps it as it is, in words; NULL: nothing */
        unsigned claimed_by;   /* the coalesce that has it, from 1; 0: none */
};

/* What went wrong in a tree and is not to be tried again yet. */
struct plan_failure {
        struct uuid tree; /* its root */
        const char *text; /* borrowed */
        uint64_t again_in_ns;
        bool is_wait; /* nothing is wrong: somebody was in the way */
};

struct plan_policy {
        bool is_paused;
        const char *shut; /* borrowed; why coalesces may not run now; NULL: they may */
        bool can_punch;   /* holes can be made: what was moved gives its space back batch by batch */
        bool can_pull;
        bool can_go_live;     /* a leaf may be open for writing while it is emptied */
        uint64_t batch_bytes; /* of a push */
        uint64_t free_bytes;  /* that coalesces may use */
        const char *unknown;  /* borrowed; a file of which nobody can tell whose child it is; NULL: none */
        const struct plan_failure *failures; /* borrowed */
        size_t n_failures;
};

/* What the two directions would move and newly allocate: filled by the caller between find and rank. */
struct plan_price {
        uint64_t push_bytes, push_new_blocks;
        uint64_t pull_bytes, pull_new_blocks;
        bool may_pull; /* none of the lower nodes has all blocks always (raw, fixed) */
};

enum plan_kind { PLAN_GARBAGE, PLAN_COALESCE };
enum plan_direction { PLAN_PUSH, PLAN_PULL };
enum plan_state { PLAN_RUNNING, PLAN_READY, PLAN_FAILED, PLAN_WAITING };

const char *plan_direction_name(enum plan_direction); /* "push" */
const char *plan_state_name(enum plan_state);         /* "running" */

enum { PLAN_REASON_SIZE = 320 };

struct plan_candidate {
        enum plan_kind kind;
        VEC(size_t) run;     /* owned; places of nodes, from the target upwards; garbage: one */
        size_t tree;         /* place of the root */
        bool is_leaf;        /* the top is visible: a push ends in a pivot */
        bool only_pull;      /* it has children too */
        unsigned claimed_by; /* the coalesce that runs it */
        unsigned deepest;    /* layers of the deepest chain through it */

        struct plan_price price;     /* the caller's */
        struct err_note price_error; /* the caller's; code ERR_NONE: price holds */

        enum plan_direction direction;
        uint64_t bytes_total; /* to move */
        uint64_t space_bytes; /* that must be free at the worst moment */
        uint64_t freed_bytes; /* when it is done */
        double benefit;       /* per byte; for ordering only */
        enum plan_state state;
        bool is_shut;                  /* it waits for nothing but what policy.shut says */
        char reason[PLAN_REASON_SIZE]; /* of what fails or waits; "" else */
};

struct plan {
        VEC(struct plan_candidate) list; /* owned, and the run of each */
};
void plan_fini(struct plan *);
DEFINE_AUTO_IN_PLACE(struct plan, plan_fini);

/* Every candidate there is, not yet in order. */
void plan_find(const struct plan_node *nodes, size_t n, const struct plan_policy *, struct plan *ret);
/* Decides on what was found and priced; nodes and policy as plan_find had them. */
void plan_rank(struct plan *, const struct plan_node *nodes, const struct plan_policy *);

#endif
