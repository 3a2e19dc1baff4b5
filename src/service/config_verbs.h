// SPDX-License-Identifier: Apache-2.0
/* "catena config": looks at a daemon's configuration (config.h).
 *
 * Errors: those of reading; what is wrong in it is the result.  Threads: any.
 */
#ifndef SERVICE_CONFIG_VERBS_H
#define SERVICE_CONFIG_VERBS_H

#include "verbs.h"

extern const struct verb *const config_verbs[];

#endif
