// SPDX-License-Identifier: Apache-2.0
/* What a vault has of Xen Orchestra's points: each disk's `source` says of which VM, point and VHD it came.
 *
 *      {"xo": {"vm": UUID, "point": "20260101T020000Z", "vdi": UUID, "vhd": UUID}, "label": "…"}
 *
 * Errors: those of points.h.  Threads: one.
 */
#ifndef SERVICE_XO_IMPORT_KNOWN_H
#define SERVICE_XO_IMPORT_KNOWN_H

#include "points.h"
#include "xo_points.h"

struct xo_known_disk {
        char *vdi; /* owned */
        struct uuid vhd;
};
struct xo_known_point {
        struct vault_name name; /* null: it would be put, if this were no rehearsal */
        struct uuid vm;
        char *point;                     /* owned */
        bool is_damaged;                 /* as far as that is recorded: it is put again */
        VEC(struct xo_known_disk) disks; /* owned, and each */
};
struct xo_known {
        VEC(struct xo_known_point) list; /* owned, and each; in the order of time */
};
MUST_USE enum err xo_known_read(struct vault *, struct xo_known *ret, struct err_note *);
void xo_known_fini(struct xo_known *);

const struct xo_known_point *xo_known_find(const struct xo_known *, const struct uuid *vm,
                                           const char *point); /* an undamaged one; or NULL */
/* Whether it is of that VM, and has that disk as that VHD; a null uuid is no VHD. */
bool xo_known_has(const struct xo_known_point *, const struct uuid *vm, const char *vdi,
                  const struct uuid *vhd);

/* Borrowed until the next one is added. */
struct xo_known_point *xo_known_add(struct xo_known *, const struct uuid *vm, const char *point,
                                    const struct vault_name *);
void xo_known_add_disk(struct xo_known_point *, const char *vdi, const struct uuid *vhd);

json_t *xo_known_about(const struct xo_point *, const struct xo_meta_disk *, const struct uuid *vhd);

#endif
