// SPDX-License-Identifier: Apache-2.0
/* The inside of vms.h: what its files share.  Between objects_begin and objects_commit no turn is taken; so
 * whatever must be asked of SRs is asked before.
 *
 * Errors: those of vms.h.  Threads: any.
 */
#ifndef SERVICE_VMS_INSIDE_H
#define SERVICE_VMS_INSIDE_H

#include "vec.h"
#include "vms.h"

/* ---- words ---- */

struct uuid vms_fresh_uuid(struct host *);
json_t *vms_ref(const struct uuid *);                          /* "OpaqueRef:…", a new reference */
const char *vms_text(const json_t *record, const char *field); /* "" where it is none */
/* The uuid that a field of a record refers to; false: to nothing. */
bool vms_refers_to(const json_t *record, const char *field, struct uuid *ret);
struct xapi_time vms_now(struct host *);

/* A set of references in a field of an object; nothing where there is no such object. */
void vms_refs_add(struct objects_change *, enum xapi_class_id, const struct uuid *, const char *field,
                  const struct uuid *ref);
void vms_refs_remove(struct objects_change *, enum xapi_class_id, const struct uuid *, const char *field,
                     const struct uuid *ref);

MUST_USE enum err vms_need(struct host *, enum xapi_class_id, const struct uuid *, json_t **ret,
                           struct err_note *);
/* The one of a change; "VM", … is gone. */
MUST_USE enum err vms_change_need(struct objects_change *, enum xapi_class_id, const struct uuid *,
                                  json_t **ret, struct err_note *);

/* ---- one verb at a time on a VM: VM.current_operations says which ---- */

struct vms_operation {
        struct host *host; /* borrowed; NULL: none is under way */
        struct uuid vm, key;
};
MUST_USE enum err vms_operation_begin(struct host *, const struct uuid *vm, const char *operation,
                                      struct vms_operation *ret, struct err_note *);
void vms_operation_end(struct vms_operation *);
DEFINE_AUTO_IN_PLACE(struct vms_operation, vms_operation_end);

/* ---- parts of a VM ---- */

struct vms_part {             /* one of its disks */
        struct uuid vbd, vdi; /* as they are */
        struct uuid sr, to;   /* where vdi is; where made will be */
        struct uuid made;     /* the new VDI */
        bool is_in_place;     /* of a revert: vdi is given other content, and made is the same */
        struct uuid content;  /* of a revert: the snapshot's VDI */
};
struct vms_parts {
        VEC(struct vms_part) list; /* owned */
};
void vms_parts_fini(struct vms_parts *);
DEFINE_AUTO_IN_PLACE(struct vms_parts, vms_parts_fini);

/* Those of its VBDs that have a disk, but for what is ignored; where each is.  ERR_NOT_FOUND: nowhere. */
MUST_USE enum err vms_list_parts(struct host *, const json_t *vm, const struct vms_request *,
                                 struct vms_parts *ret, struct err_note *);
const struct vms_part *vms_part_of_vbd(const struct vms_parts *, const struct uuid *vbd); /* or NULL */

/* A VBD's record goes in with both its ends. */
void vms_put_vbd(struct objects_change *, const struct uuid *, json_t *record); /* takes record */
void vms_remove_vbd(struct objects_change *, const struct uuid *);
void vms_put_vif(struct objects_change *, const struct uuid *, json_t *record); /* takes record */
void vms_remove_vif(struct objects_change *, const struct uuid *);
/* Metrics, VBDs and VIFs, and what else is a VM's alone. */
void vms_remove_parts(struct objects_change *, const json_t *vm);
/* Copies of a VM's VBDs and VIFs for another: those of parts with the new VDIs, the others as they are, but
 * for disks that are in no part. */
void vms_copy_parts(struct host *, struct objects_change *, const json_t *from, const struct uuid *to,
                    const struct vms_parts *, bool keeps_macs);
/* The VM's own objects of classes VM_metrics and VM_guest_metrics, into its record. */
void vms_put_metrics(struct host *, struct objects_change *, json_t *vm);
void vms_refresh_allowed(struct objects_change *, const struct uuid *vm);

/* ---- what is unfinished: a file of STATE-DIR/unfinished for each ---- */

enum vms_unfinished_kind {
        VMS_MAKING,    /* vm has no record yet: its disks go */
        VMS_REVERTING, /* vm is to have snapshot's disks */
};
struct vms_unfinished {
        enum vms_unfinished_kind kind;
        struct uuid vm, snapshot;
        struct vms_parts parts;
};
void vms_unfinished_fini(struct vms_unfinished *);
DEFINE_AUTO_IN_PLACE(struct vms_unfinished, vms_unfinished_fini);

/* Durable when they return. */
MUST_USE enum err vms_unfinished_put(struct host *, const struct vms_unfinished *, struct err_note *);
MUST_USE enum err vms_unfinished_drop(struct host *, const struct uuid *vm, struct err_note *);
/* Calls for each that there is. */
typedef enum err (*vms_unfinished_fn)(struct host *, struct vms_unfinished *, struct err_note *);
MUST_USE enum err vms_unfinished_each(struct host *, vms_unfinished_fn, struct err_note *);

/* ---- disks ---- */

/* All snapshots, or clones, at one instant. */
MUST_USE enum err vms_fork_disks(struct host *, const struct vms_parts *, bool is_clone, struct err_note *);
MUST_USE enum err vms_copy_disks(struct host *, const struct vms_parts *, struct progress *,
                                 struct err_note *);
/* Those of them that are there go; ERR_NOT_FOUND where an SR is not: then it is for another start. */
MUST_USE enum err vms_delete_made(struct host *, const struct vms_parts *, struct err_note *);
/* Whether all of them are there. */
MUST_USE enum err vms_has_made(struct host *, const struct vms_parts *, bool *ret, struct err_note *);
MUST_USE enum err vms_revert_disks(struct host *, const struct vms_parts *, struct err_note *);
/* Nobody has any of those open that are reverted in place. */
MUST_USE enum err vms_check_closed(struct host *, const struct vms_parts *, struct err_note *);

/* Of a VM, whatever it does, and of all its parts. */
MUST_USE enum err vms_remove_records(struct host *, const struct uuid *vm, struct err_note *);
MUST_USE enum err vms_revert_again(struct host *, struct vms_unfinished *, struct err_note *);

#endif
