// SPDX-License-Identifier: Apache-2.0
/* Settings of VMs that are given to create, and may be changed later by a method of their own. */
#include <stdio.h>
#include <string.h>

#include "xapi_check.h"
#include "xapi_error.h"
#include "xapi_fields.h"
#include "xapi_inside.h"
#include "xapi_method.h"

/* By the method's own name: "VM.set_order" sets the field order. */
static bool set_field(struct xapi_call *call) {
        const char *name = call->method->name + strlen("VM.set_");
        struct uuid vm = xapi_arg_ref(call, 0);
        json_t *value = xapi_check_value(xapi_field_find(XAPI_VM, name), xapi_arg(call, 1));

        return value ? xapi_fields_set(call, XAPI_VM, &vm, name, value) : xapi_fail_type(call, name);
}

static bool set_several(struct xapi_call *call, const char *const *names) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid vm = xapi_arg_ref(call, 0);
        struct err_note note;

        objects_begin(xapi_host(call)->objects, &change);
        for (unsigned i = 0; names[i]; i++)
                if (!objects_set(change, XAPI_VM, &vm, names[i], json_deep_copy(xapi_arg(call, i + 1))))
                        return xapi_fail_handle(call, "VM", xapi_arg_text(call, 0));
        if (objects_commit(TAKE(change), NULL, &note))
                return xapi_fail_of(call, &note, XAPI_VM, &vm, call->name);
        return xapi_give_nothing(call);
}

static bool set_memory_limits(struct xapi_call *call) {
        static const char *const names[] = {"memory_static_min", "memory_static_max", "memory_dynamic_min",
                                            "memory_dynamic_max", NULL};

        return set_several(call, names);
}

static bool set_dynamic_range(struct xapi_call *call) {
        static const char *const names[] = {"memory_dynamic_min", "memory_dynamic_max", NULL};

        return set_several(call, names);
}

static bool set_static_range(struct xapi_call *call) {
        static const char *const names[] = {"memory_static_min", "memory_static_max", NULL};

        return set_several(call, names);
}

/* Those that no card has: "0" to "6". */
static bool free_cards(struct xapi_call *call) {
        AUTO(json_decref) json_t *all = objects_all(xapi_host(call)->objects, XAPI_VIF);
        bool is_taken[7] = {false};
        json_t *list = json_array(), *record;
        const char *ref;

        json_object_foreach(all, ref, record) {
                const char *device = json_string_value(json_object_get(record, "device"));

                if (strcmp(json_string_value(json_object_get(record, "VM")), xapi_arg_text(call, 0)) == 0 &&
                    device[0] >= '0' && device[0] <= '6' && !device[1])
                        is_taken[device[0] - '0'] = true;
        }
        for (unsigned i = 0; i < 7; i++)
                if (!is_taken[i])
                        json_array_append_new(list, json_sprintf("%u", i));
        return xapi_give(call, list);
}

#define END                                                                                                  \
        { {0}, 0 }
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "VM"), END};
static const struct xapi_param value_params[] = {
        XAPI_REF_PARAM("self", "VM"), {.field = {.name = "value"}, .flags = XAPI_ANY}, END};
static const struct xapi_param four_params[] = {XAPI_REF_PARAM("self", "VM"),
                                                XAPI_TYPED_PARAM("static_min", XAPI_INT),
                                                XAPI_TYPED_PARAM("static_max", XAPI_INT),
                                                XAPI_TYPED_PARAM("dynamic_min", XAPI_INT),
                                                XAPI_TYPED_PARAM("dynamic_max", XAPI_INT),
                                                END};
static const struct xapi_param range_params[] = {XAPI_REF_PARAM("self", "VM"),
                                                 XAPI_TYPED_PARAM("min", XAPI_INT),
                                                 XAPI_TYPED_PARAM("max", XAPI_INT), END};

#define VM_METHOD(verb, params, gives, run)                                                                  \
        { "VM." verb, params, gives, ROLE_OPERATOR, 0, run }
#define SETTER(name) VM_METHOD("set_" name, value_params, XAPI_GIVES_NOTHING, set_field)

const struct xapi_method xapi_vm_field_methods[] = {
        SETTER("memory_static_max"),
        SETTER("memory_static_min"),
        SETTER("memory_dynamic_max"),
        SETTER("memory_dynamic_min"),
        SETTER("VCPUs_max"),
        SETTER("VCPUs_at_startup"),
        SETTER("actions_after_crash"),
        SETTER("HVM_boot_policy"),
        SETTER("HVM_shadow_multiplier"),
        SETTER("bios_strings"),
        SETTER("domain_type"),
        SETTER("NVRAM"),
        SETTER("has_vendor_device"),
        SETTER("ha_always_run"),
        SETTER("ha_restart_priority"),
        SETTER("start_delay"),
        SETTER("shutdown_delay"),
        SETTER("order"),
        SETTER("suspend_VDI"),
        VM_METHOD("set_memory_limits", four_params, XAPI_GIVES_NOTHING, set_memory_limits),
        VM_METHOD("set_memory_dynamic_range", range_params, XAPI_GIVES_NOTHING, set_dynamic_range),
        VM_METHOD("set_memory_static_range", range_params, XAPI_GIVES_NOTHING, set_static_range),
        VM_METHOD("get_allowed_VIF_devices", self_params, XAPI_GIVES(XAPI_STRINGS), free_cards),
        {0},
};
