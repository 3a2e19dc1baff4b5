// SPDX-License-Identifier: Apache-2.0
/* Growing a VDI: vhd_resize under an intent that keeps its plan.
 *
 * Errors: those of vhd_resize.h.  Threads: the owner of the SR.
 */
#ifndef SR_SR_RESIZE_H
#define SR_SR_RESIZE_H

#include "sr_state.h"

MUST_USE enum err sr_resize_recover(struct sr *, const struct intent *, struct err_note *);

#endif
