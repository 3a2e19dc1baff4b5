// SPDX-License-Identifier: Apache-2.0
/* Which host and pool a daemon is: the two objects of which there is one each, made at the first start.
 *
 * Errors: those of objects.h.  Threads: any.
 */
#ifndef APP_HOST_RECORDS_H
#define APP_HOST_RECORDS_H

#include "objects.h"

/* name, address: what they are called now. */
MUST_USE enum err host_records_find(struct io *, struct objects *, const char *name, const char *address,
                                    struct uuid *ret_host, struct uuid *ret_pool, struct err_note *);

#endif
