// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena vhd`: files with no SR.
 *
 * Errors: as verbs.h says.  Threads: any.
 */
#ifndef SERVICE_VHD_VERBS_H
#define SERVICE_VHD_VERBS_H

#include "verbs.h"

extern const struct verb *const vhd_verbs[]; /* ended by NULL */

extern const struct verb vhd_create_verb;
extern const struct verb vhd_info_verb;
extern const struct verb vhd_tree_verb;
extern const struct verb vhd_check_verb;
extern const struct verb vhd_repair_verb;
extern const struct verb vhd_snapshot_verb;
extern const struct verb vhd_resize_verb;
extern const struct verb vhd_map_verb;
extern const struct verb vhd_convert_verb;
extern const struct verb vhd_coalesce_verb;

/* Parameters that several of them have. */
#define FILE_PARAM(text)                                                                                     \
        { .name = "file", .kind = PARAM_PATH, .flags = PARAM_POSITIONAL | PARAM_REQUIRED, .help = text }
#define FILES_PARAM(text)                                                                                    \
        {                                                                                                    \
                .name = "files", .kind = PARAM_PATH,                                                         \
                .flags = PARAM_POSITIONAL | PARAM_REQUIRED | PARAM_REPEATED, .shown = "FILE", .help = text   \
        }

#endif
