// SPDX-License-Identifier: Apache-2.0
/* Disks that are in no SR and are open already, for a program that serves disks (verb_call.serve): those of a
 * point of a vault.
 *
 * Errors: none.  Threads: as the chain has it.
 */
#ifndef SERVICE_LOOSE_DISK_H
#define SERVICE_LOOSE_DISK_H

#include <stdbool.h>

#include "chain.h"
#include "uuid.h"

struct loose_disk {
        struct uuid uuid;
        const char *name, *description; /* borrowed; unlike those of the others */
        struct chain *chain;            /* borrowed; open for writing, unless is_read_only */
        bool is_read_only;
};
struct loose_disks {
        const struct loose_disk *each; /* borrowed */
        size_t n;
        struct io *io; /* borrowed; the one that all their files can be read by */
};

#endif
