// SPDX-License-Identifier: Apache-2.0
/* Taking away what no point of a vault needs, while others write to it and prune it.
 *
 *      prune_begin(vault, &options, &prune, note)
 *      prune_step(prune, &is_over, note)             … until it is over; anything may happen between two
 *      prune_report(prune)
 *      prune_free(prune)
 *
 *   LOOK ──> TIDY ──> LET GO ──> REPACK ──> CHOOSE   is what is listed plausible?  What will
 *                                             │      never count goes, then points
 *   WAIT <──────────────────────────────────── DOOM   it is said what goes; who writes is waited for
 *    │
 *   AGAIN ──> READERS ──> DELETE ──> GONE ──> ENTRIES ──> DOOM AND REST DROPPED
 *     what is needed after all stays, and what is read
 *
 * The rules are those of docs/why/031, tried in test/model; where order matters the code names the rule:
 *
 *   [F1] a pack is deleted only while a doom record names it that was put before sessions were looked at
 *   [F2] whoever was at work then has ended, or was broken, before it is looked what is needed
 *   [F3] what some manifest needs, with a seal or without, and of which no copy is listed and indexed outside
 *        all doom records that were there before copies were listed, is not deleted
 *   [F4] a doom record goes last, a list lag after all that it names was seen to be gone; another pruner's
 *        only then, its own also where it keeps what it named
 *   [F5] a manifest without a seal goes only where its session was over a list lag before it had none
 *   [F6] where a listing is not plausible, or a sealed point cannot be read, nothing goes at all
 *   [F7] what a reader's session names (reading.h) is not let go, and no pack goes that has some of it: it is
 *        looked who reads a list lag after it was looked which points are there.  Who reads one that went all
 *        the same is waited for.  A reader who is silent for the time of grace is broken, as a writer is
 *
 * Killed at any time it leaves a vault whose points read as before; the next prune goes on.
 *
 * Errors: ERR_DENIED, no admin; ERR_CORRUPT [F6], says what; ERR_BUSY, somebody writes whose packs are not
 * listed yet, or the target does not remove: later again; ERR_CANCELLED; those of the target.
 * Threads: one at a time, and nobody else is at work in this struct vault.
 */
#ifndef VAULT_PRUNE_H
#define VAULT_PRUNE_H

#include "keep.h"
#include "vault.h"

struct prune;

struct prune_options {
        struct keep_rule keep; /* last 0: no point is let go */
        uint64_t grace_ns;     /* how long a silent session is waited for */
        unsigned fill; /* packs of which less than so many per cent are needed are repacked; 0: none */
        bool is_dry;   /* nothing is changed: only said what would go, and why */
        /* Between the parts of a step; may cancel. */
        enum err (*tick)(void *user, struct err_note *); /* borrowed; NULL: none */
        void *user;                                      /* borrowed; handed to tick */
};

struct prune_point {
        struct vault_name point;
        char *name; /* owned */
        int64_t time;
        enum keep_why why;
};
enum prune_why { PRUNE_UNNEEDED, PRUNE_COPIED, PRUNE_DOOMED_BEFORE, PRUNE_SPARSE };
const char *prune_why_text(enum prune_why);
struct prune_pack {
        struct vault_name pack;
        enum prune_why why;
        uint64_t length, needed; /* bytes; 0 where it is gone already */
        bool is_kept;            /* taken back: somebody came to need it */
};
struct prune_report {
        VEC(struct prune_point) points; /* owned, and each; all, by name and newest first */
        VEC(struct prune_pack) packs;   /* owned; that go */
        uint64_t n_let_go, n_removed, removed, n_kept, n_left, left; /* points; packs, their bytes */
        uint64_t n_repacked, repacked;                               /* packs; bytes copied */
        /* Sessions; manifests removed that will never count; objects of sessions; packs nobody can read. */
        uint64_t n_broken, n_unsealed, n_cleaned, n_damaged;
};

MUST_USE enum err prune_begin(struct vault *, const struct prune_options *, struct prune **ret,
                              struct err_note *);
MUST_USE enum err prune_step(struct prune *, bool *ret_is_over, struct err_note *);
const char *prune_doing(const struct prune *); /* what the next step is */
/* Borrowed; whole once it is over. */
const struct prune_report *prune_report(const struct prune *);
void prune_free(struct prune *);
DEFINE_AUTO(struct prune *, prune_free);

/* A point by its name, and nothing else: its packs go with the next prune. */
MUST_USE enum err prune_forget(struct vault *, const struct vault_name *point, const char *why,
                               struct err_note *);

#endif
