// SPDX-License-Identifier: Apache-2.0
/* What the two halves of config.h share: config_keys.c knows what may stand in a file, config.c what files
 * there are and what must hold of all of them together.
 *
 * Errors: none.  Threads: any.
 */
#ifndef SERVICE_CONFIG_INSIDE_H
#define SERVICE_CONFIG_INSIDE_H

#include "config.h"

void config_complain(struct config *, const char *where, const char *fmt, ...) PRINTF_LIKE(3, 4);
void config_value_fini(struct config_value *);

#endif
