// SPDX-License-Identifier: Apache-2.0
/* The verbs of `catena token`: programs' ways in to a daemon (auth.h).  Who reaches its control socket may
 * make them.
 *
 * A token is in the result of `create`, and nowhere else: in no other result, no log, no error.
 *
 * Errors: those of auth.h.  Threads: any.
 */
#ifndef SERVICE_TOKEN_VERBS_H
#define SERVICE_TOKEN_VERBS_H

#include "verbs.h"

extern const struct verb *const token_verbs[]; /* ended by NULL */

#endif
