// SPDX-License-Identifier: Apache-2.0
/* What Xen Orchestra writes down beside its backups, as JSON: of one restore point (metadata), and of a merge
 * under way.  Only what reading them needs is taken; all else may be whatever it likes.
 *
 * Paths come from outside: one that is absolute, or climbs with "..", is ERR_CORRUPT, and so is one that is
 * not text of this length.
 *
 * Source: what Xen Orchestra writes; docs/xo.md.
 * Errors: ERR_CORRUPT says what is wrong; ERR_UNSUPPORTED, a mode that is not known.  Threads: any.
 */
#ifndef FORMAT_XO_META_H
#define FORMAT_XO_META_H

#include <jansson.h>

#include "bytes.h"
#include "err.h"
#include "uuid.h"
#include "vec.h"

enum { XO_PATH_MAX = 1024 };
#define XO_META_VIFS   "$vifs"        /* a member of our copy of a VM's record: its network interfaces */
#define XO_META_ORIGIN "catena_point" /* a member that Xen Orchestra passes over */

/* ---- a point ---- */

struct xo_meta_disk {
        char *vhd;   /* owned; its file, from the VM's folder */
        char *vdi;   /* owned; uuid of the disk that was backed up, not of its snapshot */
        char *label; /* owned; its name; may be empty */
};
struct xo_meta {
        int64_t time; /* of the transfer; milliseconds since 1970 */
        struct uuid vm_uuid;
        char *vm_name; /* owned */
        json_t *vm;    /* owned; its record, and in it XO_META_VIFS */
        char *origin;  /* owned; of an export of ours: which point of which vault; NULL: none */
        char *xva;     /* owned; mode full: the file, from the VM's folder; NULL: disks */
        VEC(struct xo_meta_disk) disks; /* owned, and each; ascending by vdi */
};
void xo_meta_fini(struct xo_meta *);
DEFINE_AUTO_IN_PLACE(struct xo_meta, xo_meta_fini);
MUST_USE enum err xo_meta_decode(struct span, struct xo_meta *ret, struct err_note *);

/* ---- a merge ---- */

/* Files, from the folder of the merge's state: the lowest, into which blocks move, first; the last one's name
 * is what the result will have. */
struct xo_merge {
        VEC(char *) chain; /* owned, and each; two at least */
};
void xo_merge_fini(struct xo_merge *);
DEFINE_AUTO_IN_PLACE(struct xo_merge, xo_merge_fini);
MUST_USE enum err xo_merge_decode(struct span, struct xo_merge *ret, struct err_note *);

/* ---- paths ---- */

/* "a/b" for "./a//b"; the caller's to free. */
MUST_USE enum err xo_path_clean(const char *text, char **ret, struct err_note *);

#endif
