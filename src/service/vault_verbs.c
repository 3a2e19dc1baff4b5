// SPDX-License-Identifier: Apache-2.0
#include "vault_verbs.h"

#include <stddef.h>

const struct verb *const vault_verbs[] = {
        &vault_init_verb,
        &vault_put_verb,
        &vault_list_verb,
        &vault_show_verb,
        &vault_diff_verb,
        &vault_sync_verb,
        &vault_import_xo_verb,
        &vault_export_xo_verb,
        &vault_get_verb,
        &vault_nbd_verb,
        &vault_verify_verb,
        &vault_check_verb,
        &vault_prune_verb,
        &vault_forget_verb,
        &vault_key_verb,
        NULL,
};
