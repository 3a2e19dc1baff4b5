// SPDX-License-Identifier: Apache-2.0
/* VMs that are made of VMs: snapshot, clone, copy; and revert. */
#include <string.h>

#include "mem.h"
#include "vms_inside.h"

/* ---- the record of the new one --------------------------------------------------------------- */

static void set(json_t *record, const char *field, json_t *value) {
        json_object_set_new(record, field, value);
}

/* What no two VMs have in common. */
static void clear_own(json_t *record, const struct uuid *uuid) {
        static const char *const sets[] = {"VBDs",      "VIFs",     "VUSBs", "consoles", "crash_dumps",
                                           "snapshots", "children", "VTPMs", "VGPUs",    "attached_PCIs"};
        static const char *const maps[] = {"current_operations", "blocked_operations"};
        static const char *const refs[] = {"resident_on", "scheduled_to_be_resident_on", "suspend_VDI"};

        set(record, "uuid", json_string(uuid_format(uuid).s));
        for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
                set(record, sets[i], json_array());
        for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
                set(record, maps[i], json_object());
        for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
                set(record, refs[i], json_string(XAPI_NULL_REF));
        set(record, "domid", json_integer(-1));
        set(record, "power_state", json_string("Halted"));
}

static json_t *new_record(const json_t *vm, const struct vms_request *request, const struct uuid *uuid) {
        json_t *record = json_copy((json_t *)vm);

        clear_own(record, uuid);
        if (request->name)
                set(record, "name_label", json_string(request->name));
        if (request->description)
                set(record, "name_description", json_string(request->description));
        return record;
}

static void be_snapshot(struct host *host, json_t *record, const json_t *vm, const struct uuid *of) {
        struct xapi_time now = vms_now(host);
        json_t *info = json_object();

        set(info, "power-state-at-snapshot", json_incref(json_object_get(vm, "power_state")));
        set(info, "disk-snapshot-type", json_string("crash_consistent"));
        set(record, "is_a_snapshot", json_true());
        set(record, "is_a_template", json_true()); /* as clients know it: nothing that could be started */
        set(record, "snapshot_of", vms_ref(of));
        set(record, "snapshot_time", json_string(now.s));
        set(record, "snapshot_info", info);
        set(record, "parent", json_incref(json_object_get(vm, "parent")));
}

static void be_own(json_t *record) {
        set(record, "is_a_snapshot", json_false());
        set(record, "is_default_template", json_false());
        set(record, "snapshot_of", json_string(XAPI_NULL_REF));
        set(record, "snapshot_time", json_string(xapi_time_of(0).s));
        set(record, "snapshot_info", json_object());
        set(record, "parent", json_string(XAPI_NULL_REF));
}

/* A snapshot stands between its VM and what was its VM's parent before. */
static void set_parent(struct objects_change *change, const struct uuid *vm, const struct uuid *parent) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VM, vm);
        struct uuid old;

        if (vms_refers_to(record, "parent", &old))
                vms_refs_remove(change, XAPI_VM, &old, "children", vm);
        (void)objects_set(change, XAPI_VM, vm, "parent", vms_ref(parent));
        if (!uuid_is_null(parent))
                vms_refs_add(change, XAPI_VM, parent, "children", vm);
}

static void link_snapshot(struct objects_change *change, const struct uuid *snapshot, const struct uuid *of) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VM, snapshot);
        struct uuid parent;

        if (vms_refers_to(record, "parent", &parent))
                vms_refs_add(change, XAPI_VM, &parent, "children", snapshot);
        vms_refs_add(change, XAPI_VM, of, "snapshots", snapshot);
        set_parent(change, of, snapshot);
}

/* ---- making ---------------------------------------------------------------------------------- */

enum making { SNAPSHOT, CLONE, COPY };
static const char *const operations[] = {[SNAPSHOT] = "snapshot", [CLONE] = "clone", [COPY] = "copy"};

static enum err put_records(struct host *host, enum making making, const struct vms_request *request,
                            const struct vms_unfinished *plan, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *vm = NULL;
        json_t *record;

        objects_begin(host->objects, &change);
        if (vms_change_need(change, XAPI_VM, &request->vm, &vm, note))
                return note->code;
        record = new_record(vm, request, &plan->vm);
        if (making == SNAPSHOT)
                be_snapshot(host, record, vm, &request->vm);
        else
                be_own(record);
        vms_put_metrics(host, change, record);
        objects_put(change, XAPI_VM, &plan->vm, record);
        vms_copy_parts(host, change, vm, &plan->vm, &plan->parts, making == SNAPSHOT);
        if (making == SNAPSHOT)
                link_snapshot(change, &plan->vm, &request->vm);
        vms_refresh_allowed(change, &plan->vm);
        return objects_commit(TAKE(change), NULL, note);
}

static enum err make_disks(struct host *host, enum making making, const struct vms_request *request,
                           const struct vms_unfinished *plan, struct err_note *note) {
        if (making == COPY)
                return vms_copy_disks(host, &plan->parts, request->progress, note);
        return vms_fork_disks(host, &plan->parts, making == CLONE, note);
}

static enum err make_planned(struct host *host, enum making making, const struct vms_request *request,
                             const struct vms_unfinished *plan, struct err_note *note) {
        struct err_note unused;

        if (vms_unfinished_put(host, plan, note))
                return note->code;
        if (make_disks(host, making, request, plan, note)) {
                /* [V1] What cannot be taken back now is taken back at the next start. */
                if (!vms_delete_made(host, &plan->parts, &unused))
                        (void)!vms_unfinished_drop(host, &plan->vm, &unused);
                return note->code;
        }
        if (put_records(host, making, request, plan, note)) {
                /* A store that failed may have kept the records all the same: then the next start finds
                 * them, and this note of disks that they do not have. */
                (void)!vms_delete_made(host, &plan->parts, &unused);
                return note->code;
        }
        /* The record is there, and says that it is finished. */
        (void)!vms_unfinished_drop(host, &plan->vm, &unused);
        return ERR_NONE;
}

/* A disk that is written cannot be cloned or copied as a whole. */
static enum err refuse_running(const json_t *vm, const char *operation, struct err_note *note) {
        const char *state = vms_text(vm, "power_state");

        if (strcmp(state, "Halted") == 0 || strcmp(state, "Suspended") == 0)
                return ERR_NONE;
        return err_set(note, ERR_INVALID,
                       "VM %s is %s: it can be snapshotted, and the snapshot be used for a %s",
                       vms_text(vm, "name_label"), state, operation);
}

static enum err make(struct host *host, enum making making, const struct vms_request *request,
                     struct uuid *ret, struct err_note *note) {
        AUTO(vms_operation_end) struct vms_operation operation = {0};
        AUTO(vms_unfinished_fini) struct vms_unfinished plan = {.kind = VMS_MAKING};
        AUTO(json_decref) json_t *vm = NULL;

        if (vms_operation_begin(host, &request->vm, operations[making], &operation, note) ||
            vms_need(host, XAPI_VM, &request->vm, &vm, note))
                return note->code;
        if (making == SNAPSHOT && json_is_true(json_object_get(vm, "is_a_snapshot")))
                return err_set(note, ERR_INVALID, "VM %s is a snapshot itself: clone it",
                               vms_text(vm, "name_label"));
        if ((making != SNAPSHOT && refuse_running(vm, operations[making], note)) ||
            vms_list_parts(host, vm, request, &plan.parts, note))
                return note->code;
        plan.vm = vms_fresh_uuid(host);
        if (make_planned(host, making, request, &plan, note))
                return note->code;
        *ret = plan.vm;
        return ERR_NONE;
}

static enum err make_called(struct host *host, enum making making, const struct vms_request *request,
                            struct uuid *ret, struct err_note *note) {
        if (make(host, making, request, ret, note))
                return err_wrap(note, "%s VM %s", operations[making], uuid_format(&request->vm).s);
        return ERR_NONE;
}

enum err vms_snapshot(struct host *host, const struct vms_request *request, struct uuid *ret,
                      struct err_note *note) {
        struct vms_request plain = *request;

        plain.sr = (struct uuid){0};
        return make_called(host, SNAPSHOT, &plain, ret, note);
}

enum err vms_clone(struct host *host, const struct vms_request *request, struct uuid *ret,
                   struct err_note *note) {
        struct vms_request plain = *request;

        plain.sr = (struct uuid){0};
        plain.n_ignore = 0;
        return make_called(host, CLONE, &plain, ret, note);
}

enum err vms_copy(struct host *host, const struct vms_request *request, struct uuid *ret,
                  struct err_note *note) {
        struct vms_request plain = *request;

        plain.n_ignore = 0;
        if (!uuid_is_null(&request->sr) && !host_sr_find(host, &request->sr))
                return err_set(note, ERR_NOT_FOUND, "no SR %s", uuid_format(&request->sr).s);
        return make_called(host, COPY, &plain, ret, note);
}

/* ---- revert ---------------------------------------------------------------------------------- */

/* Of a VBD, by its reference.  False: it is gone, or has none. */
static bool find_vdi(struct host *host, const json_t *ref, struct uuid *ret) {
        AUTO(json_decref) json_t *record = NULL;
        struct uuid vbd;

        if (xapi_ref_parse(json_string_value(ref), &vbd))
                record = objects_get(host->objects, XAPI_VBD, &vbd);
        return vms_refers_to(record, "VDI", ret);
}

static bool is_of_vm(struct host *host, const json_t *vm, const struct uuid *vdi) {
        json_t *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid its;
        size_t i;

        json_array_foreach(refs, i, ref) {
                if (find_vdi(host, ref, &its) && uuid_equal(&its, vdi))
                        return true;
        }
        return false;
}

/* Which disk has the snapshot's content afterwards: the one that it was taken of, where that is still the
 * VM's. */
static void plan_part(struct host *host, const json_t *vm, struct vms_part *part) {
        const struct host_sr *sr = host_sr_find(host, &part->sr);
        const struct vdi *content, *of = NULL;

        part->content = part->vdi;
        if (!sr)
                return;
        turn_take(sr->turn, "vm revert");
        content = sr_get_vdi(sr->sr, &part->content);
        of = content && content->row.is_snapshot ? sr_get_vdi(sr->sr, &content->row.snapshot_of) : NULL;
        if (of)
                part->vdi = of->row.uuid;
        turn_give(sr->turn);
        part->is_in_place = of && is_of_vm(host, vm, &part->vdi);
        if (part->is_in_place)
                part->made = part->vdi;
        else
                part->vdi = part->content;
}

/* What is the VM's and not its content's stays. */
static json_t *reverted_record(const json_t *vm, const json_t *snapshot) {
        static const char *const kept[] = {"uuid",
                                           "name_label",
                                           "name_description",
                                           "is_a_template",
                                           "is_default_template",
                                           "is_a_snapshot",
                                           "snapshot_of",
                                           "snapshots",
                                           "snapshot_time",
                                           "snapshot_info",
                                           "children",
                                           "parent",
                                           "tags",
                                           "blocked_operations",
                                           "current_operations",
                                           "VBDs",
                                           "VIFs",
                                           "metrics",
                                           "guest_metrics",
                                           "affinity"};
        json_t *record = json_copy((json_t *)snapshot);

        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
                json_object_set(record, kept[i], json_object_get(vm, kept[i]));
        set(record, "power_state", json_string("Halted"));
        set(record, "resident_on", json_string(XAPI_NULL_REF));
        set(record, "domid", json_integer(-1));
        return record;
}

static enum err put_reverted(struct host *host, const struct vms_unfinished *plan, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *vm = NULL, *snapshot = NULL;
        json_t *record;

        objects_begin(host->objects, &change);
        if (vms_change_need(change, XAPI_VM, &plan->vm, &vm, note) ||
            vms_change_need(change, XAPI_VM, &plan->snapshot, &snapshot, note))
                return note->code;
        vms_remove_parts(change, vm);
        record = reverted_record(vm, snapshot);
        set(record, "VBDs", json_array());
        set(record, "VIFs", json_array());
        set(record, "guest_metrics", json_string(XAPI_NULL_REF));
        vms_put_metrics(host, change, record);
        objects_put(change, XAPI_VM, &plan->vm, record);
        vms_copy_parts(host, change, snapshot, &plan->vm, &plan->parts, true);
        set_parent(change, &plan->vm, &plan->snapshot);
        vms_refresh_allowed(change, &plan->vm);
        return objects_commit(TAKE(change), NULL, note);
}

static enum err revert_planned(struct host *host, const struct vms_unfinished *plan, struct err_note *note) {
        struct err_note unused;
        enum err failed;

        if (vms_check_closed(host, &plan->parts, note) || vms_unfinished_put(host, plan, note))
                return note->code;
        failed = vms_revert_disks(host, &plan->parts, note);
        if (!failed)
                failed = put_reverted(host, plan, note);
        /* [V3] is for crashes.  Whoever was told that it failed may go on with the disks as they are:
         * nobody reverts them behind his back. */
        (void)!vms_unfinished_drop(host, &plan->vm, &unused);
        return failed;
}

static enum err need_snapshot(struct host *host, const struct uuid *uuid, json_t **ret_snapshot,
                              struct uuid *ret_vm, struct err_note *note) {
        if (vms_need(host, XAPI_VM, uuid, ret_snapshot, note))
                return note->code;
        if (!json_is_true(json_object_get(*ret_snapshot, "is_a_snapshot")) ||
            !vms_refers_to(*ret_snapshot, "snapshot_of", ret_vm))
                return err_set(note, ERR_INVALID, "VM %s is no snapshot",
                               vms_text(*ret_snapshot, "name_label"));
        return ERR_NONE;
}

static enum err revert(struct host *host, const struct uuid *uuid, struct err_note *note) {
        AUTO(vms_operation_end) struct vms_operation operation = {0};
        AUTO(vms_unfinished_fini) struct vms_unfinished plan = {.kind = VMS_REVERTING, .snapshot = *uuid};
        const struct vms_request all = {.vm = *uuid};
        AUTO(json_decref) json_t *snapshot = NULL, *vm = NULL;

        if (need_snapshot(host, uuid, &snapshot, &plan.vm, note) ||
            vms_check_blocked(host, uuid, "revert", note) ||
            vms_operation_begin(host, &plan.vm, "revert", &operation, note) ||
            vms_need(host, XAPI_VM, &plan.vm, &vm, note) ||
            vms_list_parts(host, snapshot, &all, &plan.parts, note))
                return note->code;
        VEC_EACH (&plan.parts.list, each) {
                plan_part(host, vm, each);
        }
        return revert_planned(host, &plan, note);
}

enum err vms_revert(struct host *host, const struct uuid *snapshot, struct err_note *note) {
        if (revert(host, snapshot, note))
                return err_wrap(note, "revert to VM %s", uuid_format(snapshot).s);
        return ERR_NONE;
}

/* ---- at the start ---------------------------------------------------------------------------- */

enum err vms_revert_again(struct host *host, struct vms_unfinished *plan, struct err_note *note) {
        AUTO(json_decref) json_t *vm = objects_get(host->objects, XAPI_VM, &plan->vm);
        AUTO(json_decref) json_t *snapshot = objects_get(host->objects, XAPI_VM, &plan->snapshot);

        if (vm && snapshot && (vms_revert_disks(host, &plan->parts, note) || put_reverted(host, plan, note)))
                return note->code;
        return vms_unfinished_drop(host, &plan->vm, note);
}

static bool is_made(const struct vms_parts *parts, const struct uuid *vdi) {
        VEC_EACH (&parts->list, each) {
                if (uuid_equal(&each->made, vdi))
                        return true;
        }
        return false;
}

/* Where a VM was to be replaced, the record may still be the old one's. */
static bool has_any(struct host *host, const json_t *vm, const struct vms_parts *made) {
        json_t *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid vdi;
        size_t i;

        json_array_foreach(refs, i, ref) {
                if (find_vdi(host, ref, &vdi) && is_made(made, &vdi))
                        return true;
        }
        return made->list.n == 0;
}

/* A VM that has all its disks is whole; of any other nothing stays. */
static enum err recover_made(struct host *host, struct vms_unfinished *plan, struct err_note *note) {
        AUTO(json_decref) json_t *there = objects_get(host->objects, XAPI_VM, &plan->vm);
        const json_t *vm = has_any(host, there, &plan->parts) ? there : NULL;
        bool is_whole;

        if (vms_has_made(host, &plan->parts, &is_whole, note) ||
            (vm && !is_whole && vms_remove_records(host, &plan->vm, note)) ||
            (!(vm && is_whole) && vms_delete_made(host, &plan->parts, note)))
                return note->code;
        return vms_unfinished_drop(host, &plan->vm, note);
}

static enum err recover_one(struct host *host, struct vms_unfinished *plan, struct err_note *note) {
        return plan->kind == VMS_REVERTING ? vms_revert_again(host, plan, note)
                                           : recover_made(host, plan, note);
}

/* No verb is at work; and the disks' records, which are made anew at each start, know whose they are. */
static enum err mend_records(struct host *host, struct err_note *note) {
        AUTO(json_decref) json_t *vms = objects_all(host->objects, XAPI_VM);
        AUTO(json_decref) json_t *vbds = objects_all(host->objects, XAPI_VBD);
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid, vdi;
        json_t *record;
        const char *ref;

        objects_begin(host->objects, &change);
        objects_change_is_volatile(change);
        json_object_foreach(vms, ref, record) {
                if (xapi_ref_parse(ref, &uuid))
                        (void)objects_set(change, XAPI_VM, &uuid, "current_operations", json_object());
        }
        json_object_foreach(vbds, ref, record) {
                if (xapi_ref_parse(ref, &uuid) && vms_refers_to(record, "VDI", &vdi))
                        vms_refs_add(change, XAPI_VDI, &vdi, "VBDs", &uuid);
        }
        return objects_commit(TAKE(change), NULL, note);
}

enum err vms_recover(struct host *host, struct err_note *note) {
        struct err_note later;
        enum err failed = vms_unfinished_each(host, recover_one, note);

        if (mend_records(host, failed ? &later : note) && !failed)
                failed = note->code;
        return failed ? err_wrap(note, "end what was begun with VMs") : ERR_NONE;
}
