// SPDX-License-Identifier: Apache-2.0
/* Whether a vault's objects, seals and indexes agree, without reading what is in packs: every object opens,
 * every seal is of its manifest, every pack that an index knows has its length there, every disk has its
 * root.
 *
 * Errors: those of the target.  What is wrong with the vault is a finding.  Threads: one at a time.
 */
#ifndef VAULT_VAULT_CHECK_H
#define VAULT_VAULT_CHECK_H

#include "vault.h"

struct vault_finding {
        char *object, *text; /* owned */
};
struct vault_check {
        VEC(struct vault_finding) findings; /* owned, and each */
        uint64_t n_points, n_unsealed, n_packs, bytes;
};
void vault_check_fini(struct vault_check *);
DEFINE_AUTO_IN_PLACE(struct vault_check, vault_check_fini);

MUST_USE enum err vault_check(struct vault *, struct vault_check *ret, struct err_note *);

#endif
