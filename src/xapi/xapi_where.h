// SPDX-License-Identifier: Apache-2.0
/* The language of get_all_records_where: which records a client wants.
 *
 *      field "is_a_template" = "false" and not (field "power_state" = "Halted" or field "name_label" = 'x')
 *      true
 *
 * All values are compared as text: numbers in decimal, booleans as true and false, references and times as
 * they are, sets and maps as JSON.  "or" binds weakest, then "and", then "not"; words are told apart by
 * case as little as clients do.  A field that a record has not is no error: it equals nothing.
 *
 * Errors: ERR_INVALID says where it is not understood; ERR_TOO_LARGE beyond WHERE_DEPTH_MAX parentheses and
 * nots. Threads: any.
 */
#ifndef XAPI_XAPI_WHERE_H
#define XAPI_XAPI_WHERE_H

#include <stdbool.h>

#include <jansson.h>

#include "cleanup.h"
#include "err.h"

enum { WHERE_DEPTH_MAX = 64, WHERE_NODES_MAX = 4096 };

struct xapi_where;

MUST_USE enum err xapi_where_parse(const char *text, struct xapi_where **ret, struct err_note *);
void xapi_where_free(struct xapi_where *);
DEFINE_AUTO(struct xapi_where *, xapi_where_free);

bool xapi_where_matches(const struct xapi_where *, const json_t *record);

#endif
