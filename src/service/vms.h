// SPDX-License-Identifier: Apache-2.0
/* VMs as records: what groups disks under one name, and what is done to all of them at once.
 *
 * A VM is an object of class VM; each of its disks hangs on it by one of class VBD, whose userdevice counts
 * "0", "1", "2", ….  Both ends of each relation are kept here: VM.VBDs, VBD.VM, VBD.VDI, VDI.VBDs;
 * VM.snapshot_of and snapshots; VM.parent and children.  Nothing runs a VM: its power state is a record
 * that somebody sets.
 *
 * What touches disks and records goes in three steps, so that a crash between leaves nothing half-made:
 *
 *      a note of it in STATE-DIR/unfinished     durable: what will be made, by uuid
 *      the disks, in their SRs                  each SR all or none
 *      the records, in one change of objects    from here it has happened
 *
 *   [V1] a snapshot, clone or copy of a VM is there with all its disks, or nothing of it is: vms_recover,
 *   at the
 *        daemon's start, deletes the disks of what has no record yet
 *   [V2] the disks of a snapshot are one instant: in each SR frozen together and cut together, and of all
 *   SRs frozen
 *        before the first is cut
 *   [V3] a revert that a crash cut short is finished by vms_recover; one that fails is not gone on with, and
 *        its text says how many disks are reverted
 *   [V4] what a VM's blocked_operations forbid is not done
 *
 * Errors: ERR_NOT_FOUND: no such VM, VBD, VDI or SR; ERR_DENIED: blocked, the text says why; ERR_BUSY:
 * another verb works on the VM, or a disk is in use; ERR_INVALID: the VM is not of the kind (a snapshot,
 * running) that the verb needs; and those of sr.h.
 * Threads: any.  Turns of SRs are taken and given back within; of several, in the order of the SRs' uuids.
 * The caller holds none.
 */
#ifndef SERVICE_VMS_H
#define SERVICE_VMS_H

#include "host.h"

/* ---- making, deleting ---- */

struct vms_disk {
        struct uuid vdi;
        const char *userdevice; /* borrowed; NULL: the lowest that is free */
        bool is_read_only;
        bool is_bootable;
};

struct vms_options {
        const char *name;        /* borrowed; NULL: the uuid */
        const char *description; /* borrowed; NULL: "" */
        json_t *fields;          /* borrowed; of class VM, over the defaults; wins over name; may be NULL */
        const struct vms_disk *disks; /* borrowed */
        size_t n_disks;
};
/* uuid, VBDs and what else is the host's own are not taken from fields. */
MUST_USE enum err vms_create(struct host *, const struct vms_options *, struct uuid *ret, struct err_note *);
/* The records of a VM (or of a snapshot of one) that is not running, and of its VBDs and VIFs.  Its disks
 * stay, as XenAPI has it, but where with_disks says otherwise: those that no other VM has. */
MUST_USE enum err vms_destroy(struct host *, const struct uuid *vm, bool with_disks, struct err_note *);

/* By uuid, or by a name that one VM has; snapshots and templates too. */
MUST_USE enum err vms_find(struct host *, const char *uuid_or_name, struct uuid *ret, struct err_note *);

/* ---- disks ---- */

/* ERR_EXISTS: the userdevice is taken. */
MUST_USE enum err vms_attach(struct host *, const struct uuid *vm, const struct vms_disk *,
                             struct uuid *ret_vbd, struct err_note *);
/* For VBD.create: fields of class VBD (VM, VDI, userdevice, mode, type, empty, …); "autodetect" or "": the
 * lowest that is free. */
MUST_USE enum err vms_vbd_create(struct host *, json_t *fields, struct uuid *ret_vbd, struct err_note *);
MUST_USE enum err vms_vbd_destroy(struct host *, const struct uuid *vbd, struct err_note *);
/* By the VDI. */
MUST_USE enum err vms_detach(struct host *, const struct uuid *vm, const struct uuid *vdi, struct err_note *);
/* An array of text, "0" to "15", those that are free: VM.get_allowed_VBD_devices. */
json_t *vms_free_devices(struct host *, const struct uuid *vm);
/* The references of a VDI's VBDs, as its record has them: an array, for who makes VDI records. */
json_t *vms_vbds_of_vdi(struct objects *, const struct uuid *vdi);

/* ---- all of its disks at once ---- */

struct vms_request {
        struct uuid vm;
        const char *name;          /* borrowed; of the new VM; NULL: as the old one */
        const char *description;   /* borrowed; NULL: as the old one */
        const struct uuid *ignore; /* borrowed; VDIs that are left out: snapshot alone */
        size_t n_ignore;
        struct uuid sr;            /* copy: where all disks go; null: each stays where it is */
        struct progress *progress; /* borrowed; may be NULL; copy alone has any */
};
/* A VM that is_a_snapshot, of disks that are snapshots; running or not. */
MUST_USE enum err vms_snapshot(struct host *, const struct vms_request *, struct uuid *ret,
                               struct err_note *);
/* A VM of its own whose disks share their content with the old ones; of one that is halted, or a snapshot. */
MUST_USE enum err vms_clone(struct host *, const struct vms_request *, struct uuid *ret, struct err_note *);
/* A VM of its own whose disks share nothing with the old ones; of one that is halted, or a snapshot. */
MUST_USE enum err vms_copy(struct host *, const struct vms_request *, struct uuid *ret, struct err_note *);
/* The VM that the snapshot is of has the snapshot's disks and settings again; it keeps its uuid and power
 * state is Halted.  Disks that are still there keep their uuid; those that are gone are cloned from the
 * snapshot's; those that it got since are detached, and stay. */
MUST_USE enum err vms_revert(struct host *, const struct uuid *snapshot, struct err_note *);

/* ---- state ---- */

/* "Halted", "Paused", "Running", "Suspended": a note of what somebody else did, with what follows from it
 * (resident_on, currently_attached, allowed_operations). */
MUST_USE enum err vms_set_power_state(struct host *, const struct uuid *vm, const char *state,
                                      struct err_note *);
/* ERR_DENIED where VM.blocked_operations has it. */
MUST_USE enum err vms_check_blocked(struct host *, const struct uuid *vm, const char *operation,
                                    struct err_note *);
/* What may be done to a VM in that state, an array of text: VM.allowed_operations. */
json_t *vms_allowed_operations(const json_t *vm);

/* At the daemon's start, once its SRs are open and before it serves: undoes what [V1] and finishes what
 * [V3] names. */
MUST_USE enum err vms_recover(struct host *, struct err_note *);

#endif
