// SPDX-License-Identifier: Apache-2.0
/* A directory as a vault's target: an object is a file.  Put: written in the folder ".tmp", synced, linked
 * (or, where there are no links, renamed) to its own name, and the folder of that synced; a new folder's name
 * too.  So a file that has an object's name is whole, whenever the machine stops.  What lies in ".tmp" is
 * never listed; what a crash left there goes with target_dir_sweep.
 *
 * Errors: those of io.h.  Threads: any.  Ownership: io outlives it.
 */
#ifndef VAULT_TARGET_DIR_H
#define VAULT_TARGET_DIR_H

#include "io.h"
#include "target.h"

/* The directory must be there; ERR_NOT_FOUND. */
MUST_USE enum err target_dir_open(struct io *, const char *path, struct target **ret, struct err_note *);
/* Made for this user alone, and durable: ERR_NOT_FOUND where the folder it is to lie in is not there;
 * ERR_EXISTS where it is there and not empty (but for lost+found). */
MUST_USE enum err target_dir_create(struct io *, const char *path, struct target **ret, struct err_note *);
/* What puts left behind that ended more than a day ago, by the clock of whoever asks. */
MUST_USE enum err target_dir_sweep(struct target *, struct err_note *);

#endif
