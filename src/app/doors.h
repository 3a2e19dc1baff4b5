// SPDX-License-Identifier: Apache-2.0
/* The keepers of one process, one for each SR that it has: each with a door of its own (rpc_server.h), by
 * which others reach that SR.
 *
 *      doors_new(io, self, &options)
 *      doors_add(doors)                once for each SR; opened by the first call that needs it
 *      doors_know(doors, folder, k)    once it is open: calls that come by any of the doors find it
 *      doors_free(doors)               waits until the calls of others have ended, of all of them
 *
 * Errors: none.  Threads: the one that the process was started with.
 */
#ifndef APP_DOORS_H
#define APP_DOORS_H

#include "rpc_server.h"

struct doors;

/* self is copied; what it and the options point at is borrowed. */
struct doors *doors_new(struct io *, const struct sr_self *, const struct rpc_server_options *);
struct keeper *doors_add(struct doors *); /* the doors' own */
void doors_know(struct doors *, const char *folder, struct keeper *);
void doors_free(struct doors *);
DEFINE_AUTO(struct doors *, doors_free);

#endif
