// SPDX-License-Identifier: Apache-2.0
/* Growing a VDI, or a node that a coalesce needs larger: vhd_resize under an intent that keeps its plan.
 *
 * Errors: those of vhd_resize.h.  Threads: the owner of the SR.
 */
#ifndef SR_SR_RESIZE_H
#define SR_SR_RESIZE_H

#include "sr_state.h"

/* A node that nobody has open, to size bytes; hidden or not.  Nothing is refreshed. */
MUST_USE enum err sr_resize_node(struct sr *, const struct node *, uint64_t size, struct err_note *);
MUST_USE enum err sr_resize_recover(struct sr *, const struct intent *, struct err_note *);

#endif
