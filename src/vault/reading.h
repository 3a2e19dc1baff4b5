// SPDX-License-Identifier: Apache-2.0
/* Reading points for long, so that no prune takes away meanwhile what they need.
 *
 *      reading_begin(vault, names, n, &reading, note)     before the points' manifests are relied on
 *      reading_go_on(&reading)                            now and then: says that it goes on
 *      reading_end(&reading)
 *
 * Nobody who prunes lets a point go that is named, or deletes a pack that has some of it (prune.h [F7]).
 *
 *   [R1] the session is in every listing before anything else is looked at
 *   [R2] then the points are looked for: one that a prune took away by then is told of
 *   [R3] then packs are listed: whatever is deleted later holds nothing that is read
 *
 * Who cannot put a session reads all the same, unprotected: a vault that is full, or that may only be read,
 * is restored from like any other.  So does whom a prune took for dead, because it heard nothing of him for
 * its time of grace.  What went then is an error of the read that wants it, never other bytes.
 *
 * Errors: ERR_NOT_FOUND, a point that was let go; those of the target.  Threads: one at a time.
 * Ownership: the vault outlives it.
 */
#ifndef VAULT_READING_H
#define VAULT_READING_H

#include "session.h"

struct reading {
        struct session session;
        bool is_held;   /* there is a session: others know */
        bool is_broken; /* a prune took us for dead */
};

/* [R1] alone: for whoever lists packs next, and takes a point that is gone for one that was let go. */
void reading_hold(struct vault *, const struct vault_name *points, size_t n, struct reading *ret);
/* [R2] of one point, any time later. */
MUST_USE enum err reading_look(struct vault *, const struct vault_name *point, struct err_note *);
MUST_USE enum err reading_begin(struct vault *, const struct vault_name *points, size_t n,
                                struct reading *ret, struct err_note *);
void reading_go_on(struct reading *);
/* Also where it was never begun. */
void reading_end(struct reading *);
DEFINE_AUTO_IN_PLACE(struct reading, reading_end);

#endif
