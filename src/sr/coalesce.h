// SPDX-License-Identifier: Apache-2.0
/* One coalesce, of a run of nodes.  A push: their blocks move down into the run's target, then the emptied
 * nodes leave the chain, and what they held is read from the target.  A pull: what they hold is copied up
 * into the run's top, then the chain leads from the top past the others, which go.
 *
 * Invariants, at every instant and after any crash (docs/invariants.md has their tests):
 *   [C1] every visible VDI and every leased node reads the same bytes as before
 *   [C2] a file's last name goes only when it is hidden in both footers, or is the emptied leaf that its own
 *        parent is renamed over
 *   [C3] bytes are punched only after no reader can resolve to them
 *   [C4] a node of the run is written only under its claim (claim.h)
 *   [C5] no node of the run but the target gains a block
 *   [C6] what is committed is not moved again
 *
 *   CLAIMED ──> MOVING ──…──> EMPTY ──relink──> RELINKED ──unlink──┬─────────────────────> DONE
 *      │           │            │                   │              └─> PIVOTING ──pivot──> DONE
 *      └───────────┴────────────┴───────────────────┴── end, or an error ──> ENDED
 *
 * A pull never pivots, and EMPTY means that the top can do without the others.
 *
 * What has moved when it ends stays moved; the claim is given back; every chain reads as before, and the next
 * coalesce of the run goes on where this one was.  After a crash the BATs say how far it came: recovery drops
 * the claim, and finishes a relink or a pivot that had begun.
 *
 * Inner runs (the top is hidden) go on under chains that are open above them, for reading and writing.  A
 * leaf run (the top is a VDI) goes on while that VDI is written to, if it was open when the run was claimed
 * (chain_move.h); it makes way for whoever wants the VDI otherwise: it ends, its reason being that.
 *
 * A step is short; the caller decides when to take the next, so a test can put anything in between.  A step
 * that fails ends the coalesce, and the error is its reason.
 *
 * Errors: of coalesce_begin as claim.h has them, nothing is claimed then; else those of the files, in words.
 * Threads: the owner of the SR; but steps for which coalesce_needs_turn is false may be taken by any one
 * thread while the owner goes on.
 * Ownership: a coalesce is its caller's until coalesce_end, also after sr_close, which ends it.
 */
#ifndef SR_COALESCE_H
#define SR_COALESCE_H

#include "claim.h"
#include "push.h"

struct coalesce;

struct coalesce_options {
        uint64_t batch_bytes; /* of a push; 0: its default */
};

enum coalesce_state {
        COALESCE_CLAIMED,
        COALESCE_MOVING, /* batch by batch */
        COALESCE_EMPTY,  /* nothing is left above the target: the top's children get it as their parent, one a
                              step */
        COALESCE_RELINKED, /* nothing names the emptied nodes: they go, one a step, from the top down */
        COALESCE_PIVOTING, /* the target and the emptied leaf are left */
        COALESCE_DONE,
        COALESCE_ENDED, /* before it was done; coalesce_reason says why */
};
enum { COALESCE_STATES = COALESCE_ENDED + 1 };
const char *coalesce_state_name(enum coalesce_state);

/* options may be NULL. */
MUST_USE enum err coalesce_begin(struct sr *, const struct coalesce_run *, const struct coalesce_options *,
                                 struct coalesce **ret, struct err_note *);
/* How fast the next steps go; any thread, but it waits for a step that is being taken.  0: as it likes. */
void coalesce_pace(struct coalesce *, uint64_t batch_bytes, unsigned depth);
/* Whether the next step must be taken by the owner; else it touches nothing but the run's files. */
bool coalesce_needs_turn(struct coalesce *);
/* *ret_is_done: nothing is left to do.  After an error, or ended from elsewhere, each is the reason again. */
MUST_USE enum err coalesce_step(struct coalesce *, bool *ret_is_done, struct err_note *);
/* In any state; it is gone afterwards. */
void coalesce_end(struct coalesce *);
DEFINE_AUTO(struct coalesce *, coalesce_end);

struct coalesce_progress {
        enum coalesce_state state;
        enum push_phase phase; /* while MOVING; a pull has only some of them */
        const char *direction; /* borrowed, static: "push", "pull" */
        unsigned layers;       /* of the run, the target too */
        uint64_t bytes_total, bytes_done;
        uint64_t started_ns; /* io_now_ns */
};
/* As the last step left it; any thread, without waiting for a step that is being taken. */
void coalesce_progress_of(struct coalesce *, struct coalesce_progress *ret);
const struct coalesce_run *coalesce_run_of(const struct coalesce *);
/* Code ERR_NONE: none.  Lives as long as the coalesce. */
const struct err_note *coalesce_reason(const struct coalesce *);

/* ---- for the verbs of an SR ---- */

/* vdi is wanted for what verb says: a coalesce of it as a leaf ends.  Refreshes where it does. */
MUST_USE enum err coalesce_make_way(struct sr *, const struct uuid *vdi, const char *verb, struct err_note *);
/* Coalesces of runs that nothing needs any more end: they are garbage.  sr was refreshed; and is again where
 * *ret_did. */
MUST_USE enum err coalesce_end_unneeded(struct sr *, bool *ret_did, struct err_note *);
/* Whether new children may be made of this node: not of one that is about to go. */
bool coalesce_may_attach(const struct sr *, const struct uuid *base);
/* The coalesce that has this intent is running. */
bool coalesce_is_running(const struct sr *, const struct intent *);
/* All of them end: the SR closes. */
void coalesce_end_all(struct sr *);

#endif
