// SPDX-License-Identifier: Apache-2.0
/* A target in memory, as nasty as target.h allows; all of it follows from a seed.
 *
 * A struct target_sim is what lasts, as a bucket does: it outlives the targets opened on it, of which there
 * may be many at once (writers, pruners), and all of them see the same.  Its weather:
 *
 *   - what was put or removed shows in listings only after some more looks
 *   - a put that succeeded comes again later, also after its object was removed
 *   - a remove that succeeded comes late, or never
 *   - calls fail; a put or remove that failed did not happen, happened, or happens later
 *
 * Time is counted in calls.  Faults are set as in store_sim.h: calls of all targets are counted together.
 *
 * Errors: those asked for, with a text that says so.  Threads: any; with several at once the order of their
 * calls is the machine's, and so what happens is no longer the seed's alone.
 */
#ifndef VAULT_TARGET_SIM_H
#define VAULT_TARGET_SIM_H

#include "target.h"

struct target_sim;

struct target_sim_weather {
        unsigned list_lag; /* looks */
        unsigned late;     /* calls that what comes late takes at most; 0: 20 */
        /* of a thousand */
        unsigned repeats, late_removes, lost_removes, errors;
};

MUST_USE struct target_sim *target_sim_new(uint64_t seed); /* in fine weather */
/* With the same objects, and what is under way; without faults. */
MUST_USE struct target_sim *target_sim_fork(struct target_sim *);
void target_sim_free(struct target_sim *); /* its targets were closed before */
DEFINE_AUTO(struct target_sim *, target_sim_free);

struct target *target_sim_open(struct target_sim *);
void target_sim_set_weather(struct target_sim *, const struct target_sim_weather *);
/* All that is under way happens now, and listings are true. */
void target_sim_settle(struct target_sim *);

struct target_sim_count {
        uint64_t calls, changes; /* changes: puts and removes */
        uint64_t lists, reads, bytes_read, bytes_put;
};
struct target_sim_count target_sim_count(struct target_sim *);

/* The nth call from now (1: the next) fails; after_effect: only once it had its effect.  0 takes it back. */
void target_sim_fail_at(struct target_sim *, uint64_t n, enum err, bool after_effect);
/* The nth change from now, and so do all calls after it until the restart: as if whoever calls died. */
void target_sim_die_at(struct target_sim *, uint64_t n, bool after_effect);
bool target_sim_is_dead(struct target_sim *);
void target_sim_restart(struct target_sim *);

/* What is there, whatever listings say: the nth object by name; NULL behind the last.  Borrowed until the
 * next call. */
const char *target_sim_name(struct target_sim *, size_t n);
/* Damage: bits of one byte change.  False: there is no such byte. */
MUST_USE bool target_sim_flip(struct target_sim *, const char *name, uint64_t at, uint8_t bits);

#endif
