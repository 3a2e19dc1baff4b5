// SPDX-License-Identifier: Apache-2.0
#include "vm_verbs.h"

#include <string.h>

#include "mem.h"
#include "registry.h"
#include "sr_call.h"
#include "vms_inside.h"

/* ---- who is meant ---------------------------------------------------------------------------- */

static enum err need_host(const struct verb_call *call, struct err_note *note) {
        if (call->host)
                return ERR_NONE;
        return err_set(note, ERR_UNSUPPORTED,
                       "VMs are kept by a daemon: start catenad, or say where it is by --socket");
}

enum err vm_call_find(struct verb_call *call, const char *param, struct uuid *ret, struct err_note *note) {
        if (need_host(call, note))
                return note->code;
        return vms_find(call->host, call_text(call, param), ret, note);
}

/* By name in one SR; *ret_has says whether it is there. */
static enum err find_in(const struct host_sr *sr, const char *text, bool *ret_has, struct uuid *ret,
                        struct err_note *note) {
        const struct vdi *vdi;
        enum err failed;

        turn_take(sr->turn, "vm");
        failed = sr_find_vdi(sr->sr, text, &vdi, note);
        *ret_has = failed == ERR_NONE;
        if (*ret_has)
                *ret = vdi->row.uuid;
        turn_give_unchanged(sr->turn);
        return failed == ERR_NOT_FOUND ? ERR_NONE : failed;
}

static enum err find_vdi(struct host *host, const char *text, struct uuid *ret, struct err_note *note) {
        struct uuid found, first = {{0}};
        bool has;

        for (size_t i = 0; i < host->n_srs; i++) {
                if (find_in(&host->srs[i], text, &has, &found, note))
                        return note->code;
                if (has && !uuid_is_null(&first))
                        return err_set(note, ERR_INVALID,
                                       "two VDIs are named \"%s\": %s and %s; say which by its uuid", text,
                                       uuid_format(&first).s, uuid_format(&found).s);
                if (has)
                        first = found;
        }
        if (uuid_is_null(&first))
                return err_set(note, ERR_NOT_FOUND, "no VDI has the name or uuid \"%s\"", text);
        *ret = first;
        return ERR_NONE;
}

enum err vm_call_find_sr(struct verb_call *call, const char *param, struct uuid *ret, struct err_note *note) {
        const char *text = call_text(call, param);
        AUTO_FREE char *path = NULL, *canonical = NULL;
        bool unused;

        if (registry_resolve(call->io, call->state_dir, text, &path, &unused, note) ||
            io_canonical(call->io, path, &canonical, note))
                return note->code;
        for (size_t i = 0; i < call->host->n_srs; i++) {
                if (strcmp(sr_where(call->host->srs[i].sr), canonical) != 0)
                        continue;
                *ret = call->host->srs[i].uuid;
                return ERR_NONE;
        }
        return err_set(note, ERR_NOT_FOUND, "SR %s is none of this daemon's", text);
}

#define VM_PARAM(text)                                                                                       \
        {                                                                                                    \
                .name = "vm", .kind = PARAM_TEXT, .flags = PARAM_POSITIONAL | PARAM_REQUIRED, .shown = "VM", \
                .help = text                                                                                 \
        }

static const struct field made_fields[] = {{"uuid", FIELD_UUID, "of the new VM", false}, {0}};
static const struct field vm_fields[] = {{"uuid", FIELD_UUID, "of the VM", false}, {0}};

/* ---- create, delete -------------------------------------------------------------------------- */

static const struct param create_params[] = {
        {.name = "name",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "NAME",
         .help = "Its name."},
        {.name = "disk",
         .kind = PARAM_TEXT,
         .flags = PARAM_REPEATED,
         .shown = "VDI",
         .help = "A disk of it: uuid or name; can be given again. The first is disk 0, from which it boots."},
        DESCRIPTION_PARAM,
        {0},
};

static enum err list_disks(struct verb_call *call, struct vms_disk *ret, size_t n, struct err_note *note) {
        for (size_t i = 0; i < n; i++) {
                const char *text = json_string_value(json_array_get(call_list(call, "disk"), i));

                if (find_vdi(call->host, text, &ret[i].vdi, note))
                        return note->code;
                ret[i].is_bootable = i == 0;
        }
        return ERR_NONE;
}

static enum err run_create(struct verb_call *call, struct err_note *note) {
        size_t n = json_array_size(call_list(call, "disk"));
        AUTO_FREE struct vms_disk *disks = mem_zero((n + 1) * sizeof *disks);
        struct vms_options options = {.name = call_text(call, "name"),
                                      .description = call_text(call, "description"),
                                      .disks = disks,
                                      .n_disks = n};
        struct uuid uuid;

        if (need_host(call, note) || list_disks(call, disks, n, note) ||
            vms_create(call->host, &options, &uuid, note))
                return note->code;
        sr_call_put_uuid(call, &uuid);
        return ERR_NONE;
}

static const struct verb create_verb = {
        .name = "create",
        .summary = "Makes a VM of disks.",
        .details = "A VM is a record: it groups disks, so that they are snapshotted, copied and backed up "
                   "together. Prints its uuid.",
        .params = create_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_create,
        .needs_host = true,
};

static const struct param delete_params[] = {
        VM_PARAM("The VM or snapshot: its uuid or name."),
        {.name = "disks", .kind = PARAM_FLAG, .help = "Its disks too, but those that another VM has."},
        {0},
};

static enum err run_delete(struct verb_call *call, struct err_note *note) {
        struct uuid vm;

        if (vm_call_find(call, "vm", &vm, note))
                return note->code;
        sr_call_put_uuid(call, &vm);
        return vms_destroy(call->host, &vm, call_flag(call, "disks"), note);
}

static const struct verb delete_verb = {
        .name = "delete",
        .summary = "Deletes a VM or a snapshot of one.",
        .details = "Its disks stay, unless --disks says otherwise.",
        .params = delete_params,
        .shape = SHAPE_NOTHING,
        .fields = vm_fields,
        .run = run_delete,
        .needs_host = true,
};

/* ---- list, show ------------------------------------------------------------------------------ */

static const struct field row_fields[] = {
        {"uuid", FIELD_UUID, "of the VM", false},
        {"name", FIELD_TEXT, "as it was named", false},
        {"state", FIELD_TEXT, "Halted, Running, Paused or Suspended, as it was told", false},
        {"disks", FIELD_NUMBER, "how many it has", false},
        {"snapshot_of", FIELD_UUID, "of which VM it is a snapshot; null: of none", false},
        {0},
};
static const struct param no_params[] = {{0}};
static const struct param vm_params[] = {VM_PARAM("The VM or snapshot: its uuid or name."), {0}};

static json_t *json_of_ref(const json_t *record, const char *field) {
        struct uuid uuid;

        return vms_refers_to(record, field, &uuid) ? sr_json_of_uuid(&uuid) : json_null();
}

static json_t *row_of(const json_t *record) {
        json_t *row = json_object();

        json_object_set_new(row, "uuid", json_string(vms_text(record, "uuid")));
        json_object_set_new(row, "name", json_string(vms_text(record, "name_label")));
        json_object_set_new(row, "state", json_string(vms_text(record, "power_state")));
        json_object_set_new(row, "disks",
                            json_integer((json_int_t)json_array_size(json_object_get(record, "VBDs"))));
        json_object_set_new(row, "snapshot_of", json_of_ref(record, "snapshot_of"));
        return row;
}

static enum err run_list(struct verb_call *call, struct err_note *note) {
        AUTO(json_decref) json_t *all = NULL;
        json_t *rows, *record;
        const char *ref;

        if (need_host(call, note))
                return note->code;
        rows = json_array();
        all = objects_all(call->host->objects, XAPI_VM);
        json_object_foreach(all, ref, record) {
                json_array_append_new(rows, row_of(record));
        }
        call_put(call, "vms", rows);
        return ERR_NONE;
}

static const struct verb list_verb = {
        .name = "list",
        .summary = "Lists VMs and their snapshots.",
        .params = no_params,
        .shape = SHAPE_TABLE,
        .rows = "vms",
        .fields = row_fields,
        .run = run_list,
        .needs_host = true,
};

static const struct field show_fields[] = {
        {"uuid", FIELD_UUID, "of the VM", false},
        {"name", FIELD_TEXT, "as it was named", false},
        {"description", FIELD_TEXT, "as it was described", false},
        {"state", FIELD_TEXT, "Halted, Running, Paused or Suspended, as it was told", false},
        {"snapshot_of", FIELD_UUID, "of which VM it is a snapshot; null: of none", false},
        {"snapshot_time", FIELD_TEXT, "when it was taken; empty: it is none", false},
        {"vbds", FIELD_OBJECT, "its disks: a list of {device, vdi, read_only}", false},
        {"snapshots", FIELD_OBJECT, "a list of uuids", false},
        {0},
};

static json_t *json_of_disks(struct host *host, const json_t *vm) {
        json_t *list = json_array(), *refs = json_object_get(vm, "VBDs"), *ref;
        struct uuid uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                AUTO(json_decref)
                json_t *vbd = xapi_ref_parse(json_string_value(ref), &uuid)
                                      ? objects_get(host->objects, XAPI_VBD, &uuid)
                                      : NULL;
                json_t *o;

                if (!vbd)
                        continue;
                o = json_object();
                json_object_set_new(o, "device", json_string(vms_text(vbd, "userdevice")));
                json_object_set_new(o, "vdi", json_of_ref(vbd, "VDI"));
                json_object_set_new(o, "read_only", json_boolean(strcmp(vms_text(vbd, "mode"), "RO") == 0));
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *json_of_refs(const json_t *record, const char *field) {
        json_t *list = json_array(), *refs = json_object_get(record, field), *ref;
        struct uuid uuid;
        size_t i;

        json_array_foreach(refs, i, ref) {
                if (xapi_ref_parse(json_string_value(ref), &uuid))
                        json_array_append_new(list, sr_json_of_uuid(&uuid));
        }
        return list;
}

static enum err run_show(struct verb_call *call, struct err_note *note) {
        AUTO(json_decref) json_t *record = NULL;
        bool is_snapshot;
        struct uuid vm;

        if (vm_call_find(call, "vm", &vm, note) || vms_need(call->host, XAPI_VM, &vm, &record, note))
                return note->code;
        is_snapshot = json_is_true(json_object_get(record, "is_a_snapshot"));
        sr_call_put_uuid(call, &vm);
        call_put(call, "name", json_string(vms_text(record, "name_label")));
        call_put(call, "description", json_string(vms_text(record, "name_description")));
        call_put(call, "state", json_string(vms_text(record, "power_state")));
        call_put(call, "snapshot_of", json_of_ref(record, "snapshot_of"));
        call_put(call, "snapshot_time", json_string(is_snapshot ? vms_text(record, "snapshot_time") : ""));
        call_put(call, "vbds", json_of_disks(call->host, record));
        call_put(call, "snapshots", json_of_refs(record, "snapshots"));
        return ERR_NONE;
}

static const struct verb show_verb = {
        .name = "show",
        .summary = "Shows a VM, its disks and its snapshots.",
        .params = vm_params,
        .shape = SHAPE_RECORD,
        .fields = show_fields,
        .run = run_show,
        .needs_host = true,
};

/* ---- set ------------------------------------------------------------------------------------- */

static const struct param set_params[] = {
        VM_PARAM("The VM or snapshot: its uuid or name."),
        {.name = "name", .kind = PARAM_TEXT, .help = "Its new name."},
        DESCRIPTION_PARAM,
        {.name = "state",
         .kind = PARAM_CHOICE,
         .choices = "Halted|Running|Paused|Suspended",
         .help = "What it does, as whoever runs it knows: nothing here starts or stops it."},
        {0},
};

static enum err set_texts(struct verb_call *call, const struct uuid *vm, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;

        objects_begin(call->host->objects, &change);
        if (call_has(call, "name"))
                (void)objects_set(change, XAPI_VM, vm, "name_label", json_string(call_text(call, "name")));
        if (call_has(call, "description"))
                (void)objects_set(change, XAPI_VM, vm, "name_description",
                                  json_string(call_text(call, "description")));
        return objects_commit(TAKE(change), NULL, note);
}

static enum err run_set(struct verb_call *call, struct err_note *note) {
        struct uuid vm;

        if (vm_call_find(call, "vm", &vm, note))
                return note->code;
        if (call_has(call, "state") && vms_set_power_state(call->host, &vm, call_text(call, "state"), note))
                return note->code;
        sr_call_put_uuid(call, &vm);
        return set_texts(call, &vm, note);
}

static const struct verb set_verb = {
        .name = "set",
        .summary = "Sets a VM's name, description or state.",
        .params = set_params,
        .shape = SHAPE_NOTHING,
        .fields = vm_fields,
        .run = run_set,
        .needs_host = true,
};

/* ---- disks ----------------------------------------------------------------------------------- */

static const struct field vbd_fields[] = {{"uuid", FIELD_UUID, "of the VBD, which ties the two", false}, {0}};
static const struct param attach_params[] = {
        VM_PARAM("The VM: its uuid or name."),
        VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."),
        {.name = "device", .kind = PARAM_TEXT, .shown = "N", .help = "Which disk of it; the first free one."},
        {.name = "read-only", .kind = PARAM_FLAG, .help = "It is not written by this VM."},
        {0},
};
static const struct param detach_params[] = {
        VM_PARAM("The VM: its uuid or name."), VDI_PARAM("vdi", "VDI", "The disk: its uuid or name."), {0}};

static enum err run_attach(struct verb_call *call, struct err_note *note) {
        struct vms_disk disk = {.userdevice = call_text(call, "device"),
                                .is_read_only = call_flag(call, "read-only")};
        struct uuid vm, vbd;

        if (vm_call_find(call, "vm", &vm, note) ||
            find_vdi(call->host, call_text(call, "vdi"), &disk.vdi, note) ||
            vms_attach(call->host, &vm, &disk, &vbd, note))
                return note->code;
        sr_call_put_uuid(call, &vbd);
        return ERR_NONE;
}

static const struct verb attach_verb = {
        .name = "attach",
        .summary = "Gives a VM a disk.",
        .params = attach_params,
        .shape = SHAPE_NOTHING,
        .fields = vbd_fields,
        .run = run_attach,
        .needs_host = true,
};

static bool is_called(struct host *host, const struct uuid *uuid, const char *text) {
        const struct host_sr *sr = host_sr_of_vdi(host, uuid);
        const struct vdi *vdi;
        bool is = false;

        if (!sr)
                return false;
        turn_take(sr->turn, "vm detach");
        vdi = sr_get_vdi(sr->sr, uuid);
        is = vdi && strcmp(vdi->row.name, text) == 0;
        turn_give_unchanged(sr->turn);
        return is;
}

/* By uuid, also where it is gone from its SR; or by its name, which only this VM's disks must not share. */
static enum err find_disk(struct host *host, const struct uuid *vm, const char *text, struct uuid *ret,
                          struct err_note *note) {
        AUTO(json_decref) json_t *record = objects_get(host->objects, XAPI_VM, vm), *disks = NULL;
        struct uuid uuid, found = {{0}};
        json_t *disk;
        size_t i;

        if (uuid_parse(text, ret))
                return ERR_NONE;
        disks = json_of_disks(host, record);
        json_array_foreach(disks, i, disk) {
                const char *its = json_string_value(json_object_get(disk, "vdi"));

                if (!its || !uuid_parse(its, &uuid) || !is_called(host, &uuid, text))
                        continue;
                if (!uuid_is_null(&found))
                        return err_set(note, ERR_INVALID, "two disks of it are named \"%s\": %s and %s", text,
                                       uuid_format(&found).s, its);
                found = uuid;
        }
        *ret = found;
        return uuid_is_null(&found) ? err_set(note, ERR_NOT_FOUND, "it has no disk named \"%s\"", text)
                                    : ERR_NONE;
}

static enum err run_detach(struct verb_call *call, struct err_note *note) {
        struct uuid vm, vdi;

        if (vm_call_find(call, "vm", &vm, note) ||
            find_disk(call->host, &vm, call_text(call, "vdi"), &vdi, note))
                return note->code;
        sr_call_put_uuid(call, &vm);
        return vms_detach(call->host, &vm, &vdi, note);
}

static const struct verb detach_verb = {
        .name = "detach",
        .summary = "Takes a disk from a VM; the disk stays.",
        .params = detach_params,
        .shape = SHAPE_NOTHING,
        .fields = vm_fields,
        .run = run_detach,
        .needs_host = true,
};

/* ---- snapshot, clone, copy, revert ----------------------------------------------------------- */

static const struct param make_params[] = {
        VM_PARAM("The VM: its uuid or name."),
        {.name = "name", .kind = PARAM_TEXT, .help = "Of the new one; as the VM where not given."},
        DESCRIPTION_PARAM,
        {0},
};
static const struct param copy_params[] = {
        VM_PARAM("The VM or snapshot: its uuid or name."),
        {.name = "to",
         .kind = PARAM_TEXT,
         .shown = "SR",
         .help = "Where all disks go; else each stays in its SR."},
        {.name = "name", .kind = PARAM_TEXT, .help = "Of the new one; as the VM where not given."},
        DESCRIPTION_PARAM,
        {0},
};

typedef enum err (*make_verb)(struct host *, const struct vms_request *, struct uuid *, struct err_note *);

static enum err run_make(struct verb_call *call, make_verb make, const struct uuid *to,
                         struct err_note *note) {
        struct vms_request request = {.name = call_text(call, "name"),
                                      .description = call_text(call, "description"),
                                      .sr = *to,
                                      .progress = call->progress};
        struct uuid made;

        if (vm_call_find(call, "vm", &request.vm, note) || make(call->host, &request, &made, note))
                return note->code;
        sr_call_put_uuid(call, &made);
        return ERR_NONE;
}

/* What people make of a snapshot is to be used. */
static enum err be_no_template(struct verb_call *call, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid vm;

        (void)!uuid_parse(json_string_value(json_object_get(call->result, "uuid")), &vm);
        objects_begin(call->host->objects, &change);
        (void)objects_set(change, XAPI_VM, &vm, "is_a_template", json_false());
        vms_refresh_allowed(change, &vm);
        return objects_commit(TAKE(change), NULL, note);
}

static enum err run_snapshot(struct verb_call *call, struct err_note *note) {
        return run_make(call, vms_snapshot, &(struct uuid){{0}}, note);
}

static enum err run_clone(struct verb_call *call, struct err_note *note) {
        if (run_make(call, vms_clone, &(struct uuid){{0}}, note))
                return note->code;
        return be_no_template(call, note);
}

static enum err run_copy(struct verb_call *call, struct err_note *note) {
        struct uuid to = {{0}};

        if (need_host(call, note) || (call_has(call, "to") && vm_call_find_sr(call, "to", &to, note)) ||
            run_make(call, vms_copy, &to, note))
                return note->code;
        return be_no_template(call, note);
}

static const struct verb snapshot_verb = {
        .name = "snapshot",
        .summary = "Takes a snapshot of all disks of a VM, at one instant.",
        .details = "Of a VM that runs, too: what it wrote is stopped for a moment, and no disk is ahead of "
                   "another. "
                   "All of it is there or nothing. Prints the snapshot's uuid.",
        .params = make_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_snapshot,
        .needs_host = true,
};

static const struct verb clone_verb = {
        .name = "clone",
        .summary = "Makes a VM whose disks share what a halted VM or a snapshot holds.",
        .details = "Prints its uuid.",
        .params = make_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_clone,
        .needs_host = true,
};

static const struct verb copy_verb = {
        .name = "copy",
        .summary = "Makes a VM whose disks are copies of those of a halted VM or a snapshot.",
        .details = "They share nothing with the old ones. Prints its uuid.",
        .params = copy_params,
        .shape = SHAPE_UUID,
        .fields = made_fields,
        .run = run_copy,
        .needs_host = true,
};

static const struct param revert_params[] = {
        {.name = "snapshot",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "SNAPSHOT",
         .help = "The snapshot of a VM: its uuid or name."},
        {0},
};

static enum err run_revert(struct verb_call *call, struct err_note *note) {
        struct uuid snapshot;

        if (vm_call_find(call, "snapshot", &snapshot, note))
                return note->code;
        sr_call_put_uuid(call, &snapshot);
        return vms_revert(call->host, &snapshot, note);
}

static const struct verb revert_verb = {
        .name = "revert",
        .summary = "Gives a VM the disks and settings that a snapshot holds.",
        .details = "What its disks held is deleted; nobody may have them open. Its name stays. Disks that it "
                   "got since "
                   "are detached, and stay.",
        .params = revert_params,
        .shape = SHAPE_NOTHING,
        .fields = vm_fields,
        .run = run_revert,
        .needs_host = true,
};

const struct verb *const vm_verbs[] = {
        &create_verb,   &list_verb,   &show_verb,  &set_verb,  &delete_verb,    &attach_verb,    &detach_verb,
        &snapshot_verb, &revert_verb, &clone_verb, &copy_verb, &vm_export_verb, &vm_import_verb, NULL,
};
