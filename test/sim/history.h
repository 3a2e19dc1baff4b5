// SPDX-License-Identifier: Apache-2.0
/* Random histories: what the two kinds have in common. One history is a fresh machine, a few hundred
 * operations drawn by a seed, and a model; the same seed is the same history.
 *
 *      history_chain   one disk and its layers, by disk/chain.h
 *      history_sr      many disks of one SR, by sr/sr.h
 *
 * At any operation a fault may be armed: the machine dies, or a call fails once. It meets whatever operation
 * it meets; how that ended is judged by history_ended.
 *
 * Errors: a violation is ERR_MISMATCH with a text.  Threads: one.
 */
#ifndef TEST_SIM_HISTORY_H
#define TEST_SIM_HISTORY_H

#include <stdio.h>

#include "fixture.h"
#include "history_model.h"
#include "io_sim.h"

enum { HISTORY_LAST = 50, HISTORY_LINE = 160 };

struct history {
        struct io *io; /* owned */
        struct fixture_dice dice;
        uint64_t seed;
        uint64_t n_wanted, n_done; /* operations */
        uint64_t generation;       /* of the latest write */
        bool is_tight;             /* the file system is small: no space is no surprise */
        bool has_verbs;            /* of an SR: its faults reach farther */
        bool is_armed;
        unsigned n_turns; /* changes of names or sizes until the fault is set; 0: none is to come */
        bool is_traced;

        char last[HISTORY_LAST][HISTORY_LINE]; /* a ring of operations */
        uint64_t n_last;

        struct history_count {
                uint64_t ops, crashes, kills, failures, snapshots, coalesces, verified;
                uint64_t live_begun, live_done; /* coalesces, of a disk that is written to */
                uint64_t live_made_way;         /* a verb ended them */
                uint64_t live_changes;          /* of a disk while one of its blocks moves */
                uint64_t gc_coalesces;          /* of all that were done, those by gc */
        } count;
};

void history_init(struct history *, uint64_t seed, uint64_t n_ops, bool is_traced);
void history_fini(struct history *);

uint64_t history_roll(struct history *, uint64_t sides);
bool history_chance(struct history *, unsigned of_100);
void history_say(struct history *, const char *fmt, ...) PRINTF_LIKE(2, 3); /* one operation, for the log */
void history_print_last(const struct history *);

/* ---- faults ---- */

/* Sets one, now and then, if none is set. */
void history_arm(struct history *, unsigned of_100);
void history_disarm(struct history *);

enum history_end {
        HISTORY_DONE,     /* it said success */
        HISTORY_DECLINED, /* it said success, but a fault met it */
        HISTORY_FAILED,   /* it said failure, and may: the machine works again */
        HISTORY_DIED,     /* the machine is dead */
        HISTORY_VIOLATED, /* it said failure for no reason */
};
/* Of an operation that returned err.  Ends the fault, if it was met. */
enum history_end history_ended(struct history *, enum err err, struct err_note *);

/* The dead (or living) machine restarts: power lost, or just the process killed. */
void history_restart(struct history *);

/* ---- content ---- */

/* A piece of a disk to change or to look at: mostly small and in the model's windows. */
struct history_range {
        uint64_t at, n; /* bytes */
};
struct history_range history_range(struct history *, uint64_t size, bool is_whole_sectors);
/* Fresh content for it, of a generation of its own; the caller's to free. */
uint8_t *history_fill(struct history *, struct history_range);

/* Of a range, and of all that the model looks at. */
MUST_USE enum err history_look(struct chain *, struct model_disk *, enum model_look, struct history_range,
                               struct err_note *);
MUST_USE enum err history_look_at_all(struct chain *, struct model_disk *, enum model_look,
                                      struct err_note *);

/* ---- the kinds ---- */

MUST_USE enum err history_chain(struct history *, struct err_note *);
MUST_USE enum err history_sr(struct history *, struct err_note *);

#endif
