// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "vms_inside.h"

enum { DEVICES_SHOWN = 16, DEVICES_MAX = 255 };

/* ---- making ---------------------------------------------------------------------------------- */

/* Fields that follow from what is done, and are not said. */
static bool is_own(const char *field) {
        static const char *const own[] = {"uuid",
                                          "allowed_operations",
                                          "current_operations",
                                          "VBDs",
                                          "VIFs",
                                          "VUSBs",
                                          "VTPMs",
                                          "VGPUs",
                                          "attached_PCIs",
                                          "consoles",
                                          "crash_dumps",
                                          "power_state",
                                          "resident_on",
                                          "domid",
                                          "metrics",
                                          "guest_metrics",
                                          "is_a_snapshot",
                                          "snapshot_of",
                                          "snapshots",
                                          "snapshot_time",
                                          "snapshot_info",
                                          "parent",
                                          "children",
                                          "is_control_domain",
                                          "is_default_template"};

        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
                if (strcmp(own[i], field) == 0)
                        return true;
        return false;
}

static json_t *record_of(const struct vms_options *options, const struct uuid *uuid) {
        json_t *record = xapi_record_new(XAPI_VM, uuid), *value;
        const char *field;

        json_object_set_new(record, "power_state", json_string("Halted"));
        json_object_set_new(record, "name_label",
                            json_string(options->name ? options->name : uuid_format(uuid).s));
        json_object_set_new(record, "name_description",
                            json_string(options->description ? options->description : ""));
        json_object_foreach(options->fields, field, value) {
                if (xapi_field_find(XAPI_VM, field) && !is_own(field))
                        json_object_set(record, field, value);
        }
        return record;
}

static enum err need_disks(struct host *host, const struct vms_disk *disks, size_t n, struct err_note *note) {
        for (size_t i = 0; i < n; i++)
                if (!host_sr_of_vdi(host, &disks[i].vdi))
                        return err_set(note, ERR_NOT_FOUND, "no VDI %s is here",
                                       uuid_format(&disks[i].vdi).s);
        return ERR_NONE;
}

/* ---- devices --------------------------------------------------------------------------------- */

static bool is_taken(struct objects_change *change, const json_t *vm, const char *device) {
        json_t *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                AUTO(json_decref)
                json_t *vbd = xapi_ref_parse(json_string_value(ref), &uuid)
                                      ? objects_change_get(change, XAPI_VBD, &uuid)
                                      : NULL;

                if (strcmp(vms_text(vbd, "userdevice"), device) == 0)
                        return true;
        }
        return false;
}

static bool is_device(const char *text) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);

        return *text >= '0' && *text <= '9' && *end == 0 && number <= DEVICES_MAX &&
               (*text != '0' || text[1] == 0);
}

/* The caller's to free; NULL with an error. */
static char *choose_device(struct objects_change *change, const json_t *vm, const char *wanted,
                           struct err_note *note) {
        bool is_any = !wanted || !*wanted || strcmp(wanted, "autodetect") == 0;

        for (unsigned i = 0; is_any && i <= DEVICES_MAX; i++) {
                AUTO_FREE char *device = mem_format("%u", i);

                if (!is_taken(change, vm, device))
                        return TAKE(device);
        }
        if (is_any)
                (void)err_set(note, ERR_TOO_LARGE, "VM %s has %d disks already", vms_text(vm, "name_label"),
                              DEVICES_MAX + 1);
        else if (!is_device(wanted))
                (void)err_set(note, ERR_INVALID, "\"%s\" is no userdevice: 0 to %d", wanted, DEVICES_MAX);
        else if (is_taken(change, vm, wanted))
                (void)err_set(note, ERR_EXISTS, "VM %s has a disk %s already", vms_text(vm, "name_label"),
                              wanted);
        else
                return mem_text(wanted);
        return NULL;
}

json_t *vms_free_devices(struct host *host, const struct uuid *vm) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *record = objects_get(host->objects, XAPI_VM, vm);
        json_t *list = json_array();

        objects_begin(host->objects, &change);
        for (unsigned i = 0; record && i < DEVICES_SHOWN; i++) {
                AUTO_FREE char *device = mem_format("%u", i);

                if (!is_taken(change, record, device))
                        json_array_append_new(list, json_string(device));
        }
        return list;
}

json_t *vms_vbds_of_vdi(struct objects *objects, const struct uuid *vdi) {
        AUTO(json_decref) json_t *all = objects_all(objects, XAPI_VBD);
        json_t *list = json_array(), *record;
        const char *ref;
        struct uuid its;

        json_object_foreach(all, ref, record) {
                if (vms_refers_to(record, "VDI", &its) && uuid_equal(&its, vdi))
                        json_array_append_new(list, json_string(ref));
        }
        return list;
}

/* ---- VBDs ------------------------------------------------------------------------------------ */

/* takes record: without a userdevice that is settled. */
static enum err attach_in(struct objects_change *change, const struct uuid *uuid, json_t *record,
                          struct err_note *note) {
        AUTO(json_decref) json_t *vm = NULL, *own = record;
        AUTO_FREE char *device = NULL;
        struct uuid vm_uuid;

        if (!vms_refers_to(own, "VM", &vm_uuid))
                return err_set(note, ERR_INVALID, "a VBD without a VM cannot be");
        if (vms_change_need(change, XAPI_VM, &vm_uuid, &vm, note))
                return note->code;
        device = choose_device(change, vm, vms_text(own, "userdevice"), note);
        if (!device)
                return note->code;
        json_object_set_new(own, "userdevice", json_string(device));
        vms_put_vbd(change, uuid, json_incref(own));
        return ERR_NONE;
}

static json_t *record_of_disk(const struct uuid *uuid, const struct uuid *vm, const struct vms_disk *disk) {
        json_t *record = xapi_record_new(XAPI_VBD, uuid);

        json_object_set_new(record, "VM", vms_ref(vm));
        json_object_set_new(record, "VDI", vms_ref(&disk->vdi));
        json_object_set_new(record, "userdevice", json_string(disk->userdevice ? disk->userdevice : ""));
        json_object_set_new(record, "mode", json_string(disk->is_read_only ? "RO" : "RW"));
        json_object_set_new(record, "type", json_string("Disk"));
        json_object_set_new(record, "bootable", json_boolean(disk->is_bootable));
        json_object_set_new(record, "unpluggable", json_true());
        json_object_set_new(record, "allowed_operations", json_pack("[s]", "attach"));
        return record;
}

enum err vms_attach(struct host *host, const struct uuid *vm, const struct vms_disk *disk,
                    struct uuid *ret_vbd, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid = vms_fresh_uuid(host);

        if (need_disks(host, disk, 1, note))
                return note->code;
        objects_begin(host->objects, &change);
        if (attach_in(change, &uuid, record_of_disk(&uuid, vm, disk), note) ||
            objects_commit(TAKE(change), NULL, note))
                return err_wrap(note, "attach VDI %s", uuid_format(&disk->vdi).s);
        *ret_vbd = uuid;
        return ERR_NONE;
}

enum err vms_vbd_create(struct host *host, json_t *fields, struct uuid *ret_vbd, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid = vms_fresh_uuid(host), vdi;
        json_t *record, *value;
        const char *field;

        if (vms_refers_to(fields, "VDI", &vdi) && need_disks(host, &(struct vms_disk){.vdi = vdi}, 1, note))
                return err_wrap(note, "make a VBD");
        record = xapi_record_new(XAPI_VBD, &uuid);
        json_object_foreach(fields, field, value) {
                if (xapi_field_find(XAPI_VBD, field) && strcmp(field, "uuid") != 0)
                        json_object_set(record, field, value);
        }
        json_object_set_new(record, "currently_attached", json_false());
        json_object_set_new(record, "allowed_operations", json_pack("[s]", "attach"));
        objects_begin(host->objects, &change);
        if (attach_in(change, &uuid, record, note) || objects_commit(TAKE(change), NULL, note))
                return err_wrap(note, "make a VBD");
        *ret_vbd = uuid;
        return ERR_NONE;
}

enum err vms_vbd_destroy(struct host *host, const struct uuid *vbd, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *record = NULL;

        objects_begin(host->objects, &change);
        if (vms_change_need(change, XAPI_VBD, vbd, &record, note))
                return note->code;
        if (json_is_true(json_object_get(record, "currently_attached")))
                return err_set(note, ERR_BUSY, "VBD %s is attached to a VM that runs", uuid_format(vbd).s);
        vms_remove_vbd(change, vbd);
        return objects_commit(TAKE(change), NULL, note);
}

enum err vms_detach(struct host *host, const struct uuid *vm, const struct uuid *vdi, struct err_note *note) {
        AUTO(json_decref) json_t *record = NULL;
        json_t *refs, *ref;
        struct uuid uuid, its;
        size_t i;

        if (vms_need(host, XAPI_VM, vm, &record, note))
                return note->code;
        refs = json_object_get(record, "VBDs");
        json_array_foreach(refs, i, ref) {
                AUTO(json_decref)
                json_t *vbd = xapi_ref_parse(json_string_value(ref), &uuid)
                                      ? objects_get(host->objects, XAPI_VBD, &uuid)
                                      : NULL;

                if (vms_refers_to(vbd, "VDI", &its) && uuid_equal(&its, vdi))
                        return vms_vbd_destroy(host, &uuid, note);
        }
        return err_set(note, ERR_NOT_FOUND, "VDI %s is no disk of VM %s", uuid_format(vdi).s,
                       vms_text(record, "name_label"));
}

/* ---- VMs ------------------------------------------------------------------------------------- */

static enum err create_in(struct host *host, struct objects_change *change, const struct vms_options *options,
                          const struct uuid *uuid, struct err_note *note) {
        json_t *record = record_of(options, uuid);

        vms_put_metrics(host, change, record);
        objects_put(change, XAPI_VM, uuid, record);
        for (size_t i = 0; i < options->n_disks; i++) {
                struct uuid vbd = vms_fresh_uuid(host);

                if (attach_in(change, &vbd, record_of_disk(&vbd, uuid, &options->disks[i]), note))
                        return note->code;
        }
        vms_refresh_allowed(change, uuid);
        return ERR_NONE;
}

enum err vms_create(struct host *host, const struct vms_options *options, struct uuid *ret,
                    struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid uuid = vms_fresh_uuid(host);

        if (need_disks(host, options->disks, options->n_disks, note))
                return err_wrap(note, "make a VM");
        objects_begin(host->objects, &change);
        if (create_in(host, change, options, &uuid, note) || objects_commit(TAKE(change), NULL, note))
                return err_wrap(note, "make a VM");
        *ret = uuid;
        return ERR_NONE;
}

/* What came after it stands on what it stood on. */
static void unlink_vm(struct objects_change *change, const struct uuid *uuid, const json_t *vm) {
        json_t *refs = json_object_get(vm, "children"), *ref;
        struct uuid of, parent = {{0}}, child;
        size_t i;

        if (vms_refers_to(vm, "snapshot_of", &of))
                vms_refs_remove(change, XAPI_VM, &of, "snapshots", uuid);
        if (vms_refers_to(vm, "parent", &parent))
                vms_refs_remove(change, XAPI_VM, &parent, "children", uuid);
        json_array_foreach(refs, i, ref) {
                if (!xapi_ref_parse(json_string_value(ref), &child))
                        continue;
                (void)objects_set(change, XAPI_VM, &child, "parent", vms_ref(&parent));
                if (!uuid_is_null(&parent))
                        vms_refs_add(change, XAPI_VM, &parent, "children", &child);
        }
}

static enum err refuse_running(const json_t *vm, struct err_note *note) {
        const char *state = vms_text(vm, "power_state");

        if (strcmp(state, "Running") != 0 && strcmp(state, "Paused") != 0)
                return ERR_NONE;
        return err_set(note, ERR_INVALID, "VM %s is %s", vms_text(vm, "name_label"), state);
}

enum err vms_remove_records(struct host *host, const struct uuid *uuid, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *vm = NULL;

        objects_begin(host->objects, &change);
        if (vms_change_need(change, XAPI_VM, uuid, &vm, note))
                return note->code;
        vms_remove_parts(change, vm);
        unlink_vm(change, uuid, vm);
        (void)objects_remove(change, XAPI_VM, uuid);
        return objects_commit(TAKE(change), NULL, note);
}

/* Disks that no VBD names any more; the VM is gone by now. */
static enum err delete_disks(struct host *host, struct vms_parts *parts, struct err_note *note) {
        for (size_t i = parts->list.n; i-- > 0;) {
                AUTO(json_decref) json_t *vbds = vms_vbds_of_vdi(host->objects, &parts->list.data[i].vdi);

                parts->list.data[i].made = parts->list.data[i].vdi;
                if (json_array_size(vbds))
                        vec_remove_at(&parts->list, i);
        }
        if (vms_delete_made(host, parts, note))
                return err_wrap(note, "the VM is gone; delete its disks");
        return ERR_NONE;
}

/* Those that are somewhere: a disk that is lost keeps nobody from deleting its VM. */
static void list_disks(struct host *host, const json_t *vm, struct vms_parts *ret) {
        json_t *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid vbd, vdi;
        size_t i;

        json_array_foreach(refs, i, ref) {
                AUTO(json_decref)
                json_t *record = xapi_ref_parse(json_string_value(ref), &vbd)
                                         ? objects_get(host->objects, XAPI_VBD, &vbd)
                                         : NULL;
                const struct host_sr *sr =
                        vms_refers_to(record, "VDI", &vdi) ? host_sr_of_vdi(host, &vdi) : NULL;

                if (sr && strcmp(vms_text(record, "type"), "CD") != 0)
                        *vec_add(&ret->list) =
                                (struct vms_part){.vbd = vbd, .vdi = vdi, .sr = sr->uuid, .to = sr->uuid};
        }
}

enum err vms_destroy(struct host *host, const struct uuid *uuid, bool with_disks, struct err_note *note) {
        AUTO(vms_operation_end) struct vms_operation operation = {0};
        AUTO(vms_parts_fini) struct vms_parts parts = {0};
        AUTO(json_decref) json_t *vm = NULL;

        if (vms_operation_begin(host, uuid, "destroy", &operation, note) ||
            vms_need(host, XAPI_VM, uuid, &vm, note) || refuse_running(vm, note))
                return err_wrap(note, "delete VM %s", uuid_format(uuid).s);
        if (with_disks)
                list_disks(host, vm, &parts);
        if (vms_remove_records(host, uuid, note) || delete_disks(host, &parts, note))
                return err_wrap(note, "delete VM %s", uuid_format(uuid).s);
        return ERR_NONE;
}

/* ---- state ----------------------------------------------------------------------------------- */

json_t *vms_allowed_operations(const json_t *vm) {
        static const char *const of_snapshot = "clone copy export destroy revert create_template";
        static const char *const of_template = "clone copy export destroy snapshot provision";
        static const char *const halted =
                "snapshot clone copy export destroy start start_on make_into_template";
        static const char *const up =
                "snapshot clean_shutdown hard_shutdown clean_reboot hard_reboot suspend pause";
        static const char *const paused = "snapshot unpause hard_shutdown";
        static const char *const suspended = "snapshot clone copy export destroy resume hard_shutdown";
        const char *state = vms_text(vm, "power_state");
        const char *names = json_is_true(json_object_get(vm, "is_a_snapshot"))   ? of_snapshot
                            : json_is_true(json_object_get(vm, "is_a_template")) ? of_template
                            : strcmp(state, "Running") == 0                      ? up
                            : strcmp(state, "Paused") == 0                       ? paused
                            : strcmp(state, "Suspended") == 0                    ? suspended
                                                                                 : halted;
        json_t *list = json_array();

        while (*names) {
                size_t n = strcspn(names, " ");

                json_array_append_new(list, json_stringn(names, n));
                names += n + (names[n] == ' ');
        }
        return list;
}

void vms_refresh_allowed(struct objects_change *change, const struct uuid *vm) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VM, vm);

        (void)objects_set(change, XAPI_VM, vm, "allowed_operations", vms_allowed_operations(record));
}

static void set_attached(struct objects_change *change, const struct uuid *vbd, bool is_attached) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VBD, vbd);
        char device[] = "xvda";
        unsigned long number = strtoul(vms_text(record, "userdevice"), NULL, 10);
        bool has_name = is_attached && number < 26;

        if (!record)
                return;
        device[3] = (char)('a' + number % 26);
        (void)objects_set(change, XAPI_VBD, vbd, "currently_attached", json_boolean(is_attached));
        (void)objects_set(change, XAPI_VBD, vbd, "device", json_string(has_name ? device : ""));
}

static bool is_state(const char *state) {
        return strcmp(state, "Halted") == 0 || strcmp(state, "Paused") == 0 ||
               strcmp(state, "Running") == 0 || strcmp(state, "Suspended") == 0;
}

static void set_state(struct host *host, struct objects_change *change, const struct uuid *vm,
                      const json_t *record, const char *state) {
        bool is_up = strcmp(state, "Running") == 0 || strcmp(state, "Paused") == 0;
        json_t *refs = json_object_get(record, "VBDs"), *ref;
        struct uuid vbd;
        size_t i;

        (void)objects_set(change, XAPI_VM, vm, "power_state", json_string(state));
        (void)objects_set(change, XAPI_VM, vm, "resident_on",
                          is_up ? vms_ref(&host->uuid) : json_string(XAPI_NULL_REF));
        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &vbd))
                        set_attached(change, &vbd, is_up);
        }
        vms_refresh_allowed(change, vm);
}

enum err vms_set_power_state(struct host *host, const struct uuid *vm, const char *state,
                             struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(json_decref) json_t *record = NULL;

        if (!is_state(state))
                return err_set(note, ERR_INVALID,
                               "\"%s\" is no power state: Halted, Paused, Running, Suspended", state);
        objects_begin(host->objects, &change);
        if (vms_change_need(change, XAPI_VM, vm, &record, note))
                return note->code;
        if (json_is_true(json_object_get(record, "is_a_snapshot")) ||
            json_is_true(json_object_get(record, "is_a_template")))
                return err_set(note, ERR_INVALID, "VM %s is a snapshot or a template: nothing that runs",
                               vms_text(record, "name_label"));
        set_state(host, change, vm, record, state);
        return objects_commit(TAKE(change), NULL, note);
}
