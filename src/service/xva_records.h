// SPDX-License-Identifier: Apache-2.0
/* The records of a VM and of what belongs to it, as an XVA has them: objects with ids, "Ref:N", that refer to
 * each other by these.
 *
 * What a record refers to that does not go with it becomes OpaqueRef:NULL, or is left out of a set.
 * Operations that are under way here are of no matter there.
 *
 * Errors: ERR_NOT_FOUND: no such VM; ERR_TOO_LARGE.  Threads: any.  Ownership: json_t are new references.
 */
#ifndef SERVICE_XVA_RECORDS_H
#define SERVICE_XVA_RECORDS_H

#include "objects.h"
#include "vec.h"
#include "xva.h"
#include "xva_ova.h"

struct xva_record_disk {
        struct uuid vdi;
        char ref[XVA_REF_MAX + 1];
        json_t *record; /* borrowed from the objects: the VDI's */
};
struct xva_records {
        json_t *objects;                   /* owned; an array, as xva_ova.h has them */
        VEC(struct xva_record_disk) disks; /* owned; that go with it, in the archive's order */
};
void xva_records_fini(struct xva_records *);
DEFINE_AUTO_IN_PLACE(struct xva_records, xva_records_fini);

MUST_USE enum err xva_records_gather(struct objects *, const struct uuid *vm, struct xva_records *ret,
                                     struct err_note *);

/* For xva_ova.h. */
const struct xapi_field *xva_record_fields(const json_t *object);

#endif
