// SPDX-License-Identifier: Apache-2.0
/* Dice of the simulated machine, and what a crash keeps of what was not synced.
 *
 * All of it follows from a seed.  A crash has a style, chosen by seed % CRASH_STYLES so that any run of
 * consecutive seeds meets each of them; within a style the rest of the seed decides.
 *
 * Errors: none.  Threads: its owner's.
 */
#ifndef IO_SIM_DICE_H
#define IO_SIM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_dice {
        uint64_t state;
};

uint64_t sim_hash(uint64_t a, uint64_t b);
uint64_t sim_roll(struct sim_dice *);
uint64_t sim_below(struct sim_dice *, uint64_t n); /* 0 … n - 1; n > 0 */
void sim_fill(struct sim_dice *, void *ret, size_t n);

/* How likely something is kept, of SIM_ALWAYS. */
enum { SIM_NEVER = 0, SIM_ALWAYS = 256 };
bool sim_chance(struct sim_dice *, unsigned of_256);

enum crash_style {
        CRASH_LOSES_ALL,
        CRASH_KEEPS_ALL,
        CRASH_KEEPS_NAMES,  /* and no bytes: names that point at nothing */
        CRASH_KEEPS_SIZES,  /* and names, and no bytes: files full of zeros */
        CRASH_KEEPS_BYTES,  /* and no names */
        CRASH_KEEPS_LAST,   /* only the latest few changes: whatever relied on the order of earlier ones shows
                            */
        CRASH_KEEPS_FIRST,  /* all up to some change: the order of a journal */
        CRASH_BY_OWNER,     /* each file's bytes, each directory's names: all or nothing */
        CRASH_BY_CHANGE,    /* each change: all or nothing */
        CRASH_TEARS,        /* each sector by itself, at some density */
        CRASH_LOSES_A_NAME, /* all but one change of names: whatever relied on that one shows */
        CRASH_STYLES,
};

struct sim_crash {
        enum crash_style style;
        struct sim_dice dice;
        uint64_t salt;
        uint64_t limit; /* CRASH_KEEPS_LAST, _FIRST: a sequence number */
        uint64_t turn;  /* CRASH_LOSES_A_NAME: which, counted from the latest, and round again */
        unsigned density;
};

/* first … last: the sequence numbers of what is not synced. */
void sim_crash_init(struct sim_crash *, uint64_t seed, uint64_t first, uint64_t last);

enum crash_part { CRASH_NAME, CRASH_SIZE, CRASH_BYTES };

/* How likely that part of a change (each sector of its bytes) is kept.  owner: the file's inode, the name's
 * directory. */
unsigned sim_crash_chance(struct sim_crash *, enum crash_part, uint64_t owner, uint64_t sequence);

#endif
