// SPDX-License-Identifier: Apache-2.0
#include "xo_export_names.h"

#include <string.h>

#include "json_text.h"
#include "mem.h"
#include "text.h"
#include "vault_sum.h"
#include "xo_meta.h"

/* ---- uuids ---- */

/* Of version 8: what it is made of is our own matter. */
static struct uuid uuid_of(const char *what, const void *a, size_t n_a, const char *b, const char *c) {
        const struct span parts[] = {{(const uint8_t *)what, strlen(what) + 1},
                                     {a, n_a},
                                     {(const uint8_t *)b, strlen(b) + 1},
                                     {(const uint8_t *)c, strlen(c) + 1}};
        uint8_t sum[VAULT_SUM_SIZE];
        struct uuid uuid;

        vault_sum(parts, sizeof parts / sizeof *parts, sum);
        memcpy(uuid.b, sum, sizeof uuid.b);
        uuid.b[6] = (uint8_t)((uuid.b[6] & 0x0f) | 0x80);
        uuid.b[8] = (uint8_t)((uuid.b[8] & 0x3f) | 0x80);
        return uuid;
}

static const char *text_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

void xo_names_of(const struct vault *vault, const struct point *point, struct xo_names *ret) {
        const struct vault_name *id = &vault->config.id;

        ret->job = uuid_of("job", id, sizeof *id, "", "");
        if (!uuid_parse(text_of(point->manifest.vm, "uuid"), &ret->vm))
                ret->vm = uuid_of("vm", id, sizeof *id, point->manifest.name, "");
}

struct uuid xo_names_vdi(const struct xo_names *names, const struct vault_disk *disk) {
        struct uuid uuid;

        if (uuid_parse(text_of(json_object_get(disk->source, "xo"), "vdi"), &uuid) ||
            uuid_parse(disk->name, &uuid))
                return uuid;
        return uuid_of("vdi", &names->vm, sizeof names->vm, disk->name, "");
}

struct uuid xo_names_vhd(const struct vault *vault, const struct point *point,
                         const struct vault_disk *disk) {
        return uuid_of("vhd", &vault->config.id, sizeof vault->config.id, vault_name_format(&point->name).s,
                       disk->name);
}

/* ---- names ---- */

char *xo_names_time(int64_t unix_seconds) {
        const struct text time = text_time(unix_seconds);
        char *name = mem_zero(sizeof time.s), *to = name;

        for (const char *from = time.s; *from; from++)
                if (*from != '-' && *from != ':')
                        *to++ = *from;
        return name;
}

char *xo_names_origin(const struct vault *vault, const struct vault_name *point) {
        return mem_format("%s/%s", vault_name_format(&vault->config.id).s, vault_name_format(point).s);
}

char *xo_names_path(const struct xo_names *names, const struct vault_disk *disk, const char *when) {
        const struct uuid vdi = xo_names_vdi(names, disk);

        return mem_format("vdis/%s/%s/%s.vhd", uuid_format(&names->job).s, uuid_format(&vdi).s, when);
}

/* ---- metadata ---- */

static json_t *vdi_record(const struct xo_export_meta *meta, const struct vault_disk *disk) {
        const struct uuid vdi = xo_names_vdi(&meta->names, disk),
                          own = xo_names_vhd(meta->vault, meta->point, disk);
        const char *label = text_of(disk->source, "label");
        AUTO_FREE char *size = mem_format("%llu", (unsigned long long)round_up(disk->size, SECTOR));

        return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:b, s:{}, s:{}, s:{}, s:[]}", "uuid",
                         uuid_format(&own).s, "$snapshot_of$uuid", uuid_format(&vdi).s, "name_description",
                         "", "SR", "OpaqueRef:NULL", "name_label",
                         json_text_string(label[0] ? label : disk->name), "virtual_size", size, "type",
                         "user", "sharable", 0, "read_only", 0, "other_config", "xenstore_data", "sm_config",
                         "tags");
}

static json_t *vbd_record(const char *ref, size_t i) {
        AUTO_FREE char *place = mem_format("%zu", i);

        return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:b, s:b, s:{}, s:s, s:{}}", "VDI", ref,
                         "userdevice", place, "device", "", "bootable", i == 0, "mode", "RW", "type", "Disk",
                         "unpluggable", 0, "empty", 0, "other_config", "qos_algorithm_type", "",
                         "qos_algorithm_params");
}

/* As it was said, or what restoring cannot do without. */
static json_t *vm_record(const struct xo_export_meta *meta) {
        const json_t *said = meta->point->manifest.vm;
        json_t *vm = json_is_object(said) ? json_deep_copy(said) : json_object();

        json_object_set_new(vm, "uuid", json_string(uuid_format(&meta->names.vm).s));
        if (!json_is_string(json_object_get(vm, "name_label")))
                json_object_set_new(vm, "name_label", json_text_string(meta->point->manifest.name));
        if (!json_is_boolean(json_object_get(vm, "is_a_template")))
                json_object_set_new(vm, "is_a_template", json_false());
        if (!json_is_object(json_object_get(vm, "other_config")))
                json_object_set_new(vm, "other_config", json_object());
        return vm;
}

static json_t *take_vifs(json_t *vm) {
        json_t *vifs = json_incref(json_object_get(vm, XO_META_VIFS));

        json_object_del(vm, XO_META_VIFS);
        return json_is_object(vifs) ? vifs : (json_decref(vifs), json_object());
}

static void add_disks(const struct xo_export_meta *meta, json_t *vdis, json_t *vhds, json_t *vbds,
                      json_t *differ) {
        for (size_t i = 0; i < meta->point->manifest.disks.n; i++) {
                const struct vault_disk *disk = &meta->point->manifest.disks.data[i];
                const struct uuid own = xo_names_vhd(meta->vault, meta->point, disk);
                AUTO_FREE char *ref = mem_format("OpaqueRef:%s", uuid_format(&own).s);
                AUTO_FREE char *vbd = mem_format("%s-vbd", ref);
                AUTO_FREE char *path = xo_names_path(&meta->names, disk, meta->when);

                json_object_set_new(vdis, ref, vdi_record(meta, disk));
                json_object_set_new(vhds, ref, json_string(path));
                json_object_set_new(vbds, vbd, vbd_record(ref, i));
                json_object_set_new(differ, ref, json_boolean(meta->are_children[i]));
        }
}

json_t *xo_export_meta(const struct xo_export_meta *meta) {
        const struct uuid *job = &meta->names.job;
        AUTO_FREE char *origin = xo_names_origin(meta->vault, &meta->point->name);
        json_t *vdis = json_object(), *vhds = json_object(), *vbds = json_object(), *differ = json_object();
        json_t *vm = vm_record(meta), *vifs = take_vifs(vm);

        add_disks(meta, vdis, vhds, vbds, differ);
        return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:[], s:o, s:o, s:o, s:o, s:o, s:[], s:o, s:o, s:s}",
                         "version", "2.0.0", "mode", "delta", "jobId", uuid_format(job).s, "scheduleId",
                         uuid_format(job).s, "timestamp", (json_int_t)(meta->point->manifest.time * 1000),
                         "size", (json_int_t)meta->size, "tags", "isVhdDifferencing", differ, "vdis", vdis,
                         "vhds", vhds, "vbds", vbds, "vifs", vifs, "vtpms", "vm", vm, "vmSnapshot",
                         json_deep_copy(vm), XO_META_ORIGIN, origin);
}
