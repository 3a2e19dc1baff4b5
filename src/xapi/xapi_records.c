// SPDX-License-Identifier: Apache-2.0
#include "xapi_records.h"

#include <string.h>

#include "xapi_call.h"
#include "xapi_inside.h"

/* ---- uuids ----------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t n) {
        for (size_t i = 0; i < n; i++)
                hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
        return hash;
}

struct uuid xapi_derived_uuid(const struct uuid *of, const char *what) {
        uint8_t bytes[16];

        for (unsigned half = 0; half < 2; half++) {
                uint64_t hash = mix(UINT64_C(14695981039346656037) + half, what, strlen(what));

                hash = mix(hash, of->b, sizeof of->b);
                memcpy(bytes + 8 * half, &hash, 8);
        }
        return uuid_from_random(bytes);
}

struct uuid xapi_pbd_uuid(const struct host *host, const struct uuid *sr) {
        struct uuid uuid = xapi_derived_uuid(&host->uuid, "PBD");

        for (unsigned i = 0; i < sizeof uuid.b; i++)
                uuid.b[i] ^= sr->b[i];
        return uuid_from_random(uuid.b);
}

struct uuid xapi_metrics_uuid(const struct host *host) {
        return xapi_derived_uuid(&host->uuid, "host_metrics");
}

struct uuid xapi_sm_uuid(const struct host *host) {
        return xapi_derived_uuid(&host->uuid, "SM");
}

struct uuid xapi_network_uuid(const struct host *host) {
        return xapi_derived_uuid(&host->uuid, "network");
}

struct uuid xapi_pif_uuid(const struct host *host) {
        return xapi_derived_uuid(&host->uuid, "PIF");
}

static json_t *ref_of(const struct uuid *uuid) {
        return json_string(xapi_ref_of(uuid).s);
}

static json_t *refs_of(struct uuid uuid) {
        json_t *refs = json_array();

        json_array_append_new(refs, ref_of(&uuid));
        return refs;
}

/* ---- the host -------------------------------------------------------------------------------- */

static json_t *refs_of_pbds(const struct host *host) {
        json_t *refs = json_array();

        for (size_t i = 0; i < host->n_srs; i++) {
                struct uuid pbd = xapi_pbd_uuid(host, &host->srs[i].uuid);

                json_array_append_new(refs, ref_of(&pbd));
        }
        return refs;
}

/* The versions are those of the host whose API this is, since clients choose by them what to ask for. */
static json_t *software_version(void) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "product_brand", "Catena", "product_version",
                         "8.3.0", "platform_name", "Catena", "platform_version", "3.4.0", "xapi", "25.6",
                         "hostname", "localhost");
}

json_t *xapi_record_of_host(const struct host *host) {
        struct uuid metrics = xapi_metrics_uuid(host);

        return json_pack("{s:o, s:b, s:s, s:s, s:i, s:i, s:s, s:o, s:o, s:o, s:[s], s:b}", "metrics",
                         ref_of(&metrics), "enabled", 1, "hostname", host->self->host, "address",
                         host->address, "API_version_major", 2, "API_version_minor", 21, "API_version_vendor",
                         "Catena", "software_version", software_version(), "PBDs", refs_of_pbds(host), "PIFs",
                         refs_of(xapi_pif_uuid(host)), "capabilities", "vhd", "https_only",
                         host->certificate ? 1 : 0);
}

/* Clients take a host for running by this. */
json_t *xapi_record_of_metrics(const struct host *host) {
        return json_pack("{s:b, s:s}", "live", 1, "last_updated",
                         xapi_time_of(io_wall_ns(host->io) / 1000000000).s);
}

json_t *xapi_record_of_pool(const struct host *host) {
        return json_pack("{s:o}", "master", ref_of(&host->uuid));
}

json_t *xapi_record_of_sm(void) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[s, s, s, s, s, s], s:{s:i, s:i, s:i, s:i, s:i, "
                         "s:i}, s:[s]}",
                         "name_label", "Catena", "name_description",
                         "VHD files in a folder, as XCP-ng's file SR", "type", "file", "vendor", "Catena",
                         "version", "1.0", "required_api_version", "1.0", "capabilities", "VDI_CREATE",
                         "VDI_DELETE", "VDI_SNAPSHOT", "VDI_CLONE", "VDI_RESIZE", "SR_UPDATE", "features",
                         "VDI_CREATE", 1, "VDI_DELETE", 1, "VDI_SNAPSHOT", 1, "VDI_CLONE", 1, "VDI_RESIZE", 1,
                         "SR_UPDATE", 1, "supported_image_formats", "vhd");
}

json_t *xapi_record_of_network(const struct host *host) {
        return json_pack("{s:s, s:o}", "bridge", "xenbr0", "PIFs", refs_of(xapi_pif_uuid(host)));
}

json_t *xapi_record_of_pif(const struct host *host) {
        struct uuid network = xapi_network_uuid(host), pif = xapi_pif_uuid(host);
        AUTO_FREE char *mac =
                mem_format("02:%02x:%02x:%02x:%02x:%02x", pif.b[0], pif.b[1], pif.b[2], pif.b[3], pif.b[4]);

        return json_pack("{s:s, s:o, s:o, s:s, s:i, s:s, s:s, s:b, s:b, s:b}", "device", "eth0", "network",
                         ref_of(&network), "host", ref_of(&host->uuid), "MAC", mac, "VLAN", -1, "IP",
                         host->address, "ip_configuration_mode", "Static", "management", 1,
                         "currently_attached", 1, "physical", 1);
}

/* ---- SRs ------------------------------------------------------------------------------------- */

json_t *xapi_record_of_pbd(const struct host *host, const struct host_sr *sr) {
        return json_pack("{s:o, s:o, s:b, s:{s:s, s:s}}", "host", ref_of(&host->uuid), "SR",
                         ref_of(&sr->uuid), "currently_attached", 1, "device_config", "location",
                         sr_where(sr->sr), "preferred-image-formats", "vhd");
}

static uint64_t sizes_of_vdis(struct sr *sr) {
        uint64_t sum = 0;

        for (size_t i = 0; i < sr_n_vdis(sr); i++)
                sum += sr_vdi_at(sr, i)->node->size;
        return sum;
}

json_t *xapi_record_of_sr(const struct host *host, const struct host_sr *host_sr, json_t *vdis) {
        struct uuid pbd = xapi_pbd_uuid(host, &host_sr->uuid);
        const struct sr_row *row = sr_info(host_sr->sr);
        struct io_space space = {0};
        struct err_note unused;

        if (sr_space(host_sr->sr, &space, &unused))
                space = (struct io_space){0};
        return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:s, s:[s, s, s, s, s, s, s]}",
                         "name_label", json_of_text(row->name), "name_description",
                         json_of_text(row->description), "VDIs", json_incref(vdis), "PBDs", refs_of(pbd),
                         "virtual_allocation", (json_int_t)sizes_of_vdis(host_sr->sr), "physical_utilisation",
                         (json_int_t)(space.total - space.free), "physical_size", (json_int_t)space.total,
                         "type", "file", "content_type", "user", "allowed_operations", "scan", "update",
                         "vdi_create", "vdi_destroy", "vdi_resize", "vdi_clone", "vdi_snapshot");
}

/* ---- VDIs ------------------------------------------------------------------------------------ */

const char *const xapi_vdi_of_clients[] = {
        "type", "sharable", "other_config", "xenstore_data", "on_boot", "allow_caching", NULL};

bool xapi_is_derived_sm_config(const char *key) {
        return strcmp(key, "vhd-parent") == 0 || strcmp(key, "image-format") == 0;
}

static json_t *sm_config_of(const struct node *node) {
        json_t *config = json_pack("{s:s}", "image-format", node->kind == IMAGE_VHD ? "vhd" : "raw");

        if (node->parent)
                json_object_set_new(config, "vhd-parent", json_string(uuid_format(&node->parent->uuid).s));
        return config;
}

static void add_operations(json_t *all, const char *const *names) {
        for (; *names; names++)
                json_array_append_new(all, json_string(*names));
}

static json_t *operations_of(const struct vdi *vdi) {
        static const char *const of_metadata[] = {"update", "destroy", "data_destroy", "list_changed_blocks",
                                                  NULL};
        static const char *const of_snapshot[] = {"update", "clone", "copy", "destroy", NULL};
        static const char *const of_tracked[] = {"data_destroy", "list_changed_blocks", NULL};
        static const char *const of_disk[] = {"update", "clone",         "copy",    "snapshot",
                                              "resize", "resize_online", "destroy", NULL};
        json_t *all = json_array();

        if (!vdi)
                return all;
        if (vdi->is_metadata) {
                add_operations(all, of_metadata);
        } else if (vdi->row.is_snapshot) {
                add_operations(all, of_snapshot);
                if (vdi->row.has_cbt)
                        add_operations(all, of_tracked);
        } else {
                add_operations(all, of_disk);
                json_array_append_new(all, json_string(vdi->row.has_cbt ? "disable_cbt" : "enable_cbt"));
        }
        return all;
}

static json_t *tags_of(const struct vdi_row *row) {
        json_t *tags = json_array();

        VEC_EACH (&row->tags, tag)
                json_array_append_new(tags, json_of_text(*tag));
        return tags;
}

/* What only a VDI that users see has: names, and what it is a snapshot of. */
static void put_row(json_t *record, const struct vdi_row *row, bool has_origin) {
        struct uuid none = {{0}};

        json_object_set_new(record, "cbt_enabled", json_boolean(row->has_cbt));
        if (row->is_metadata) /* what it was before is the client's to say */
                json_object_set_new(record, "type", json_string("cbt_metadata"));

        json_object_set_new(record, "name_label", json_of_text(vdi_row_has_name(row) ? row->name : ""));
        json_object_set_new(record, "name_description", json_of_text(row->description));
        json_object_set_new(record, "tags", tags_of(row));
        json_object_set_new(record, "is_a_snapshot", json_boolean(row->is_snapshot));
        json_object_set_new(record, "snapshot_of",
                            ref_of(row->is_snapshot && has_origin ? &row->snapshot_of : &none));
        json_object_set_new(record, "snapshot_time",
                            json_string(xapi_time_of(row->is_snapshot ? row->snapshot_time : 0).s));
}

static void put_base_copy(json_t *record) {
        struct uuid none = {{0}};

        json_object_set_new(record, "name_label", json_string("base copy"));
        json_object_set_new(record, "name_description", json_string(""));
        json_object_set_new(record, "tags", json_array());
        json_object_set_new(record, "is_a_snapshot", json_false());
        json_object_set_new(record, "snapshot_of", ref_of(&none));
        json_object_set_new(record, "snapshot_time", json_string(xapi_time_of(0).s));
}

json_t *xapi_record_of_node(const struct host_sr *host_sr, const struct node *node,
                            const struct xapi_kin *kin) {
        const struct vdi *vdi = kin->vdi;
        json_t *record = json_pack(
                "{s:o, s:I, s:I, s:s, s:b, s:b, s:o, s:o, s:o}", "SR", ref_of(&host_sr->uuid), "virtual_size",
                (json_int_t)node->size, "physical_utilisation", (json_int_t)node->allocated, "location",
                uuid_format(&node->uuid).s, "managed", vdi != NULL, "missing", node->error.code != ERR_NONE,
                "sm_config", sm_config_of(node), "allowed_operations", operations_of(vdi), "snapshots",
                kin->snapshots ? json_incref(kin->snapshots) : json_array());

        if (vdi)
                put_row(record, &vdi->row, kin->has_origin);
        else
                put_base_copy(record);
        return record;
}
