// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

const struct verb *const vhd_verbs[] = {
        &vhd_create_verb,
        &vhd_info_verb,
        &vhd_tree_verb,
        &vhd_check_verb,
        &vhd_repair_verb,
        &vhd_snapshot_verb,
        &vhd_resize_verb,
        &vhd_map_verb,
        &vhd_convert_verb,
        &vhd_coalesce_verb,
        NULL,
};
