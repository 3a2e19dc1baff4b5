// SPDX-License-Identifier: Apache-2.0
/* Which objects a command of `xe` means: the classes that it has commands for, and filters.
 *
 *      name-label=web          the column's text, as it is shown (xapi_cli_column.h)
 *      other-config:key=web    the value of a map's key
 *      tags:contains=web       a member of a set
 *      vm=web                  a VM by its uuid or name
 *
 * Errors: the client is told; false or NULL.  Threads: as xapi_cli.h.
 */
#ifndef XAPI_XAPI_CLI_SELECT_H
#define XAPI_XAPI_CLI_SELECT_H

#include "xapi_cli_print.h"

struct xapi_cli_kind {
        const char *name; /* borrowed, static; NULL ends the table */
        enum xapi_class_id class;
        const char *shown;                 /* borrowed, static; columns without params= */
        bool (*has)(const json_t *record); /* borrowed; NULL: all of the class */
};
extern const struct xapi_cli_kind xapi_cli_kinds[];
const struct xapi_cli_kind *xapi_cli_kind_named(const char *); /* NULL: there is none */

bool xapi_cli_column_named(struct xapi_cli *, const struct xapi_cli_kind *, const char *name,
                           struct xapi_cli_column *ret);
/* Of "uuid,name-label", or "all"; ret is the caller's to fini either way. */
bool xapi_cli_columns_choose(struct xapi_cli *, const struct xapi_cli_kind *, const char *names,
                             xapi_cli_columns *ret);
void xapi_cli_print_record(struct xapi_cli *, const xapi_cli_columns *, const json_t *record);

struct xapi_cli_filter {
        struct xapi_cli_column column;
        const char *key, *value; /* borrowed from the command; key may be NULL */
        bool is_not;
};
typedef VEC(struct xapi_cli_filter) xapi_cli_filters;

/* ---- filters ---- */

/* Of a command's words those that are no columns of what it is about. */
bool xapi_cli_is_own_word(const char *name);
/* Those that name columns, but this one (NULL: none); is_strict: another word is an error. */
bool xapi_cli_filters_make(struct xapi_cli *, const struct xapi_cli_kind *, bool is_strict, const char *but,
                           xapi_cli_filters *);
bool xapi_cli_matches(struct xapi_cli *, const struct xapi_cli_kind *, const xapi_cli_filters *,
                      const json_t *record);

/* The record's reference -> record, of those that match; a new reference. */
json_t *xapi_cli_select(struct xapi_cli *, const struct xapi_cli_kind *, const xapi_cli_filters *);

/* ---- one VM ---- */

/* The one that vm=, uuid= or filters mean; the one snapshot that snapshot=, snapshot-uuid= or uuid= do.  The
 * reference, the caller's to free. */
char *xapi_cli_vm(struct xapi_cli *);
char *xapi_cli_snapshot(struct xapi_cli *);

#endif
