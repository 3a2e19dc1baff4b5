// SPDX-License-Identifier: Apache-2.0
/* A store in memory: the fast maker for the tests of what stands above.
 *
 * A struct store_sim is what lasts, as a disk would: it outlives the stores opened on it, one at a time, and
 * what they committed is there for the next.  It can be told to fail a call or to crash in one:
 *
 *      store_sim_crash_at(sim, 7, true);   the seventh call from now takes effect, and nobody hears of it
 *      ... run until calls fail, close the store ...
 *      store_sim_restart(sim);             what was not committed is gone
 *
 * Calls are counted that could fail in a real store: open, get, each, check, begin, put, delete, their
 * conditional kinds, and commit.
 *
 * Errors: those asked for, with a text that says so.  Threads: one at a time.
 */
#ifndef STORE_STORE_SIM_H
#define STORE_STORE_SIM_H

#include "store.h"

struct store_sim;

MUST_USE struct store_sim *store_sim_new(const char *name);
void store_sim_free(struct store_sim *); /* its store was closed before */
DEFINE_AUTO(struct store_sim *, store_sim_free);

/* flags: enum store_flags */
MUST_USE enum err store_sim_open(struct store_sim *, unsigned flags, struct store **ret, struct err_note *);

uint64_t store_sim_calls(const struct store_sim *); /* made so far */

/* The nth call from now (1: the next) fails with err; after_effect: only once it had its effect, which
 * matters where it is a commit.  0 takes the order back. */
void store_sim_fail_at(struct store_sim *, uint64_t n, enum err err, bool after_effect);

/* The same, and so do all calls after it until the restart. */
void store_sim_crash_at(struct store_sim *, uint64_t n, bool after_effect);
bool store_sim_is_dead(const struct store_sim *);
void store_sim_restart(struct store_sim *); /* its store was closed before */

#endif
