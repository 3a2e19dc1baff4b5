// SPDX-License-Identifier: Apache-2.0
/* What is known to be damaged in a vault: objects that verify puts, so that nobody relies on what they name.
 *
 *      taints_read(vault, &taint, note)              of all that count, together
 *      taints_use(vault, note)                       likewise, told to the vault's blobs
 *      taints_replace(vault, &old, &new, note)       by whoever has looked again
 *
 * A blob that is named does not count (blobs.h): whoever puts its content stores it anew, and readers find
 * that copy first.  A point that is named is nobody's parent.  An object that another one was put instead of
 * counts no more, whether or not it could be removed.
 *
 * Errors: those of the target; ERR_DENIED, a key that may only read.  One that is damaged itself is passed
 * over: verify says so of every object.
 * Threads: any; the vault's blobs as that says.  Ownership: the caller lets vault_taint_fini have what is
 * read.
 */
#ifndef VAULT_TAINTS_H
#define VAULT_TAINTS_H

#include "vault.h"

/* instead_of: all that are there, counting or not, which whoever replaces them names. */
MUST_USE enum err taints_read(struct vault *, struct vault_taint *ret, struct err_note *);
MUST_USE enum err taints_use(struct vault *, struct err_note *);
bool taint_has_point(const struct vault_taint *, const struct vault_name *);
/* Nothing is put where both say the same.  Objects that another process put meanwhile stay. */
MUST_USE enum err taints_replace(struct vault *, const struct vault_taint *old, struct vault_taint *new,
                                 struct err_note *);

#endif
