// SPDX-License-Identifier: Apache-2.0
/* Disks in VMs. */
#include "vms.h"
#include "xapi_check.h"
#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"

static bool fail_vbd(struct xapi_call *call, const struct err_note *note, const struct uuid *vbd) {
        if (note->code == ERR_EXISTS)
                return xapi_fail(call, "DEVICE_ALREADY_EXISTS", note->text, NULL);
        return xapi_fail_of(call, note, XAPI_VBD, vbd, call->name);
}

static bool create(struct xapi_call *call) {
        const json_t *record = xapi_arg(call, 0);
        const char *vm = json_string_value(json_object_get(record, "VM"));
        const char *vdi = json_string_value(json_object_get(record, "VDI"));
        struct uuid uuid = {{0}}, unused;
        struct err_note note;

        if (!xapi_check_required(call, XAPI_VBD, record) || !xapi_check_ref(call, "VM", vm, &unused))
                return false;
        if (vdi && strcmp(vdi, XAPI_NULL_REF) != 0 && !xapi_check_ref(call, "VDI", vdi, &unused))
                return false;
        if (vms_vbd_create(xapi_host(call), (json_t *)record, &uuid, &note))
                return fail_vbd(call, &note, &uuid);
        return xapi_give_ref(call, &uuid);
}

static bool destroy(struct xapi_call *call) {
        struct uuid uuid = xapi_arg_ref(call, 0);
        struct err_note note;

        if (vms_vbd_destroy(xapi_host(call), &uuid, &note))
                return fail_vbd(call, &note, &uuid);
        return xapi_give_nothing(call);
}

static bool is_attached(struct xapi_call *call) {
        struct uuid uuid = xapi_arg_ref(call, 0);
        AUTO(json_decref)
        json_t *attached = objects_field(xapi_host(call)->objects, XAPI_VBD, &uuid, "currently_attached");

        return json_is_true(attached);
}

/* Who runs the VM plugs and unplugs: it is not us. */
static bool plug(struct xapi_call *call) {
        if (is_attached(call))
                return xapi_fail(call, "DEVICE_ALREADY_ATTACHED", xapi_arg_text(call, 0), NULL);
        return xapi_fail_not_allowed(call, "this host runs no VMs: a guest gets its disks by NBD");
}

static bool unplug(struct xapi_call *call) {
        if (!is_attached(call))
                return xapi_fail(call, "DEVICE_ALREADY_DETACHED", xapi_arg_text(call, 0), NULL);
        return xapi_fail_not_allowed(call, "this host runs no VMs: whoever runs this one has the disk");
}

static bool set_mode(struct xapi_call *call) {
        struct uuid uuid = xapi_arg_ref(call, 0);

        return xapi_fields_set(call, XAPI_VBD, &uuid, "mode", json_deep_copy(xapi_arg(call, 1)));
}

static const struct xapi_param record_params[] = {
        {.field = {.name = "record", .type = XAPI_REF, .of = "VBD"}, .flags = XAPI_RECORD}, {{0}, 0}};
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "VBD"), {{0}, 0}};
static const struct xapi_param mode_params[] = {
        XAPI_REF_PARAM("self", "VBD"),
        {.field = {.name = "value", .type = XAPI_ENUM, .of = "RO|RW"}},
        {{0}, 0}};

#define VBD_METHOD(verb, params, gives, run)                                                                 \
        { "VBD." verb, params, gives, ROLE_OPERATOR, XAPI_SLOW, run }

const struct xapi_method xapi_vbd_methods[] = {
        VBD_METHOD("create", record_params, XAPI_GIVES(XAPI_REF), create),
        VBD_METHOD("destroy", self_params, XAPI_GIVES_NOTHING, destroy),
        VBD_METHOD("plug", self_params, XAPI_GIVES_NOTHING, plug),
        VBD_METHOD("unplug", self_params, XAPI_GIVES_NOTHING, unplug),
        VBD_METHOD("unplug_force", self_params, XAPI_GIVES_NOTHING, unplug),
        VBD_METHOD("set_mode", mode_params, XAPI_GIVES_NOTHING, set_mode),
        {0},
};
