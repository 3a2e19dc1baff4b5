// SPDX-License-Identifier: Apache-2.0
/* What a point of a vault is called where Xen Orchestra reads it: uuids that are the same each time, the name
 * of a time, and the metadata of a restore point.
 *
 * Errors: none.  Threads: any.
 */
#ifndef XO_EXPORT_NAMES_H
#define XO_EXPORT_NAMES_H

#include "points.h"
#include "uuid.h"

struct xo_names {
        struct uuid vm, job;
};
/* The VM that the point is of, where it knows; else one that is made of the point's name and the vault. */
void xo_names_of(const struct vault *, const struct point *, struct xo_names *ret);
/* The disk that it is of: as an import has noted it, or its name where that is a uuid. */
struct uuid xo_names_vdi(const struct xo_names *, const struct vault_disk *);
/* No other point's disk has it. */
struct uuid xo_names_vhd(const struct vault *, const struct point *, const struct vault_disk *);
/* "20260101T020000Z"; the caller's to free. */
char *xo_names_time(int64_t unix_seconds);
/* Which point of which vault: what metadata says of an export of ours.  The caller's to free. */
char *xo_names_origin(const struct vault *, const struct vault_name *point);

struct xo_export_meta {
        const struct vault *vault; /* borrowed */
        const struct point *point; /* borrowed */
        struct xo_names names;
        const char *when;         /* borrowed; its name */
        const bool *are_children; /* borrowed; of each of its disks: it has a parent */
        uint64_t size;            /* bytes of the files */
};
json_t *xo_export_meta(const struct xo_export_meta *);
/* Of one of its disks: from the VM's folder; the caller's to free. */
char *xo_names_path(const struct xo_names *, const struct vault_disk *, const char *when);

#endif
