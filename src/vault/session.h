// SPDX-License-Identifier: Apache-2.0
/* Being at work in a vault: an object that says so before anything else is done, more of them while it goes
 * on, and one at the end.  docs/format/vault.md "Who is at work".
 *
 *      session_begin(vault, VAULT_SESSION_WRITE, &session, note)
 *      session_beat(&session, note)          now and then
 *      session_is_broken(&session, &broken, note)
 *      session_end(&session, note)
 *
 * A pruner waits for whoever began before it looked, until he has been silent for its time of grace; then it
 * breaks him, and what he still writes does not count.
 *
 * Errors: those of the target.  Threads: one at a time.  Ownership: the vault outlives it.
 */
#ifndef VAULT_SESSION_H
#define VAULT_SESSION_H

#include "vault.h"

struct session {
        struct vault *vault; /* borrowed, outlives it */
        struct vault_name name;
        struct vault_session_doc doc; /* what it says of itself */
        uint64_t n_beats;             /* that were tried */
        uint64_t beat_at;             /* io's clock */
};

enum { SESSION_BEAT_SECONDS = 60 };

/* Durable, and in every listing, when it returns. */
MUST_USE enum err session_begin(struct vault *, enum vault_session_kind, struct session *ret,
                                struct err_note *);
/* Of one who reads these points (reading.h). */
MUST_USE enum err session_begin_reading(struct vault *, const struct vault_name *points, size_t n,
                                        struct session *ret, struct err_note *);
/* Where the last one is long enough ago. */
MUST_USE enum err session_beat(struct session *, struct err_note *);
/* Waits until a listing would have all that was put before. */
MUST_USE enum err session_is_broken(struct session *, bool *ret, struct err_note *);
/* By now, as far as anybody sees: without waiting. */
MUST_USE enum err session_was_broken(struct session *, bool *ret, struct err_note *);
MUST_USE enum err session_end(struct session *, struct err_note *);
void session_fini(struct session *); /* ends nothing: memory alone */

#endif
