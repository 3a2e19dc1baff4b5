// SPDX-License-Identifier: Apache-2.0
/* Values as `xe` shows them and takes them.
 *
 *      uuid ( RO)                : 0b7c…            the first field begins the line
 *                name-label ( RW): web              the others end at the colon
 *              other-config (MRW): a: 1; b: 2
 *
 * References are uuids; one to nothing is "<not in database>".
 *
 * Errors: NULL, where the text is no value of the field.  Threads: as xapi_cli.h.
 */
#ifndef XAPI_XAPI_CLI_PRINT_H
#define XAPI_XAPI_CLI_PRINT_H

#include "xapi_cli_column.h"

struct xapi_cli;

char *xapi_cli_text(const struct xapi_field *, const json_t *value); /* the caller's to free */
json_t *xapi_cli_value(const struct xapi_field *, const char *text); /* a new reference */

/* What the column says of a record of its class; the caller's to free. */
char *xapi_cli_shown(struct xapi_cli *, const struct xapi_cli_column *, const json_t *record);
void xapi_cli_add_record(struct xapi_cli *, struct buf *, const xapi_cli_columns *, const json_t *record);

#endif
