// SPDX-License-Identifier: Apache-2.0
#include "xva_records.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

DEFINE_AUTO(json_t *, json_decref);

enum { OBJECTS_MAX = 100000 }; /* far more than one VM has; their ids fit */

void xva_records_fini(struct xva_records *records) {
        json_decref(TAKE(records->objects));
        vec_fini(&records->disks);
}

const struct xapi_field *xva_record_fields(const json_t *object) {
        const char *name = json_string_value(json_object_get(object, "class"));
        enum xapi_class_id class = name ? xapi_class_find(name) : XAPI_N_CLASSES;

        return class == XAPI_N_CLASSES ? NULL : xapi_classes[class].fields;
}

/* ---- gathering ------------------------------------------------------------------------------- */

struct gathering {
        struct objects *objects;  /* borrowed */
        struct xva_records *into; /* borrowed */
        json_t *ids;              /* owned; "OpaqueRef:…" -> "Ref:N" */
};

/* Its record, the gathering's, to be changed; NULL: it is there already, or ref refers to nothing. */
static json_t *add(struct gathering *gathering, enum xapi_class_id class, const char *ref) {
        size_t n = json_array_size(gathering->into->objects);
        char id[XVA_REF_MAX + 1];
        struct uuid uuid;
        json_t *record, *object;

        if (!ref || !xapi_ref_parse(ref, &uuid) || json_object_get(gathering->ids, ref) || n >= OBJECTS_MAX)
                return NULL;
        AUTO(json_decref) json_t *shared = objects_get(gathering->objects, class, &uuid);

        record = shared ? json_deep_copy(shared) : xapi_record_new(class, &uuid);
        snprintf(id, sizeof id, "Ref:%zu", n);
        object =
                json_pack("{s:s, s:s, s:o}", "class", xapi_classes[class].name, "id", id, "snapshot", record);
        json_array_append_new(gathering->into->objects, object);
        json_object_set_new(gathering->ids, ref, json_string(id));
        return record;
}

static const char *text_of(const json_t *record, const char *field) {
        return json_string_value(json_object_get(record, field));
}

/* The disk behind a VBD.  What lies in a drive stays where it is; of it there is just the record. */
static void add_disk(struct gathering *gathering, const json_t *vbd) {
        const char *ref = text_of(vbd, "VDI"), *type = text_of(vbd, "type");
        json_t *vdi = add(gathering, XAPI_VDI, ref);
        struct xva_record_disk *disk;

        if (!vdi)
                return;
        if (!type || strcmp(type, "CD") != 0) {
                disk = vec_add(&gathering->into->disks);
                (void)xapi_ref_parse(ref, &disk->vdi);
                disk->record = vdi;
                snprintf(disk->ref, sizeof disk->ref, "%s",
                         json_string_value(json_object_get(gathering->ids, ref)));
        }
        (void)add(gathering, XAPI_SR, text_of(vdi, "SR"));
}

static void add_all(struct gathering *gathering, json_t *vm) {
        json_t *ref, *record;
        size_t i;

        json_array_foreach(json_object_get(vm, "VBDs"), i, ref) {
                record = add(gathering, XAPI_VBD, json_string_value(ref));
                if (record)
                        add_disk(gathering, record);
        }
        json_array_foreach(json_object_get(vm, "VIFs"), i, ref) {
                record = add(gathering, XAPI_VIF, json_string_value(ref));
                if (record)
                        (void)add(gathering, XAPI_NETWORK, text_of(record, "network"));
        }
        (void)add(gathering, XAPI_VM_GUEST_METRICS, text_of(vm, "guest_metrics"));
}

/* ---- references ------------------------------------------------------------------------------ */

/* Borrowed; NULL: it does not go with it. */
static json_t *id_of(const json_t *ids, const json_t *ref) {
        const char *text = json_string_value(ref);

        return text ? json_object_get(ids, text) : NULL;
}

static json_t *refer_set(const json_t *ids, const json_t *refs) {
        json_t *set = json_array(), *each, *id;
        size_t i;

        json_array_foreach(refs, i, each) {
                id = id_of(ids, each);
                if (id)
                        json_array_append(set, id);
        }
        return set;
}

static json_t *refer(const json_t *ids, const json_t *value, const struct xapi_field *field) {
        json_t *id;

        switch ((int)field->type) {
        case XAPI_REF:
                id = id_of(ids, value);
                return id ? json_incref(id) : json_string(XAPI_NULL_REF);
        case XAPI_REFS:
                return refer_set(ids, value);
        case XAPI_REF_MAP:
                return json_object();
        default:
                return strcmp(field->name, "current_operations") == 0 ? json_object() : NULL;
        }
}

static void refer_record(const json_t *ids, json_t *object) {
        json_t *record = json_object_get(object, "snapshot");

        for (const struct xapi_field *field = xva_record_fields(object); field->name; field++) {
                json_t *value = refer(ids, json_object_get(record, field->name), field);

                if (value)
                        json_object_set_new(record, field->name, value);
        }
}

/* As text: Ref:10 comes before Ref:4. */
static int compare_disks(const void *a, const void *b) {
        return strcmp(((const struct xva_record_disk *)a)->ref, ((const struct xva_record_disk *)b)->ref);
}

enum err xva_records_gather(struct objects *objects, const struct uuid *uuid, struct xva_records *ret,
                            struct err_note *note) {
        AUTO(json_decref) json_t *vm = objects_get(objects, XAPI_VM, uuid), *ids = json_object();
        AUTO(xva_records_fini) struct xva_records records = {.objects = json_array()};
        struct gathering gathering = {objects, &records, ids};
        json_t *object;
        size_t i;

        if (!vm)
                return err_set(note, ERR_NOT_FOUND, "VM %s is not there", uuid_format(uuid).s);
        add_all(&gathering, add(&gathering, XAPI_VM, xapi_ref_of(uuid).s));
        if (json_array_size(records.objects) >= OBJECTS_MAX)
                return err_set(note, ERR_TOO_LARGE, "VM %s has more than %d parts", uuid_format(uuid).s,
                               OBJECTS_MAX);
        json_array_foreach(records.objects, i, object) refer_record(ids, object);
        if (records.disks.n > 0)
                qsort(records.disks.data, records.disks.n, sizeof *records.disks.data, compare_disks);
        *ret = records;
        records = (struct xva_records){0};
        return ERR_NONE;
}
