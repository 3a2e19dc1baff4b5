// SPDX-License-Identifier: Apache-2.0
/* What a coalesce of files without an SR keeps beside the child while it is under way: which files are its
 * run, from the target up to the child, as they were when it began.
 *
 * It says nothing of how far the coalesce has come: the BATs do.
 *
 * Errors: ERR_CORRUPT for what is no such file or is damaged, ERR_UNSUPPORTED for one of a later version.
 * Threads: any.
 */
#ifndef FORMAT_VHD_INTENT_H
#define FORMAT_VHD_INTENT_H

#include <stdbool.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "uuid.h"
#include "vec.h"

enum { VHD_INTENT_VERSION = 1, VHD_INTENT_PATH_MAX = 4096 };

struct vhd_intent_disk {   /* offset */
        char magic[8];     /*   0  "catcoal" and a zero                      */
        be32 version;      /*   8  1                                         */
        be32 length;       /*  12  of all, bytes                             */
        be64 incompatible; /*  16  features: who does not know one refuses   */
        be64 compatible;   /*  24            … goes on                       */
        be64 autoclear;    /*  32            … clears it when writing        */
        be32 checksum;     /*  40  ~sum of all bytes, this field taken as 0  */
        be32 n;            /*  44  nodes: two or more, from the target up    */
        be64 begun;        /*  48  seconds since 1970                        */
};
_Static_assert(sizeof(struct vhd_intent_disk) == 56, "nodes follow");

struct vhd_intent_node_disk { /* offset */
        uint8_t uuid[16];     /*   0  of its footer; null for a raw file      */
        be64 size;            /*  16  of its disk when it began, bytes        */
        be32 is_raw;          /*  24  0 or 1; 1 only of the target            */
        be32 path_length;     /*  28  bytes of the absolute path that follows */
};
_Static_assert(sizeof(struct vhd_intent_node_disk) == 32, "its path follows");

struct vhd_intent_node {
        struct uuid uuid;
        uint64_t size;
        bool is_raw;
        char *path; /* owned */
};

struct vhd_intent {
        int64_t begun;
        uint64_t compatible;               /* kept as it is */
        VEC(struct vhd_intent_node) nodes; /* owned, and what each holds */
};
void vhd_intent_fini(struct vhd_intent *);
DEFINE_AUTO_IN_PLACE(struct vhd_intent, vhd_intent_fini);

/* ret: zeroed. */
MUST_USE enum err vhd_intent_decode(struct span, struct vhd_intent *ret, struct err_note *);
/* Of one that keeps the rules above; added to ret. */
void vhd_intent_encode(const struct vhd_intent *, struct buf *ret);

#endif
