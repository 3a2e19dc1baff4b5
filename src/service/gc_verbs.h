// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena gc`.
 *
 * Errors: as verbs.h says.  Threads: the owner of the SR.
 */
#ifndef SERVICE_GC_VERBS_H
#define SERVICE_GC_VERBS_H

#include "verbs.h"

extern const struct verb *const gc_verbs[]; /* ended by NULL */

extern const struct verb gc_status_verb;
extern const struct verb gc_watch_verb;
extern const struct verb gc_run_verb;
extern const struct verb gc_pause_verb;
extern const struct verb gc_resume_verb;
extern const struct verb gc_limit_verb;

#endif
