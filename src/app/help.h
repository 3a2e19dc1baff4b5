// SPDX-License-Identifier: Apache-2.0
/* Help and man page, made from the table of verbs.
 *
 * Errors: none.  Threads: any.
 */
#ifndef APP_HELP_H
#define APP_HELP_H

#include "buf.h"
#include "verbs.h"

#define CATENA_VERSION "0.1.0"

/* Adds the text: of all (noun and verb NULL), of a noun, or of a verb. */
void help_write(struct buf *, const struct noun *, const struct verb *);
void help_write_man(struct buf *); /* catena(1), in the man macros */

#endif
