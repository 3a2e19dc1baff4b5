// SPDX-License-Identifier: Apache-2.0
/* Findings as JSON and in a few words: for `vhd check`, `vhd repair` and `sr check`.
 *
 * Errors: none.  Threads: any.
 */
#ifndef SERVICE_FINDINGS_JSON_H
#define SERVICE_FINDINGS_JSON_H

#include <jansson.h>

#include "buf.h"
#include "vhd_check.h"

json_t *findings_json_of(const struct finding *); /* severity, part, at, text, repairable, repair */

/* "valid", "2 errors, 1 warning"; n_shown: how many of them are. */
void findings_summarise(uint64_t n_errors, uint64_t n_warnings, uint64_t n_shown, struct buf *ret);
void findings_add_count(struct buf *, uint64_t n, const char *word); /* "1 error", "2 errors" */

#endif
