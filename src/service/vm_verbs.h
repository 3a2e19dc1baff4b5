// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena vm`.  All of them work on what a daemon has, and need one.
 *
 * Errors: as verbs.h says; ERR_UNSUPPORTED outside of a daemon.  Threads: any.
 */
#ifndef SERVICE_VM_VERBS_H
#define SERVICE_VM_VERBS_H

#include "verbs.h"

extern const struct verb *const vm_verbs[]; /* ended by NULL */

#endif
