// SPDX-License-Identifier: Apache-2.0
/* What gc does and did, as rows of JSON: for its own verbs and for the health of an SR.
 *
 * Errors: none.  Threads: the owner of the SR.
 */
#ifndef SERVICE_GC_JSON_H
#define SERVICE_GC_JSON_H

#include "gc.h"
#include "verbs.h"

json_t *gc_json_of_coalesce(struct sr *, const struct gc_item *);
json_t *gc_json_of_garbage(const struct gc_item *);
json_t *gc_json_of_past(const struct gc_past *);
json_t *gc_json_of_limit(const struct gc_settings *); /* null: none */
json_t *gc_json_of_windows(const struct gc_settings *);
json_t *gc_json_of_held(const struct gc_held *);
json_t *gc_json_of_seconds(uint64_t ns); /* rounded up; null: not known (UINT64_MAX) */

/* A VDI that users see and that reads through the top of a run; NULL: none does. */
const struct vdi *gc_vdi_above(struct sr *, const struct gc_item *);

extern const struct field gc_coalesce_fields[];

#endif
