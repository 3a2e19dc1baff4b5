// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena sr`.
 *
 * Errors: as verbs.h says.  Threads: the owner of the SR.
 */
#ifndef SERVICE_SR_VERBS_H
#define SERVICE_SR_VERBS_H

#include "verbs.h"

extern const struct verb *const sr_verbs[]; /* ended by NULL */

extern const struct verb sr_create_verb;
extern const struct verb sr_adopt_verb;
extern const struct verb sr_release_verb;
extern const struct verb sr_forget_verb;
extern const struct verb sr_list_verb;
extern const struct verb sr_show_verb;
extern const struct verb sr_set_verb;
extern const struct verb sr_scan_verb;
extern const struct verb sr_check_verb;
extern const struct verb sr_health_verb;

#endif
