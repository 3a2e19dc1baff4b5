// SPDX-License-Identifier: Apache-2.0
/* ova.xml, the first member of an XVA: who wrote it, and the records of the VM and what belongs to it, as one
 * XML-RPC value.
 *
 *      {"version": {"hostname": …, "export_vsn": 2},
 *       "objects": [{"class": "VM", "id": "Ref:0", "snapshot": {…}}, …]}
 *
 * References within the records are ids of other objects, or OpaqueRef:NULL.  A record's types come from the
 * table of its class, which the caller hands down: they say what is a time when it is written, and what text
 * is a number when it is read.
 *
 * Errors: ERR_CORRUPT, ERR_NO_MEMORY, with a sentence.  Threads: any.
 */
#ifndef FORMAT_XVA_OVA_H
#define FORMAT_XVA_OVA_H

#include <stdbool.h>

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "xapi_class.h"

enum { XVA_EXPORT_VERSION = 2 };

struct xva_ova {
        json_t *version; /* owned; an object */
        json_t *objects; /* owned; an array as above */
};
void xva_ova_fini(struct xva_ova *);
DEFINE_AUTO_IN_PLACE(struct xva_ova, xva_ova_fini);

/* The fields of an object's class, asked with the object; NULL: none of ours, its record stays as it is. */
typedef const struct xapi_field *(*xva_fields_of)(const json_t *object);

/* A new reference.  xapi_major and _minor: of the XenAPI; a host refuses what is newer than itself. */
json_t *xva_version_new(const char *hostname, const char *date, const char *product_brand,
                        const char *product_version, int xapi_major, int xapi_minor);
bool xva_ova_has_checksums(const struct xva_ova *); /* behind each block */

void xva_ova_encode(const struct xva_ova *, xva_fields_of, struct buf *);
MUST_USE enum err xva_ova_decode(struct span, xva_fields_of, struct xva_ova *ret, struct err_note *);

#endif
