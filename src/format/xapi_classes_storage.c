// SPDX-License-Identifier: Apache-2.0
/* Storage: repositories, their plugs and drivers, disks, and disks in machines. */
#include "xapi_classes.h"

#define STORAGE_OPERATIONS                                                                                   \
        "scan|destroy|forget|plug|unplug|update|vdi_create|vdi_introduce|vdi_destroy|vdi_resize|"            \
        "vdi_clone|vdi_snapshot|vdi_mirror|vdi_enable_cbt|vdi_disable_cbt|vdi_data_destroy|"                 \
        "vdi_list_changed_blocks|vdi_set_on_boot|pbd_create|pbd_destroy"
#define VDI_OPERATIONS                                                                                       \
        "clone|copy|resize|resize_online|snapshot|mirror|destroy|forget|update|force_unlock|"                \
        "generate_config|enable_cbt|disable_cbt|data_destroy|list_changed_blocks|set_on_boot|"               \
        "blocked"
#define VDI_TYPE                                                                                             \
        "system|user|ephemeral|suspend|crashdump|ha_statefile|metadata|redo_log|rrd|pvs_cache|"              \
        "cbt_metadata"
#define VBD_OPERATIONS "attach|eject|insert|plug|unplug|unplug_force|pause|unpause"

const struct xapi_field xapi_sr_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "name_label", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "name_description", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "allowed_operations", .type = XAPI_ENUMS, .of = STORAGE_OPERATIONS},
        {.name = "current_operations", .type = XAPI_ENUM_MAP, .of = STORAGE_OPERATIONS},
        {.name = "VDIs", .type = XAPI_REFS, .of = "VDI"},
        {.name = "PBDs", .type = XAPI_REFS, .of = "PBD"},
        {.name = "virtual_allocation", .type = XAPI_INT},
        {.name = "physical_utilisation", .type = XAPI_INT},
        {.name = "physical_size", .type = XAPI_INT, .access = XAPI_CONSTRUCTED},
        {.name = "type", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "content_type", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "shared", .type = XAPI_BOOL},
        {.name = "other_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "tags", .type = XAPI_STRINGS, .access = XAPI_WRITABLE},
        {.name = "sm_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "blobs", .type = XAPI_REF_MAP, .of = "blob"},
        {.name = "local_cache_enabled", .type = XAPI_BOOL},
        {.name = "introduced_by", .type = XAPI_REF, .of = "DR_task"},
        {.name = "clustered", .type = XAPI_BOOL},
        {.name = "is_tools_sr", .type = XAPI_BOOL},
        {0},
};

const struct xapi_field xapi_pbd_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "host", .type = XAPI_REF, .access = XAPI_CONSTRUCTED, .of = "host", .is_required = true},
        {.name = "SR", .type = XAPI_REF, .access = XAPI_CONSTRUCTED, .of = "SR", .is_required = true},
        {.name = "device_config", .type = XAPI_MAP, .access = XAPI_CONSTRUCTED},
        {.name = "currently_attached", .type = XAPI_BOOL},
        {.name = "other_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {0},
};

const struct xapi_field xapi_sm_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "name_label", .type = XAPI_STRING},
        {.name = "name_description", .type = XAPI_STRING},
        {.name = "type", .type = XAPI_STRING},
        {.name = "vendor", .type = XAPI_STRING},
        {.name = "copyright", .type = XAPI_STRING},
        {.name = "version", .type = XAPI_STRING},
        {.name = "required_api_version", .type = XAPI_STRING},
        {.name = "configuration", .type = XAPI_MAP},
        {.name = "capabilities", .type = XAPI_STRINGS},
        {.name = "features", .type = XAPI_INT_MAP},
        {.name = "other_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "driver_filename", .type = XAPI_STRING},
        {.name = "required_cluster_stack", .type = XAPI_STRINGS},
        {.name = "host_pending_features", .type = XAPI_INT_MAP},
        {.name = "supported_image_formats", .type = XAPI_STRINGS},
        {0},
};

const struct xapi_field xapi_vdi_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "name_label", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "name_description", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "allowed_operations", .type = XAPI_ENUMS, .of = VDI_OPERATIONS},
        {.name = "current_operations", .type = XAPI_ENUM_MAP, .of = VDI_OPERATIONS},
        {.name = "SR", .type = XAPI_REF, .access = XAPI_CONSTRUCTED, .of = "SR", .is_required = true},
        {.name = "VBDs", .type = XAPI_REFS, .of = "VBD"},
        {.name = "crash_dumps", .type = XAPI_REFS, .of = "crashdump"},
        {.name = "virtual_size", .type = XAPI_INT, .access = XAPI_CONSTRUCTED, .is_required = true},
        {.name = "physical_utilisation", .type = XAPI_INT},
        {.name = "type", .type = XAPI_ENUM, .access = XAPI_CONSTRUCTED, .fallback = "user", .of = VDI_TYPE},
        {.name = "sharable", .type = XAPI_BOOL, .access = XAPI_CONSTRUCTED},
        {.name = "read_only", .type = XAPI_BOOL, .access = XAPI_CONSTRUCTED},
        {.name = "other_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "storage_lock", .type = XAPI_BOOL},
        {.name = "location", .type = XAPI_STRING},
        {.name = "managed", .type = XAPI_BOOL, .fallback = "true"},
        {.name = "missing", .type = XAPI_BOOL},
        {.name = "parent", .type = XAPI_REF, .of = "VDI"},
        {.name = "xenstore_data", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "sm_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "is_a_snapshot", .type = XAPI_BOOL},
        {.name = "snapshot_of", .type = XAPI_REF, .of = "VDI"},
        {.name = "snapshots", .type = XAPI_REFS, .of = "VDI"},
        {.name = "snapshot_time", .type = XAPI_TIME},
        {.name = "tags", .type = XAPI_STRINGS, .access = XAPI_WRITABLE},
        {.name = "allow_caching", .type = XAPI_BOOL},
        {.name = "on_boot", .type = XAPI_ENUM, .fallback = "persist", .of = "reset|persist"},
        {.name = "metadata_of_pool", .type = XAPI_REF, .of = "pool"},
        {.name = "metadata_latest", .type = XAPI_BOOL},
        {.name = "is_tools_iso", .type = XAPI_BOOL},
        {.name = "cbt_enabled", .type = XAPI_BOOL},
        {0},
};

const struct xapi_field xapi_vbd_fields[] = {
        {.name = "uuid", .type = XAPI_STRING},
        {.name = "allowed_operations", .type = XAPI_ENUMS, .of = VBD_OPERATIONS},
        {.name = "current_operations", .type = XAPI_ENUM_MAP, .of = VBD_OPERATIONS},
        {.name = "VM", .type = XAPI_REF, .access = XAPI_CONSTRUCTED, .of = "VM", .is_required = true},
        {.name = "VDI", .type = XAPI_REF, .access = XAPI_CONSTRUCTED, .of = "VDI"},
        {.name = "device", .type = XAPI_STRING, .access = XAPI_CONSTRUCTED},
        {.name = "userdevice", .type = XAPI_STRING, .access = XAPI_WRITABLE},
        {.name = "bootable", .type = XAPI_BOOL, .access = XAPI_WRITABLE},
        {.name = "mode", .type = XAPI_ENUM, .access = XAPI_CONSTRUCTED, .fallback = "RW", .of = "RO|RW"},
        {.name = "type",
         .type = XAPI_ENUM,
         .access = XAPI_WRITABLE,
         .fallback = "Disk",
         .of = "CD|Disk|Floppy"},
        {.name = "unpluggable", .type = XAPI_BOOL, .access = XAPI_WRITABLE, .fallback = "true"},
        {.name = "storage_lock", .type = XAPI_BOOL},
        {.name = "empty", .type = XAPI_BOOL, .access = XAPI_CONSTRUCTED},
        {.name = "other_config", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "currently_attached", .type = XAPI_BOOL, .access = XAPI_CONSTRUCTED},
        {.name = "status_code", .type = XAPI_INT},
        {.name = "status_detail", .type = XAPI_STRING},
        {.name = "runtime_properties", .type = XAPI_MAP},
        {.name = "qos_algorithm_type", .type = XAPI_STRING, .access = XAPI_WRITABLE},
        {.name = "qos_algorithm_params", .type = XAPI_MAP, .access = XAPI_WRITABLE},
        {.name = "qos_supported_algorithms", .type = XAPI_STRINGS},
        {.name = "metrics", .type = XAPI_REF, .of = "VBD_metrics"},
        {0},
};
