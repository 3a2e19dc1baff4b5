// SPDX-License-Identifier: Apache-2.0
/* Taking over a folder of VHDs with whatever sm left in it, and giving it back: sr_adopt_list, sr_adopt,
 * sr_release of sr.h, and the part of it that garbage collection does.
 *
 * Errors: those of io.  Threads: the owner of the SR.
 */
#ifndef SR_ADOPT_H
#define SR_ADOPT_H

#include "sr_state.h"

/* Removes OLD_ files that sm's last step would have removed: hidden in both footers, no journal about them,
 * their leaf whole.  sr was refreshed, and is to be refreshed where something changed. */
MUST_USE enum err adopt_collect_old(struct sr *, bool *ret_did_change, struct err_note *);

#endif
