// SPDX-License-Identifier: Apache-2.0
/* What a VM is made of: references, VBDs, VIFs, metrics; and the one verb that is at work on it. */
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "vms_inside.h"

/* ---- words ----------------------------------------------------------------------------------- */

struct uuid vms_fresh_uuid(struct host *host) {
        uint8_t dice[16];

        io_random(host->io, dice, sizeof dice);
        return uuid_from_random(dice);
}

json_t *vms_ref(const struct uuid *uuid) {
        struct xapi_ref ref = xapi_ref_of(uuid);

        return json_string(ref.s);
}

const char *vms_text(const json_t *record, const char *field) {
        const char *text = json_string_value(json_object_get(record, field));

        return text ? text : "";
}

bool vms_refers_to(const json_t *record, const char *field, struct uuid *ret) {
        return xapi_ref_parse(vms_text(record, field), ret);
}

struct xapi_time vms_now(struct host *host) {
        return xapi_time_of(io_wall_ns(host->io) / 1000000000);
}

static json_t *without(const json_t *refs, const char *ref) {
        json_t *list = json_array(), *each;
        size_t i;

        json_array_foreach((json_t *)refs, i, each) {
                if (strcmp(json_string_value(each), ref) != 0)
                        json_array_append(list, each);
        }
        return list;
}

static void change_refs(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                        const char *field, const struct uuid *ref, bool is_in) {
        AUTO(json_decref) json_t *record = objects_change_get(change, class, uuid);
        struct xapi_ref text = xapi_ref_of(ref);
        json_t *list;

        if (!record)
                return;
        list = without(json_object_get(record, field), text.s);
        if (is_in)
                json_array_append_new(list, json_string(text.s));
        (void)objects_set(change, class, uuid, field, list);
}

void vms_refs_add(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                  const char *field, const struct uuid *ref) {
        change_refs(change, class, uuid, field, ref, true);
}

void vms_refs_remove(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                     const char *field, const struct uuid *ref) {
        change_refs(change, class, uuid, field, ref, false);
}

static enum err not_there(enum xapi_class_id class, const struct uuid *uuid, struct err_note *note) {
        return err_set(note, ERR_NOT_FOUND, "no %s %s", xapi_classes[class].name, uuid_format(uuid).s);
}

enum err vms_need(struct host *host, enum xapi_class_id class, const struct uuid *uuid, json_t **ret,
                  struct err_note *note) {
        *ret = objects_get(host->objects, class, uuid);
        return *ret ? ERR_NONE : not_there(class, uuid, note);
}

enum err vms_change_need(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                         json_t **ret, struct err_note *note) {
        *ret = objects_change_get(change, class, uuid);
        return *ret ? ERR_NONE : not_there(class, uuid, note);
}

enum err vms_find(struct host *host, const char *text, struct uuid *ret, struct err_note *note) {
        AUTO(json_decref) json_t *all = objects_all(host->objects, XAPI_VM);
        struct uuid uuid, found = {{0}};
        json_t *record;
        const char *ref;

        if (uuid_parse(text, &uuid) && json_object_get(all, xapi_ref_of(&uuid).s)) {
                *ret = uuid;
                return ERR_NONE;
        }
        json_object_foreach(all, ref, record) {
                if (strcmp(vms_text(record, "name_label"), text) != 0 || !xapi_ref_parse(ref, &uuid))
                        continue;
                if (!uuid_is_null(&found))
                        return err_set(note, ERR_INVALID,
                                       "two VMs are named \"%s\": %s and %s; say which by its uuid", text,
                                       uuid_format(&found).s, uuid_format(&uuid).s);
                found = uuid;
        }
        if (uuid_is_null(&found))
                return err_set(note, ERR_NOT_FOUND, "no VM has the name or uuid \"%s\"", text);
        *ret = found;
        return ERR_NONE;
}

/* ---- one verb at a time ---------------------------------------------------------------------- */

static enum err refuse_blocked(const json_t *vm, const char *operation, struct err_note *note) {
        const json_t *why = json_object_get(json_object_get(vm, "blocked_operations"), operation);

        if (!why)
                return ERR_NONE;
        return err_set(note, ERR_DENIED, "%s of VM %s is blocked: %s", operation, vms_text(vm, "name_label"),
                       json_string_value(why));
}

enum err vms_check_blocked(struct host *host, const struct uuid *vm, const char *operation,
                           struct err_note *note) {
        AUTO(json_decref) json_t *record = NULL;

        if (vms_need(host, XAPI_VM, vm, &record, note))
                return note->code;
        return refuse_blocked(record, operation, note);
}

static enum err refuse_busy(json_t *vm, struct err_note *note) {
        const char *key;
        json_t *operation;

        json_object_foreach(json_object_get(vm, "current_operations"), key, operation) {
                return err_set(note, ERR_BUSY, "VM %s is busy: %s", vms_text(vm, "name_label"),
                               json_string_value(operation));
        }
        return ERR_NONE;
}

enum err vms_operation_begin(struct host *host, const struct uuid *vm, const char *operation,
                             struct vms_operation *ret, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *record = NULL;
        struct uuid key = vms_fresh_uuid(host);
        json_t *operations;

        objects_begin(host->objects, &change);
        objects_change_is_volatile(change);
        if (vms_change_need(change, XAPI_VM, vm, &record, note) || refuse_blocked(record, operation, note) ||
            refuse_busy(record, note))
                return note->code;
        operations = json_object();
        json_object_set_new(operations, xapi_ref_of(&key).s, json_string(operation));
        (void)objects_set(change, XAPI_VM, vm, "current_operations", operations);
        if (objects_commit(TAKE(change), NULL, note))
                return note->code;
        *ret = (struct vms_operation){.host = host, .vm = *vm, .key = key};
        return ERR_NONE;
}

void vms_operation_end(struct vms_operation *operation) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct err_note unused;

        if (!operation->host)
                return;
        objects_begin(operation->host->objects, &change);
        objects_change_is_volatile(change);
        (void)objects_set(change, XAPI_VM, &operation->vm, "current_operations", json_object());
        (void)!objects_commit(TAKE(change), NULL, &unused);
        *operation = (struct vms_operation){0};
}

/* ---- VBDs, VIFs ------------------------------------------------------------------------------ */

void vms_put_vbd(struct objects_change *change, const struct uuid *uuid, json_t *record) {
        struct uuid vm, vdi;
        bool has_vm = vms_refers_to(record, "VM", &vm), has_vdi = vms_refers_to(record, "VDI", &vdi);

        objects_put(change, XAPI_VBD, uuid, record);
        if (has_vm)
                vms_refs_add(change, XAPI_VM, &vm, "VBDs", uuid);
        if (has_vdi)
                vms_refs_add(change, XAPI_VDI, &vdi, "VBDs", uuid);
}

void vms_remove_vbd(struct objects_change *change, const struct uuid *uuid) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VBD, uuid);
        struct uuid vm, vdi;

        if (vms_refers_to(record, "VM", &vm))
                vms_refs_remove(change, XAPI_VM, &vm, "VBDs", uuid);
        if (vms_refers_to(record, "VDI", &vdi))
                vms_refs_remove(change, XAPI_VDI, &vdi, "VBDs", uuid);
        (void)objects_remove(change, XAPI_VBD, uuid);
}

void vms_put_vif(struct objects_change *change, const struct uuid *uuid, json_t *record) {
        struct uuid vm, network;
        bool has_vm = vms_refers_to(record, "VM", &vm);
        bool has_network = vms_refers_to(record, "network", &network);

        objects_put(change, XAPI_VIF, uuid, record);
        if (has_vm)
                vms_refs_add(change, XAPI_VM, &vm, "VIFs", uuid);
        if (has_network)
                vms_refs_add(change, XAPI_NETWORK, &network, "VIFs", uuid);
}

void vms_remove_vif(struct objects_change *change, const struct uuid *uuid) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VIF, uuid);
        struct uuid vm, network;

        if (vms_refers_to(record, "VM", &vm))
                vms_refs_remove(change, XAPI_VM, &vm, "VIFs", uuid);
        if (vms_refers_to(record, "network", &network))
                vms_refs_remove(change, XAPI_NETWORK, &network, "VIFs", uuid);
        (void)objects_remove(change, XAPI_VIF, uuid);
}

static void remove_each(struct objects_change *change, const json_t *vm, const char *field,
                        void (*remove)(struct objects_change *, const struct uuid *)) {
        json_t *refs = json_object_get(vm, field), *ref;
        struct uuid uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &uuid))
                        remove(change, &uuid);
        }
}

void vms_remove_parts(struct objects_change *change, const json_t *vm) {
        struct uuid metrics;

        remove_each(change, vm, "VBDs", vms_remove_vbd);
        remove_each(change, vm, "VIFs", vms_remove_vif);
        if (vms_refers_to(vm, "metrics", &metrics))
                (void)objects_remove(change, XAPI_VM_METRICS, &metrics);
        if (vms_refers_to(vm, "guest_metrics", &metrics))
                (void)objects_remove(change, XAPI_VM_GUEST_METRICS, &metrics);
}

void vms_put_metrics(struct host *host, struct objects_change *change, json_t *vm) {
        struct uuid own = vms_fresh_uuid(host), copy = vms_fresh_uuid(host), guest;
        json_t *count = json_object_get(vm, "VCPUs_max"), *record = NULL;
        struct xapi_time now = vms_now(host);

        objects_put(change, XAPI_VM_METRICS, &own, NULL);
        (void)objects_set(change, XAPI_VM_METRICS, &own, "VCPUs_number", json_incref(count));
        (void)objects_set(change, XAPI_VM_METRICS, &own, "last_updated", json_string(now.s));
        json_object_set_new(vm, "metrics", vms_ref(&own));
        if (vms_refers_to(vm, "guest_metrics", &guest))
                record = objects_change_get(change, XAPI_VM_GUEST_METRICS, &guest);
        if (record) {
                json_t *its = json_copy(record);

                json_object_set_new(its, "uuid", json_string(uuid_format(&copy).s));
                objects_put(change, XAPI_VM_GUEST_METRICS, &copy, its);
                json_decref(record);
        }
        json_object_set_new(vm, "guest_metrics", record ? vms_ref(&copy) : json_string(XAPI_NULL_REF));
}

/* ---- copies of them -------------------------------------------------------------------------- */

const struct vms_part *vms_part_of_vbd(const struct vms_parts *parts, const struct uuid *vbd) {
        VEC_EACH (&parts->list, each) {
                if (uuid_equal(&each->vbd, vbd))
                        return each;
        }
        return NULL;
}

static bool has_disk(const json_t *vbd, struct uuid *ret_vdi) {
        return strcmp(vms_text(vbd, "type"), "CD") != 0 && vms_refers_to(vbd, "VDI", ret_vdi);
}

/* Where it is not there yet: what clients said of the disk holds of its copy as well, and the rest follows
 * from the SR. */
static void put_vdi(struct objects_change *change, const struct vms_part *part) {
        AUTO(json_decref) json_t *there = objects_change_get(change, XAPI_VDI, &part->made);
        AUTO(json_decref) json_t *old = objects_change_get(change, XAPI_VDI, &part->vdi);
        json_t *record;

        if (there || !old)
                return;
        record = json_copy(old);
        json_object_set_new(record, "uuid", json_string(uuid_format(&part->made).s));
        json_object_set_new(record, "location", json_string(uuid_format(&part->made).s));
        json_object_set_new(record, "SR", vms_ref(&part->to));
        json_object_set_new(record, "VBDs", json_array());
        json_object_set_new(record, "snapshots", json_array());
        json_object_set_new(record, "current_operations", json_object());
        objects_put(change, XAPI_VDI, &part->made, record);
}

static void copy_vbd(struct host *host, struct objects_change *change, const struct uuid *from,
                     const struct uuid *to, const struct vms_parts *parts) {
        AUTO(json_decref) json_t *old = objects_change_get(change, XAPI_VBD, from);
        const struct vms_part *part = vms_part_of_vbd(parts, from);
        struct uuid uuid = vms_fresh_uuid(host), vdi;
        json_t *record;

        if (!old || (!part && has_disk(old, &vdi)))
                return;
        record = json_copy(old);
        json_object_set_new(record, "uuid", json_string(uuid_format(&uuid).s));
        json_object_set_new(record, "VM", vms_ref(to));
        if (part) {
                put_vdi(change, part);
                json_object_set_new(record, "VDI", vms_ref(&part->made));
        }
        json_object_set_new(record, "currently_attached", json_false());
        json_object_set_new(record, "current_operations", json_object());
        json_object_set_new(record, "device", json_string(""));
        vms_put_vbd(change, &uuid, record);
}

/* One of those that nobody was given: bit 1 of the first byte set, bit 0 clear. */
static json_t *fresh_mac(struct host *host) {
        uint8_t dice[6];
        char text[18];

        io_random(host->io, dice, sizeof dice);
        dice[0] = (uint8_t)((dice[0] | 2) & ~1U);
        (void)snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", dice[0], dice[1], dice[2], dice[3],
                       dice[4], dice[5]);
        return json_string(text);
}

static void copy_vif(struct host *host, struct objects_change *change, const struct uuid *from,
                     const struct uuid *to, bool keeps_mac) {
        AUTO(json_decref) json_t *old = objects_change_get(change, XAPI_VIF, from);
        struct uuid uuid = vms_fresh_uuid(host);
        json_t *record;

        if (!old)
                return;
        record = json_copy(old);
        json_object_set_new(record, "uuid", json_string(uuid_format(&uuid).s));
        json_object_set_new(record, "VM", vms_ref(to));
        json_object_set_new(record, "currently_attached", json_false());
        json_object_set_new(record, "current_operations", json_object());
        if (!keeps_mac) {
                json_object_set_new(record, "MAC", fresh_mac(host));
                json_object_set_new(record, "MAC_autogenerated", json_true());
        }
        vms_put_vif(change, &uuid, record);
}

void vms_copy_parts(struct host *host, struct objects_change *change, const json_t *from,
                    const struct uuid *to, const struct vms_parts *parts, bool keeps_macs) {
        json_t *refs, *ref;
        struct uuid uuid;
        size_t i;

        refs = json_object_get(from, "VBDs");
        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &uuid))
                        copy_vbd(host, change, &uuid, to, parts);
        }
        refs = json_object_get(from, "VIFs");
        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &uuid))
                        copy_vif(host, change, &uuid, to, keeps_macs);
        }
}

/* ---- where its disks are --------------------------------------------------------------------- */

static bool is_ignored(const struct vms_request *request, const struct uuid *vdi) {
        for (size_t i = 0; i < request->n_ignore; i++)
                if (uuid_equal(&request->ignore[i], vdi))
                        return true;
        return false;
}

static enum err add_part(struct host *host, const struct vms_request *request, const struct uuid *vbd,
                         struct vms_parts *ret, struct err_note *note) {
        AUTO(json_decref) json_t *record = objects_get(host->objects, XAPI_VBD, vbd);
        const struct host_sr *sr;
        struct vms_part *part;
        struct uuid vdi;

        if (!has_disk(record, &vdi) || is_ignored(request, &vdi))
                return ERR_NONE;
        sr = host_sr_of_vdi(host, &vdi);
        if (!sr)
                return err_set(note, ERR_NOT_FOUND, "VDI %s of the VM is in no SR", uuid_format(&vdi).s);
        part = vec_add(&ret->list);
        part->vbd = *vbd;
        part->vdi = vdi;
        part->sr = sr->uuid;
        part->to = uuid_is_null(&request->sr) ? sr->uuid : request->sr;
        part->made = vms_fresh_uuid(host);
        return ERR_NONE;
}

enum err vms_list_parts(struct host *host, const json_t *vm, const struct vms_request *request,
                        struct vms_parts *ret, struct err_note *note) {
        json_t *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &uuid) &&
                    add_part(host, request, &uuid, ret, note))
                        return note->code;
        }
        return ERR_NONE;
}
