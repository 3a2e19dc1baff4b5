// SPDX-License-Identifier: Apache-2.0
/* The keepers of a process that owns several SRs: one for each, found by the SR's folder.  A call that has
 * them (verb_call.keepers) finds the SR that it names open, whichever it is.
 *
 * Errors: none.  Threads: any.
 */
#ifndef SERVICE_KEEPERS_H
#define SERVICE_KEEPERS_H

#include "keeper.h"

struct keepers;

struct keepers *keepers_new(void);
void keepers_free(struct keepers *); /* the keepers are whoever's made them */
DEFINE_AUTO(struct keepers *, keepers_free);

/* folder: canonical. */
void keepers_add(struct keepers *, const char *folder, struct keeper *);
void keepers_remove(struct keepers *, const char *folder);
struct keeper *keepers_find(struct keepers *, const char *folder); /* or NULL */

#endif
