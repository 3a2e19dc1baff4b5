// SPDX-License-Identifier: Apache-2.0
/* `vault verify --repair-from`: where the content of damaged disks is looked for, and that it is taken from
 * there.
 *
 *   a vault      the same point, or its copy, as `vault sync` knows it
 *   a directory  a file of the disk's name: an SR's or any other
 *   a file       whichever damaged disk has its content
 *
 * Errors: those of repair.h; of the other vault where it cannot be opened.  What is not there, cannot be
 * read, or has other content, is none: that disk stays as it is, and the others have their turn.
 * Threads: the call's.
 */
#ifndef SERVICE_VAULT_REPAIR_H
#define SERVICE_VAULT_REPAIR_H

#include "vault_call.h"
#include "verify.h"

/* Of the disks that the report names.  ret_stored: bytes. */
MUST_USE enum err vault_repair(struct verb_call *, struct vault *, const struct verify_report *,
                               uint64_t *ret_stored, struct err_note *);

#endif
