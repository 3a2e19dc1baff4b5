// SPDX-License-Identifier: Apache-2.0
/* What the host itself says about an object, for whoever looks later: a message of the XenAPI.
 *
 * Errors: one that cannot be kept is lost; so is one that is there already, in the same words.  Threads: any.
 */
#ifndef XAPI_XAPI_MESSAGE_H
#define XAPI_XAPI_MESSAGE_H

#include "host.h"

struct xapi_note {
        const char *name;     /* borrowed, as all here; "COALESCE_FAILED" */
        json_t *priority;     /* borrowed; 1 is the highest, 5 the lowest */
        const char *cls;      /* borrowed; "SR" */
        const char *obj_uuid; /* borrowed */
        const char *body;     /* borrowed */
};
void xapi_message_leave(struct host *, const struct xapi_note *);

#endif
