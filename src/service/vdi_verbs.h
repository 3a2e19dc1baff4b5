// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena vdi`.
 *
 * Errors: as verbs.h says.  Threads: the owner of the SR.
 */
#ifndef SERVICE_VDI_VERBS_H
#define SERVICE_VDI_VERBS_H

#include "verbs.h"

extern const struct verb *const vdi_verbs[]; /* ended by NULL */

extern const struct verb vdi_create_verb;
extern const struct verb vdi_list_verb;
extern const struct verb vdi_show_verb;
extern const struct verb vdi_tree_verb;
extern const struct verb vdi_import_verb;
extern const struct verb vdi_export_verb;
extern const struct verb vdi_write_verb;
extern const struct verb vdi_snapshot_verb;
extern const struct verb vdi_clone_verb;
extern const struct verb vdi_revert_verb;
extern const struct verb vdi_delete_verb;
extern const struct verb vdi_resize_verb;
extern const struct verb vdi_copy_verb;
extern const struct verb vdi_move_verb;
extern const struct verb vdi_map_verb;
extern const struct verb vdi_diff_verb;
extern const struct verb vdi_set_verb;

#endif
