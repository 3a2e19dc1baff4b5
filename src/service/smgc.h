// SPDX-License-Identifier: Apache-2.0
/* Lines as the collector of XCP-ng's storage manager writes them to SMlog, for those who grep them
 * (gc run --log-format smgc):
 *
 *      Nov 21 07:12:01 host SMGC: [4711] Coalescing *7ef76d55(10.000G/4.021G/4.016G) -> *c2a1…
 *
 * A node is [*]uuid8(size of the disk/of the file/bytes it takes), '*' where it is hidden, [RAW] at its end.
 * Names change on the way: lines name what gc did, not steps that only the storage manager has.
 *
 * Errors: none.  Threads: the owner of the SR.
 */
#ifndef SERVICE_SMGC_H
#define SERVICE_SMGC_H

#include "buf.h"
#include "gc.h"
#include "progress.h"

struct smgc {
        struct sr *sr;              /* borrowed */
        struct progress *progress;  /* borrowed; says the lines */
        const struct sr_self *self; /* borrowed; may be NULL */
};

void smgc_begins(const struct smgc *); /* the SR and its trees */
void smgc_tell(const struct smgc *, const struct gc_event *);
void smgc_ends(const struct smgc *);

/* "65.000G" */
void smgc_add_size(struct buf *, uint64_t bytes);
void smgc_add_node(struct buf *, const struct node *);

#endif
