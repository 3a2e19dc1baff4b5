// SPDX-License-Identifier: Apache-2.0
/* VMs: records that group disks, and what is done to all of these at once. */
#include "vms.h"
#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"

static bool fail_vm(struct xapi_call *call, const struct err_note *note, const struct uuid *vm) {
        if (note->code == ERR_DENIED)
                return xapi_fail(call, "OPERATION_BLOCKED", xapi_ref_of(vm).s, note->text, NULL);
        return xapi_fail_of(call, note, XAPI_VM, vm, call->name);
}

/* The disks' records are there when the VM's is told of. */
static bool give_vm(struct xapi_call *call, const struct uuid *vm) {
        xapi_mirror_all(call->xapi->mirror);
        return xapi_give_ref(call, vm);
}

/* ---- made, deleted --------------------------------------------------------------------------- */

static bool create(struct xapi_call *call) {
        json_t *record = (json_t *)xapi_arg(call, 0);
        struct vms_options options = {.name = json_string_value(json_object_get(record, "name_label")),
                                      .description =
                                              json_string_value(json_object_get(record, "name_description")),
                                      .fields = record};
        struct uuid vm = {{0}};
        struct err_note note;

        if (vms_create(xapi_host(call), &options, &vm, &note))
                return fail_vm(call, &note, &vm);
        return give_vm(call, &vm);
}

static bool destroy(struct xapi_call *call) {
        struct uuid vm = xapi_arg_ref(call, 0);
        struct err_note note;

        if (vms_destroy(xapi_host(call), &vm, false, &note))
                return fail_vm(call, &note, &vm);
        return xapi_give_nothing(call);
}

/* ---- all disks at once ----------------------------------------------------------------------- */

typedef enum err (*vms_fork)(struct host *, const struct vms_request *, struct uuid *ret, struct err_note *);

static bool fork_vm(struct xapi_call *call, vms_fork fork_it, struct vms_request *request) {
        struct uuid made = {{0}};
        struct err_note note;

        request->vm = xapi_arg_ref(call, 0);
        request->name = xapi_arg_text(call, 1);
        request->progress = xapi_progress(call);
        if (fork_it(xapi_host(call), request, &made, &note))
                return fail_vm(call, &note, &request->vm);
        return give_vm(call, &made);
}

static bool take_snapshot(struct xapi_call *call) {
        const json_t *refs = xapi_arg(call, 2);
        VEC(struct uuid) ignored = {0};
        struct vms_request request = {0};
        json_t *each;
        bool is_done;
        size_t i;

        json_array_foreach((json_t *)refs, i,
                           each) if (xapi_ref_parse(json_string_value(each), vec_add(&ignored)) == false)
                ignored.n--;
        request.ignore = ignored.data;
        request.n_ignore = ignored.n;
        is_done = fork_vm(call, vms_snapshot, &request);
        vec_fini(&ignored);
        return is_done;
}

static bool make_clone(struct xapi_call *call) {
        struct vms_request request = {0};

        return fork_vm(call, vms_clone, &request);
}

static bool copy(struct xapi_call *call) {
        struct vms_request request = {.sr = xapi_arg_ref(call, 2)};

        return fork_vm(call, vms_copy, &request);
}

static bool revert(struct xapi_call *call) {
        struct uuid snapshot = xapi_arg_ref(call, 0);
        struct err_note note;

        if (vms_revert(xapi_host(call), &snapshot, &note))
                return fail_vm(call, &note, &snapshot);
        xapi_mirror_all(call->xapi->mirror);
        return xapi_give_nothing(call);
}

/* ---- state ----------------------------------------------------------------------------------- */

static bool start(struct xapi_call *call) {
        return xapi_fail_not_allowed(
                call, "this host stores the disks of VMs, and runs none: start it where it runs, "
                      "with its disks by NBD");
}

/* What is done to a VM that runs: one that is halted is not in the state for it, any other runs elsewhere. */
static bool refuse_running(struct xapi_call *call, const char *why) {
        struct uuid vm = xapi_arg_ref(call, 0);
        AUTO(json_decref)
        json_t *state = objects_field(xapi_host(call)->objects, XAPI_VM, &vm, "power_state");

        if (strcmp(json_string_value(state), "Halted") == 0)
                return xapi_fail(call, "VM_BAD_POWER_STATE", xapi_arg_text(call, 0), "running", "halted",
                                 NULL);
        return xapi_fail_not_allowed(call, why);
}

static bool shut_down(struct xapi_call *call) {
        return refuse_running(call, "this host runs no VMs: shut it down where it runs, then say so by "
                                    "VM.power_state_reset");
}

static bool checkpoint(struct xapi_call *call) {
        return refuse_running(call, "a checkpoint holds the memory of a VM, which this host has not: take a "
                                    "snapshot, which holds its disks");
}

static bool reset_state(struct xapi_call *call) {
        struct uuid vm = xapi_arg_ref(call, 0);
        struct err_note note;

        if (vms_set_power_state(xapi_host(call), &vm, "Halted", &note))
                return fail_vm(call, &note, &vm);
        return xapi_give_nothing(call);
}

static bool assert_valid(struct xapi_call *call) {
        struct uuid vm = xapi_arg_ref(call, 0);
        struct err_note note;

        if (vms_check_blocked(xapi_host(call), &vm, xapi_arg_text(call, 1), &note))
                return fail_vm(call, &note, &vm);
        return xapi_give_nothing(call);
}

static bool update_operations(struct xapi_call *call) {
        struct uuid vm = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *record = xapi_fields_record(call, XAPI_VM, &vm);

        return record &&
               xapi_fields_set(call, XAPI_VM, &vm, "allowed_operations", vms_allowed_operations(record));
}

/* ---- places for devices ---------------------------------------------------------------------- */

static bool free_disks(struct xapi_call *call) {
        struct uuid vm = xapi_arg_ref(call, 0);

        return xapi_give(call, vms_free_devices(xapi_host(call), &vm));
}

/* ---- the table ------------------------------------------------------------------------------- */

#define END                                                                                                  \
        { {0}, 0 }
static const struct xapi_param record_params[] = {
        {.field = {.name = "record", .type = XAPI_REF, .of = "VM"}, .flags = XAPI_RECORD}, END};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "VM"), END};
static const struct xapi_param snapshot_params[] = {
        XAPI_REF_PARAM("vm", "VM"),
        XAPI_TEXT_PARAM("new_name"),
        {.field = {.name = "ignore_vdis", .type = XAPI_REFS, .of = "VDI"}, .flags = XAPI_OPTIONAL},
        END};
static const struct xapi_param clone_params[] = {XAPI_REF_PARAM("vm", "VM"), XAPI_TEXT_PARAM("new_name"),
                                                 END};
static const struct xapi_param copy_params[] = {
        XAPI_REF_PARAM("vm", "VM"),
        XAPI_TEXT_PARAM("new_name"),
        {.field = {.name = "sr", .type = XAPI_REF, .of = "SR"}, .flags = XAPI_NULLABLE},
        END};
static const struct xapi_param start_params[] = {XAPI_REF_PARAM("vm", "VM"),
                                                 XAPI_TYPED_PARAM("start_paused", XAPI_BOOL),
                                                 XAPI_TYPED_PARAM("force", XAPI_BOOL), END};
static const struct xapi_param operation_params[] = {XAPI_REF_PARAM("self", "VM"), XAPI_TEXT_PARAM("op"),
                                                     END};

#define VM_METHOD(verb, params, gives, run)                                                                  \
        { "VM." verb, params, gives, ROLE_OPERATOR, XAPI_SLOW, run }

const struct xapi_method xapi_vm_methods[] = {
        VM_METHOD("create", record_params, XAPI_GIVES(XAPI_REF), create),
        VM_METHOD("destroy", self_params, XAPI_GIVES_NOTHING, destroy),
        VM_METHOD("snapshot", snapshot_params, XAPI_GIVES(XAPI_REF), take_snapshot),
        VM_METHOD("checkpoint", clone_params, XAPI_GIVES(XAPI_REF), checkpoint),
        VM_METHOD("clone", clone_params, XAPI_GIVES(XAPI_REF), make_clone),
        VM_METHOD("copy", copy_params, XAPI_GIVES(XAPI_REF), copy),
        VM_METHOD("revert", self_params, XAPI_GIVES_NOTHING, revert),
        VM_METHOD("start", start_params, XAPI_GIVES_NOTHING, start),
        VM_METHOD("resume", start_params, XAPI_GIVES_NOTHING, start),
        VM_METHOD("shutdown", self_params, XAPI_GIVES_NOTHING, shut_down),
        VM_METHOD("clean_shutdown", self_params, XAPI_GIVES_NOTHING, shut_down),
        VM_METHOD("hard_shutdown", self_params, XAPI_GIVES_NOTHING, shut_down),
        VM_METHOD("power_state_reset", self_params, XAPI_GIVES_NOTHING, reset_state),
        VM_METHOD("assert_operation_valid", operation_params, XAPI_GIVES_NOTHING, assert_valid),
        VM_METHOD("update_allowed_operations", self_params, XAPI_GIVES_NOTHING, update_operations),
        VM_METHOD("get_allowed_VBD_devices", self_params, XAPI_GIVES(XAPI_STRINGS), free_disks),
        {0},
};
