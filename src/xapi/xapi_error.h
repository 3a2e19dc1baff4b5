// SPDX-License-Identifier: Apache-2.0
/* The XenAPI's errors: a code and its parameters, all text.
 *
 *      return xapi_fail(call, "HANDLE_INVALID", "VDI", ref, NULL);
 *
 * Our own codes become theirs in one place, xapi_fail_of: what they mean depends on what was being done to
 * what.
 *
 * Errors: that is what it makes; each function returns false.  Threads: the call's.
 */
#ifndef XAPI_XAPI_ERROR_H
#define XAPI_XAPI_ERROR_H

#include "err.h"
#include "xapi_call.h"

/* Parameters as text, ended by NULL; the first error of a call stays. */
bool xapi_fail(struct xapi_call *, const char *code, ...) __attribute__((sentinel));

bool xapi_fail_handle(struct xapi_call *, const char *class, const char *ref);
bool xapi_fail_type(struct xapi_call *, const char *name);
bool xapi_fail_value(struct xapi_call *, const char *name, const char *value, const char *why);
bool xapi_fail_not_allowed(struct xapi_call *, const char *why);

/* What a verb or the SR said.  class and uuid: of what was worked on; operation: as clients know it,
 * "destroy". */
bool xapi_fail_of(struct xapi_call *, const struct err_note *, enum xapi_class_id class,
                  const struct uuid *uuid, const char *operation);

#endif
