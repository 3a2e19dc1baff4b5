// SPDX-License-Identifier: Apache-2.0
/* What `xe` shows of a class: its fields, under the names that xe has for them, and fields of what these
 * refer to.
 *
 *      virtual-size            VDI.virtual_size: a field's name, with '-' for '_'
 *      sr-uuid                 VDI.SR: a reference is shown as the uuid of what it means
 *      sr-name-label           VDI.SR, then SR.name_label of that
 *      power-state             VM.power_state; "halted" for "Halted": xe's word for the value
 *
 * Errors: false, where xe has no such name.  Threads: any; nothing here changes.
 */
#ifndef XAPI_XAPI_CLI_COLUMN_H
#define XAPI_XAPI_CLI_COLUMN_H

#include <jansson.h>

#include "buf.h"
#include "vec.h"
#include "xapi_class.h"

enum { XAPI_CLI_NAME_MAX = 64 };

struct xapi_cli_column {
        char name[XAPI_CLI_NAME_MAX];
        enum xapi_class_id class;
        const struct xapi_field *field; /* borrowed, static; of that class */
        const char *further; /* borrowed, static; "host.name_label": from what field refers to; NULL: no */
};
typedef VEC(struct xapi_cli_column) xapi_cli_columns;

bool xapi_cli_column_find(enum xapi_class_id, const char *name, struct xapi_cli_column *ret);
void xapi_cli_columns_all(enum xapi_class_id, xapi_cli_columns *);

bool xapi_cli_is_map(const struct xapi_field *);
bool xapi_cli_is_set(const struct xapi_field *);
bool xapi_cli_can_set(const struct xapi_cli_column *);
/* " RW", " RO", "MRW", "SRO", …: M is a map, S a set. */
const char *xapi_cli_kind(const struct xapi_cli_column *);

/* xe's word for an enum's value, or the value. */
const char *xapi_cli_word(const struct xapi_cli_column *, const char *value);

#endif
