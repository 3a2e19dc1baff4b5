// SPDX-License-Identifier: Apache-2.0
/* New nodes: made under a temporary name, synced, then seen by one rename.
 *
 * Order: catalog row, rename, sync of the names.  A row without a file is dropped by the next scan, and a
 * file under a temporary name is removed by the next open; so nothing half-made is ever seen, without an
 * intent.
 *
 * Errors: what was made is removed.  Threads: the owner of the SR.
 */
#ifndef SR_SR_NEW_H
#define SR_SR_NEW_H

#include "sr_state.h"

/* A differencing image under the temporary name of `uuid`, which reads as the parent does.  parent: what the
 * parent's bytes are or will be named; of: the node that says its uuid and time. */
MUST_USE enum err sr_new_child(struct sr *, const struct uuid *uuid, const struct place_name *parent,
                               const struct node *of, uint64_t size, struct err_note *);
/* An empty disk under the temporary name of `uuid`. */
MUST_USE enum err sr_new_disk(struct sr *, const struct uuid *uuid, const struct vdi_options *,
                              struct err_note *);

/* The temporary file becomes VDI row->uuid. */
MUST_USE enum err sr_new_publish(struct sr *, const struct vdi_row *row, enum image_kind, struct err_note *);
/* It is not wanted after all. */
void sr_new_discard(struct sr *, const struct uuid *uuid, enum image_kind);

/* A row for it; options may be NULL. */
MUST_USE enum err sr_new_row(struct sr *, const struct vdi_options *, struct vdi_row *ret, struct err_note *);

#endif
