// SPDX-License-Identifier: Apache-2.0
/* Leases: claims on what a node reads as, kept in the catalog. */
#include "coalesce.h"
#include "sr_state.h"

/* [C4] on a visible node only; it may be hidden while the lease lasts. */
enum err sr_lease(struct sr *sr, const struct uuid *uuid, const char *kind, const char *holder,
                  struct uuid *ret_lease, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        struct lease lease = {.uuid = sr_fresh_uuid(sr), .node = *uuid, .since = sr_now(sr)};
        const struct vdi *vdi;
        enum err err;

        if (sr_begin_change(sr, note) || coalesce_make_way(sr, uuid, "lease", note) ||
            sr_need_vdi(sr, uuid, &vdi, note) || sr_check_text("kind", kind, note) ||
            sr_check_text("holder", holder, note))
                return err_wrap(note, "lease VDI %s", uuid_format(uuid).s);
        lease.kind = mem_text(kind);
        lease.holder = mem_text(holder);
        err = catalog_begin(sr->catalog, &change, note);
        if (!err)
                err = catalog_put_lease(change, &lease, note);
        if (!err)
                err = store_commit(TAKE(change), note);
        free(lease.kind);
        free(lease.holder);
        if (err)
                return err_wrap(note, "lease VDI %s", vdi->row.name);
        *ret_lease = lease.uuid;
        return ERR_NONE;
}

enum err sr_lease_end(struct sr *sr, const struct uuid *lease, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (sr_begin_change(sr, note) || catalog_begin(sr->catalog, &change, note) ||
            catalog_drop_lease(change, lease, note))
                return err_wrap(note, "end lease %s", uuid_format(lease).s);
        return store_commit(TAKE(change), note);
}

enum err sr_leases(struct sr *sr, struct leases *ret, struct err_note *note) {
        if (!sr->catalog) {
                *ret = (struct leases){0};
                return ERR_NONE;
        }
        return catalog_leases(sr->catalog, ret, note);
}
