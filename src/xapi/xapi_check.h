// SPDX-License-Identifier: Apache-2.0
/* Checks what a client sent against what its method declares, before any handler sees it.
 *
 * Lenient where clients are known to be: a number may come as text (XML-RPC clients send 64-bit numbers
 * so), a whole number where a real is meant.  What is left out is null.
 *
 * Errors: MESSAGE_PARAMETER_COUNT_MISMATCH, FIELD_TYPE_ERROR, HANDLE_INVALID.  Threads: any.
 */
#ifndef XAPI_XAPI_CHECK_H
#define XAPI_XAPI_CHECK_H

#include "xapi_method.h"

/* A value of that type made of what came: a new reference, or NULL where it cannot be one. */
json_t *xapi_check_value(const struct xapi_field *, const json_t *given);
/* As one parameter of a call; NULL: the call's error is set. */
json_t *xapi_check_param(struct xapi_call *, const struct xapi_param *, const json_t *given);
/* Fills call.params from the rest of call.given. */
bool xapi_check_params(struct xapi_call *);
/* The object that a reference names; false: the call's error is set.  A session is named by its secret,
 * too. */
bool xapi_check_ref(struct xapi_call *, const char *class, const char *ref, struct uuid *ret);
/* Whether a record that a client gave has all that an object of that class cannot be made without. */
bool xapi_check_required(struct xapi_call *, enum xapi_class_id, const json_t *record);

#endif
