// SPDX-License-Identifier: Apache-2.0
/* The names of a vault's objects on its target.  docs/format/vault.md "Objects".
 *
 * Errors: parsing says whether the name is one.  Threads: any.
 */
#ifndef VAULT_VAULT_PATH_H
#define VAULT_VAULT_PATH_H

#include "target.h"
#include "vault_object.h"

/* "packs/3f/3f…", "points/….ok"; the kind decides the folder. */
struct vault_path {
        char s[TARGET_NAME_MAX + 1];
};
struct vault_path vault_path_of(enum vault_object_kind, const struct vault_name *);
struct vault_path vault_pack_path(const struct vault_name *);
/* What is behind the last '/', where that is a name. */
MUST_USE bool vault_path_parse(const char *path, struct vault_name *ret);

#endif
