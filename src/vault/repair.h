// SPDX-License-Identifier: Apache-2.0
/* Healing a disk of a point from whatever still has its content: that is hashed, and what the vault lacks of
 * it, or has damaged, is stored anew.  No point is made.
 *
 *      repair_disk(vault, &options, &disk, &source, &result, note)
 *
 * What was stored counts at once; verify then finds the points whole that needed it.  A source with other
 * content heals what is the same of it; what else was stored is prune's.
 *
 * Errors: those of put.h; ERR_UNSUPPORTED, chunks of another size than the vault's now.
 * Threads: one at a time.
 */
#ifndef VAULT_REPAIR_H
#define VAULT_REPAIR_H

#include "put.h"

struct repair_options {
        unsigned n_threads; /* 0: as many as cores */
        /* Bytes of the disk gone through; may cancel.  NULL: none. */
        enum err (*step)(void *user, uint64_t done, struct err_note *); /* borrowed */
        void *user;                                                     /* borrowed; handed to it */
};
struct repair_result {
        bool is_same;    /* the source had the disk's content: all of it is there now */
        uint64_t stored; /* bytes, of what was damaged or missing */
};
MUST_USE enum err repair_disk(struct vault *, const struct repair_options *, const struct vault_disk *,
                              const struct put_source *, struct repair_result *ret, struct err_note *);

#endif
