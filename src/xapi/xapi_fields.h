// SPDX-License-Identifier: Apache-2.0
/* What every class can do, by its fields: get_record, get_all, get_all_records, get_all_records_where,
 * get_by_uuid, get_by_name_label, get_<field>; and of what clients may set: set_<field>, add_to_<field> and
 * remove_from_<field> of maps, add_<field> and remove_<field> of sets.
 *
 * Sessions cannot be listed, only looked at by who has one.  What the disks' folder remembers (a VDI's
 * tags) is handed on there; what follows from it (sm_config["vhd-parent"]) stays as it is, whatever a
 * client sets.
 *
 * Errors: UUID_INVALID, MAP_DUPLICATE_KEY, HANDLE_INVALID, and those of xapi_where.h.  Threads: any.
 */
#ifndef XAPI_XAPI_FIELDS_H
#define XAPI_XAPI_FIELDS_H

#include "xapi_method.h"

/* The method behind "VDI." ; NULL: there is none.  *ret_field: which it is about, or NULL. */
const struct xapi_method *xapi_fields_find(enum xapi_class_id, const char *verb,
                                           const struct xapi_field **ret_field);
/* Tells each name. */
void xapi_fields_each(enum xapi_class_id, void (*tell)(void *user, const char *name), void *user);

/* The record of that object, or the call's error and NULL; a new reference. */
json_t *xapi_fields_record(struct xapi_call *, enum xapi_class_id, const struct uuid *);
/* Sets one field of one object, durably; takes value. */
bool xapi_fields_set(struct xapi_call *, enum xapi_class_id, const struct uuid *, const char *name,
                     json_t *value);

#endif
