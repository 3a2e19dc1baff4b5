// SPDX-License-Identifier: Apache-2.0
/* Who is at work in a vault, as a pruner sees it; being at work oneself is session.h.
 *
 *      vault_sessions_list(vault, &sessions, note)
 *      vault_sessions_read(vault, &sessions, note)                       who only reads, and what
 *      vault_sessions_wait_for(vault, &sessions, &waiting)               for the others that are live now
 *      vault_sessions_wait_step(vault, &waiting, grace, &is_over, note)  … until nobody is waited for
 *
 * A session that did not say for the time of grace that it goes on is broken: what it still writes does not
 * count (put.h [P1]).  That time is measured by the clock of whoever waits, between two looks of his own: no
 * clock of another machine decides anything.
 *
 * The record that a session was broken is never removed, since its writer may wake at any time.
 *
 * Errors: those of the target; ERR_DENIED, breaking needs the admin's key.  Threads: one at a time.
 */
#ifndef VAULT_VAULT_SESSIONS_H
#define VAULT_VAULT_SESSIONS_H

#include "vault.h"

struct vault_sessions_row {
        struct vault_name name;
        bool is_there;           /* its own object */
        uint64_t n_beats, beats; /* how many of these are there; the number of the newest */
        bool is_done, is_broken;
        bool is_reader;                /* vault_sessions_read says so */
        VEC(struct vault_name) points; /* owned; a reader's */
};
struct vault_sessions {
        VEC(struct vault_sessions_row) list; /* owned, and each; ascending */
};
void vault_sessions_fini(struct vault_sessions *);
DEFINE_AUTO_IN_PLACE(struct vault_sessions, vault_sessions_fini);

MUST_USE enum err vault_sessions_list(struct vault *, struct vault_sessions *ret, struct err_note *);
/* Of those that are live: which only read, and what.  One that cannot be read is taken for a writer's. */
MUST_USE enum err vault_sessions_read(struct vault *, struct vault_sessions *, struct err_note *);
/* NULL: nothing is there of it. */
const struct vault_sessions_row *vault_sessions_find(const struct vault_sessions *,
                                                     const struct vault_name *);
/* It may put things still, and they count. */
bool vault_sessions_row_is_live(const struct vault_sessions_row *);
/* It will never seal a point any more, or whoever does is not told success; also where nothing is there of
 * it: of a session that did not end, its record stays. */
bool vault_sessions_is_over(const struct vault_sessions *, const struct vault_name *);

/* By an admin. */
MUST_USE enum err vault_sessions_break(struct vault *, const struct vault_name *, struct err_note *);
/* What those that ended left behind, but the record that they did; with_records: that too, where it is all
 * that is left.  How many objects. */
MUST_USE enum err vault_sessions_clean(struct vault *, const struct vault_sessions *, bool with_records,
                                       uint64_t *ret_n, struct err_note *);

/* ---- waiting ---- */

struct vault_sessions_waited {
        struct vault_name name;
        uint64_t beats;
        uint64_t heard_ns;   /* when that was seen first, by our clock */
        bool is_until_heard; /* not until it ends: until it says that it goes on */
};
struct vault_sessions_waiting {
        VEC(struct vault_sessions_waited) list; /* owned */
        uint64_t n_broken;                      /* by us */
};
void vault_sessions_waiting_fini(struct vault_sessions_waiting *);
DEFINE_AUTO_IN_PLACE(struct vault_sessions_waiting, vault_sessions_waiting_fini);
/* In addition to those that are waited for; not for readers. */
void vault_sessions_wait_for(struct vault *, const struct vault_sessions *, struct vault_sessions_waiting *);
void vault_sessions_wait_for_one(struct vault *, const struct vault_sessions_row *,
                                 struct vault_sessions_waiting *);
/* For all readers, until each has ended, said once that it goes on, or was broken: who is left is alive. */
void vault_sessions_wait_for_word(struct vault *, const struct vault_sessions *,
                                  struct vault_sessions_waiting *);
/* One look. */
MUST_USE enum err vault_sessions_wait_step(struct vault *, struct vault_sessions_waiting *, uint64_t grace_ns,
                                           bool *ret_is_over, struct err_note *);

#endif
