// SPDX-License-Identifier: Apache-2.0
/* The VM of an XVA that comes in becomes objects: seen at once, by the operation "import" in its
 * current_operations; and with its VBDs, VIFs and disks when all has come, or gone again.
 *
 *      xva_vm_begin(&vm, host, &ova, &ask, note)
 *      xva_vm_commit(&vm, disks, n, note)  or  xva_vm_abort(&vm)
 *
 * It begins anew: halted, no snapshot, without what only the old host knew of it.  Fields that this host
 * would not take from a client have their defaults.  A VIF's network is that of the same uuid, or else of the
 * same name, or made.  Its MAC is another unless the VM is restored.
 * After a crash before the commit it is gone.
 *
 * One that is restored has its uuid as it was.  A VM that has that uuid is replaced by the commit, and is
 * what it was until then: it must be halted, and of a lower version, which counts how often a VM was
 * restored.  Its disks stay, and belong to no VM; its snapshots stay as well.
 *
 * Errors: ERR_CORRUPT: there is no VM in it; ERR_EXISTS: the one to replace is not of a lower version;
 * ERR_BUSY: it is not halted, or a verb works on it; ERR_DENIED: blocked; those of objects.
 * Threads: any, one at a time.  Ownership: host and ova outlive it.
 */
#ifndef SERVICE_XVA_VM_H
#define SERVICE_XVA_VM_H

#include "vms_inside.h"
#include "xva.h"
#include "xva_ova.h"

struct xva_vm_ask {
        bool restores;    /* its uuid as it was, and its MACs */
        bool is_forced;   /* whatever the version of the one that is replaced */
        struct uuid task; /* null: none */
};

struct xva_vm {
        struct host *host;         /* borrowed */
        const struct xva_ova *ova; /* borrowed */
        struct xva_vm_ask ask;
        const json_t *object;          /* borrowed from ova: the VM */
        struct uuid uuid;              /* in this host */
        struct vms_operation replaces; /* on the VM that has that uuid; host NULL: nobody has */
};

/* A disk of the archive, and what it has become. */
struct xva_vm_disk {
        char ref[XVA_REF_MAX + 1];
        struct uuid vdi, sr;
        uint64_t size;
};

/* The archive's VM, borrowed from ova; NULL: there is none. */
const json_t *xva_vm_find(const struct xva_ova *);
/* The record of the object of that class and id, borrowed; NULL: there is none. */
json_t *xva_vm_record(const struct xva_ova *, enum xapi_class_id, const char *id);

MUST_USE enum err xva_vm_begin(struct xva_vm *, struct host *, const struct xva_ova *,
                               const struct xva_vm_ask *, struct err_note *);
MUST_USE enum err xva_vm_commit(struct xva_vm *, const struct xva_vm_disk *disks, size_t n,
                                struct err_note *);
void xva_vm_abort(struct xva_vm *);

#endif
