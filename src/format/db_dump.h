// SPDX-License-Identifier: Apache-2.0
/* A dump of a host's objects, as XML: a table for each class, a row for each object.
 *
 *      <database><manifest><pair key="…" value="…"/>…</manifest>
 *      <table name="VM"><row ref="OpaqueRef:…" uuid="…" name_label="…" …/>…</table>…</database>
 *
 * A value that is not text is written as an expression: 12, true, ('a' 'b'), (('key' 'value') …); within
 * quotes a backslash stands before a quote or a backslash.
 *
 * Errors: ERR_CORRUPT, the text says in which line and why; ERR_TOO_LARGE above 2 GiB; ERR_NO_MEMORY.
 * Threads: any.
 */
#ifndef FORMAT_DB_DUMP_H
#define FORMAT_DB_DUMP_H

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"

/* manifest: texts by their keys.  tables: {"VM": {"OpaqueRef:…": record, …}, …}. */
void db_dump_encode(const json_t *manifest, const json_t *tables, struct buf *);

struct db_dump_count {
        uint64_t n_tables, n_rows;
};
/* Whether it is one, whoever wrote it: what it holds is counted. */
MUST_USE enum err db_dump_check(struct span, struct db_dump_count *ret, struct err_note *);

#endif
