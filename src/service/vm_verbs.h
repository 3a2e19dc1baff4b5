// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena vm`.  All of them work on what a daemon has, and need one.
 *
 * Errors: as verbs.h says; ERR_UNSUPPORTED outside of a daemon.  Threads: any.
 */
#ifndef SERVICE_VM_VERBS_H
#define SERVICE_VM_VERBS_H

#include "verbs.h"

extern const struct verb *const vm_verbs[]; /* ended by NULL */

/* ---- for their files ---- */

extern const struct verb vm_export_verb, vm_import_verb;

/* By a parameter that is a VM's uuid or name. */
MUST_USE enum err vm_call_find(struct verb_call *, const char *param, struct uuid *ret, struct err_note *);
/* By one that is an SR of this daemon's: its directory, name or uuid. */
MUST_USE enum err vm_call_find_sr(struct verb_call *, const char *param, struct uuid *ret, struct err_note *);

#endif
