// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena vault`: backups of disks, with or without an SR.
 *
 * Errors: as verbs.h says.  Threads: any.
 */
#ifndef SERVICE_VAULT_VERBS_H
#define SERVICE_VAULT_VERBS_H

#include "verbs.h"

extern const struct verb *const vault_verbs[]; /* ended by NULL */

extern const struct verb vault_export_xo_verb;
extern const struct verb vault_import_xo_verb;
extern const struct verb vault_init_verb;
extern const struct verb vault_put_verb;
extern const struct verb vault_get_verb;
extern const struct verb vault_list_verb;
extern const struct verb vault_nbd_verb;
extern const struct verb vault_diff_verb;
extern const struct verb vault_sync_verb;
extern const struct verb vault_show_verb;
extern const struct verb vault_prune_verb;
extern const struct verb vault_forget_verb;
extern const struct verb vault_check_verb;
extern const struct verb vault_key_verb;
extern const struct verb vault_verify_verb;

#endif
