// SPDX-License-Identifier: Apache-2.0
#include "xva_vm.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "xva_records.h"

/* ---- finding --------------------------------------------------------------------------------- */

static bool is_of_class(const json_t *object, enum xapi_class_id class) {
        const char *name = json_string_value(json_object_get(object, "class"));

        return name && strcmp(name, xapi_classes[class].name) == 0;
}

static const char *id_of(const json_t *object) {
        return json_string_value(json_object_get(object, "id"));
}

static const char *text_of(const json_t *record, const char *field) {
        const char *text = json_string_value(json_object_get(record, field));

        return text ? text : "";
}

/* Not one of its snapshots, whose records may go with it. */
const json_t *xva_vm_find(const struct xva_ova *ova) {
        const json_t *first = NULL;
        json_t *object;
        size_t i;

        json_array_foreach(ova->objects, i, object) {
                json_t *record = json_object_get(object, "snapshot");

                if (!is_of_class(object, XAPI_VM))
                        continue;
                if (!json_is_true(json_object_get(record, "is_a_snapshot")))
                        return object;
                first = first ? first : object;
        }
        return first;
}

json_t *xva_vm_record(const struct xva_ova *ova, enum xapi_class_id class, const char *id) {
        json_t *object;
        size_t i;

        json_array_foreach(ova->objects, i, object) if (is_of_class(object, class) &&
                                                        strcmp(id_of(object), id) ==
                                                                0) return json_object_get(object, "snapshot");
        return NULL;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Fields that say what went on there, by class; they begin anew. */
static bool begins_anew(const char *field) {
        static const char *const names[] = {
                "uuid",
                "allowed_operations",
                "current_operations",
                "power_state",
                "domid",
                "is_a_snapshot",
                "snapshot_time",
                "snapshot_info",
                "is_default_template",
                "is_control_domain",
                "ha_always_run",
                "ha_restart_priority",
                "transportable_snapshot_id",
                "currently_attached",
                "sm_config",
                "cbt_enabled",
                "physical_utilisation",
                "location",
                "managed",
                "missing",
                "read_only",
                "storage_lock",
                "last_booted_record",
                "pending_guidances",
        };

        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                if (strcmp(field, names[i]) == 0)
                        return true;
        return false;
}

static bool is_reference(const struct xapi_field *field) {
        return field->type == XAPI_REF || field->type == XAPI_REFS || field->type == XAPI_REF_MAP;
}

/* As far as this host takes it. */
static json_t *record_from(enum xapi_class_id class, const json_t *from, const struct uuid *uuid) {
        json_t *record = xapi_record_new(class, uuid);

        for (const struct xapi_field *field = xapi_classes[class].fields; field->name; field++) {
                json_t *value = json_object_get(from, field->name);
                struct err_note unused;

                if (value && !is_reference(field) && !begins_anew(field->name) &&
                    !xapi_value_check(field, value, &unused))
                        json_object_set(record, field->name, value);
        }
        return record;
}

static void set_ref(json_t *record, const char *field, const struct uuid *uuid) {
        json_object_set_new(record, field, json_string(xapi_ref_of(uuid).s));
}

static void add_ref(json_t *record, const char *field, const struct uuid *uuid) {
        json_t *old = json_object_get(record, field),
               *set = json_is_array(old) ? json_copy(old) : json_array();

        json_array_append_new(set, json_string(xapi_ref_of(uuid).s));
        json_object_set_new(record, field, set);
}

static struct uuid new_uuid(const struct xva_vm *vm) {
        uint8_t dice[16];

        io_random(vm->host->io, dice, sizeof dice);
        return uuid_from_random(dice);
}

static json_int_t version_of(const json_t *record) {
        return json_integer_value(json_object_get(record, "version"));
}

static json_t *vm_record(const struct xva_vm *vm) {
        const json_t *from = json_object_get(vm->object, "snapshot");
        json_t *record = record_from(XAPI_VM, from, &vm->uuid);

        json_object_set_new(record, "version", json_integer(vm->ask.restores ? version_of(from) + 1 : 0));
        json_object_set_new(record, "power_state", json_string("Halted"));
        json_object_set_new(record, "allowed_operations", vms_allowed_operations(record));
        return record;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static struct uuid choose_uuid(const struct xva_vm *vm) {
        struct uuid uuid;

        if (!vm->ask.restores ||
            !uuid_parse(text_of(json_object_get(vm->object, "snapshot"), "uuid"), &uuid) ||
            uuid_is_null(&uuid))
                return new_uuid(vm);
        return uuid;
}

static enum err check_replaceable(const struct xva_vm *vm, const json_t *there, struct err_note *note) {
        const char *name = text_of(there, "name_label"), *state = text_of(there, "power_state");
        json_int_t version = version_of(json_object_get(vm->object, "snapshot"));

        if (json_is_true(json_object_get(there, "is_a_snapshot")))
                return err_set(note, ERR_BUSY, "VM %s, which has the uuid %s, is a snapshot", name,
                               uuid_format(&vm->uuid).s);
        if (strcmp(state, "Halted") != 0)
                return err_set(note, ERR_BUSY, "VM %s, which would be replaced, is %s: halt it first", name,
                               state);
        if (!vm->ask.is_forced && version_of(there) >= version)
                return err_set(note, ERR_EXISTS,
                               "VM %s is there, of version %" JSON_INTEGER_FORMAT
                               ", and the archive's is %" JSON_INTEGER_FORMAT
                               ": only a forced import replaces it",
                               name, version_of(there), version);
        return ERR_NONE;
}

static enum err begin_replacing(struct xva_vm *vm, struct err_note *note) {
        AUTO(vms_operation_end) struct vms_operation operation = {0};
        AUTO(json_decref) json_t *there = NULL;

        if (vms_operation_begin(vm->host, &vm->uuid, "import", &operation, note) ||
            vms_check_blocked(vm->host, &vm->uuid, "destroy", note))
                return note->code;
        there = objects_get(vm->host->objects, XAPI_VM, &vm->uuid);
        if (check_replaceable(vm, there, note))
                return note->code;
        vm->replaces = operation;
        operation = (struct vms_operation){0};
        return ERR_NONE;
}

enum err xva_vm_begin(struct xva_vm *vm, struct host *host, const struct xva_ova *ova,
                      const struct xva_vm_ask *ask, struct err_note *note) {
        AUTO(json_decref) json_t *there = NULL;
        struct objects_change *change;
        json_t *record;

        *vm = (struct xva_vm){.host = host, .ova = ova, .ask = *ask, .object = xva_vm_find(ova)};
        if (!vm->object)
                return err_set(note, ERR_CORRUPT, "ova.xml: there is no VM");
        vm->uuid = choose_uuid(vm);
        there = objects_get(host->objects, XAPI_VM, &vm->uuid);
        if (there)
                return begin_replacing(vm, note);
        objects_begin(host->objects, &change);
        record = vm_record(vm);
        if (!uuid_is_null(&ask->task))
                json_object_set_new(record, "current_operations",
                                    json_pack("{s:s}", xapi_ref_of(&ask->task).s, "import"));
        objects_put(change, XAPI_VM, &vm->uuid, record);
        objects_change_is_volatile(change);
        return objects_commit(change, NULL, note);
}

void xva_vm_abort(struct xva_vm *vm) {
        struct objects_change *change;
        struct err_note ignored;

        if (vm->replaces.host) {
                vms_operation_end(&vm->replaces);
                return;
        }
        objects_begin(vm->host->objects, &change);
        (void)objects_remove(change, XAPI_VM, &vm->uuid);
        objects_change_is_volatile(change);
        if (objects_commit(change, NULL, &ignored))
                return; /* it is in no store, and goes with the process */
}

/* ---- networks -------------------------------------------------------------------------------- */

/* By its name. */
static bool find_network(const struct xva_vm *vm, const char *name, struct uuid *ret) {
        AUTO(json_decref) json_t *all = objects_all(vm->host->objects, XAPI_NETWORK);
        const char *ref;
        json_t *record;

        json_object_foreach(all, ref, record) if (*name && strcmp(text_of(record, "name_label"), name) ==
                                                                   0) return xapi_ref_parse(ref, ret);
        return false;
}

/* from has the reference of the archive; the network is told of the VIF. */
static void put_network(const struct xva_vm *vm, struct objects_change *change, const json_t *from,
                        json_t *vif, const struct uuid *vif_uuid) {
        json_t *there = xva_vm_record(vm->ova, XAPI_NETWORK, text_of(from, "network")), *record;
        AUTO(json_decref) json_t *ours = NULL;
        struct uuid uuid;

        if (!there)
                return;
        if (!uuid_parse(text_of(there, "uuid"), &uuid))
                uuid = new_uuid(vm);
        ours = objects_change_get(change, XAPI_NETWORK, &uuid);
        if (!ours && find_network(vm, text_of(there, "name_label"), &uuid))
                ours = objects_change_get(change, XAPI_NETWORK, &uuid);
        record = ours ? json_copy(ours) : record_from(XAPI_NETWORK, there, &uuid);
        add_ref(record, "VIFs", vif_uuid);
        set_ref(vif, "network", &uuid);
        objects_put(change, XAPI_NETWORK, &uuid, record);
}

/* One that no card has: it is locally administered, and of one machine. */
static void new_mac(const struct xva_vm *vm, json_t *vif) {
        uint8_t dice[6];
        char text[18];

        io_random(vm->host->io, dice, sizeof dice);
        dice[0] = (uint8_t)((dice[0] | 2) & ~1);
        snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", dice[0], dice[1], dice[2], dice[3],
                 dice[4], dice[5]);
        json_object_set_new(vif, "MAC", json_string(text));
        json_object_set_new(vif, "MAC_autogenerated", json_true());
}

/* ---- committing ------------------------------------------------------------------------------ */

static const struct xva_vm_disk *find_disk(const struct xva_vm_disk *disks, size_t n, const char *ref) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(disks[i].ref, ref) == 0)
                        return &disks[i];
        return NULL;
}

/* Whoever keeps records of VDIs may have made it by now, or will see that it is there. */
static void put_vdi(const struct xva_vm *vm, struct objects_change *change, const struct xva_vm_disk *disk,
                    const struct uuid *vbd) {
        AUTO(json_decref) json_t *there = objects_change_get(change, XAPI_VDI, &disk->vdi);
        json_t *record;

        if (there) {
                record = json_copy(there);
        } else {
                record = record_from(XAPI_VDI, xva_vm_record(vm->ova, XAPI_VDI, disk->ref), &disk->vdi);
                set_ref(record, "SR", &disk->sr);
                json_object_set_new(record, "virtual_size", json_integer((json_int_t)disk->size));
                json_object_set_new(record, "location", json_string(uuid_format(&disk->vdi).s));
        }
        add_ref(record, "VBDs", vbd);
        objects_put(change, XAPI_VDI, &disk->vdi, record);
}

static void put_vbd(const struct xva_vm *vm, struct objects_change *change, const json_t *from, json_t *of_vm,
                    const struct xva_vm_disk *disks, size_t n) {
        const struct xva_vm_disk *disk = find_disk(disks, n, text_of(from, "VDI"));
        const struct uuid uuid = new_uuid(vm);
        json_t *record = record_from(XAPI_VBD, from, &uuid);

        set_ref(record, "VM", &vm->uuid);
        json_object_set_new(record, "empty", json_boolean(!disk));
        if (disk) {
                set_ref(record, "VDI", &disk->vdi);
                put_vdi(vm, change, disk, &uuid);
        }
        add_ref(of_vm, "VBDs", &uuid);
        objects_put(change, XAPI_VBD, &uuid, record);
}

static void put_vif(const struct xva_vm *vm, struct objects_change *change, const json_t *from,
                    json_t *of_vm) {
        const struct uuid uuid = new_uuid(vm);
        json_t *record = record_from(XAPI_VIF, from, &uuid);

        set_ref(record, "VM", &vm->uuid);
        if (!vm->ask.restores || !*text_of(record, "MAC"))
                new_mac(vm, record);
        put_network(vm, change, from, record, &uuid);
        add_ref(of_vm, "VIFs", &uuid);
        objects_put(change, XAPI_VIF, &uuid, record);
}

/* What hangs on its uuid is the new one's from now on. */
static void remove_replaced(struct xva_vm *vm, struct objects_change *change, json_t *of_vm) {
        static const char *const kept[] = {"snapshots", "parent", "children"};
        AUTO(json_decref) json_t *there = objects_change_get(change, XAPI_VM, &vm->uuid);

        vms_remove_parts(change, there);
        for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++)
                json_object_set(of_vm, kept[i], json_object_get(there, kept[i]));
}

enum err xva_vm_commit(struct xva_vm *vm, const struct xva_vm_disk *disks, size_t n, struct err_note *note) {
        json_t *of_vm = vm_record(vm), *object;
        struct objects_change *change;
        size_t i;

        objects_begin(vm->host->objects, &change);
        if (vm->replaces.host)
                remove_replaced(vm, change, of_vm);
        json_array_foreach(vm->ova->objects, i, object) {
                const json_t *from = json_object_get(object, "snapshot");

                if (strcmp(text_of(from, "VM"), id_of(vm->object)) != 0)
                        continue;
                if (is_of_class(object, XAPI_VBD))
                        put_vbd(vm, change, from, of_vm, disks, n);
                else if (is_of_class(object, XAPI_VIF))
                        put_vif(vm, change, from, of_vm);
        }
        objects_put(change, XAPI_VM, &vm->uuid, of_vm);
        if (objects_commit(change, NULL, note))
                return note->code;
        vms_operation_end(&vm->replaces);
        return ERR_NONE;
}
