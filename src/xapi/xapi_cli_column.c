// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli_column.h"

#include <stdio.h>
#include <string.h>

#include "xapi_method.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* Where xe has a name of its own, and where it looks further than the class. */
static const struct own {
        enum xapi_class_id class;
        const char *name, *field, *further; /* borrowed, static; further may be NULL */
} owns[] = {
        {XAPI_VDI, "sr-uuid", "SR", NULL},
        {XAPI_VDI, "sr-name-label", "SR", "name_label"},
        {XAPI_VDI, "vbd-uuids", "VBDs", NULL},
        {XAPI_VDI, "crashdump-uuids", "crash_dumps", NULL},
        {XAPI_VBD, "vm-uuid", "VM", NULL},
        {XAPI_VBD, "vm-name-label", "VM", "name_label"},
        {XAPI_VBD, "vdi-uuid", "VDI", NULL},
        {XAPI_VBD, "vdi-name-label", "VDI", "name_label"},
        {XAPI_PBD, "host-uuid", "host", NULL},
        {XAPI_PBD, "host-name-label", "host", "name_label"},
        {XAPI_PBD, "sr-uuid", "SR", NULL},
        {XAPI_PBD, "sr-name-label", "SR", "name_label"},
        {XAPI_SR, "host", "PBDs", "host.name_label"},
        {XAPI_VIF, "vm-uuid", "VM", NULL},
        {XAPI_VIF, "vm-name-label", "VM", "name_label"},
        {XAPI_VIF, "network-uuid", "network", NULL},
        {XAPI_VIF, "network-name-label", "network", "name_label"},
        {XAPI_PIF, "network-uuid", "network", NULL},
        {XAPI_PIF, "network-name-label", "network", "name_label"},
        {XAPI_PIF, "host-uuid", "host", NULL},
        {XAPI_PIF, "host-name-label", "host", "name_label"},
        {XAPI_NETWORK, "VIF-uuids", "VIFs", NULL},
        {XAPI_NETWORK, "PIF-uuids", "PIFs", NULL},
        {XAPI_HOST, "memory-total", "metrics", "memory_total"},
        {XAPI_HOST, "memory-free", "metrics", "memory_free"},
        {XAPI_HOST, "host-metrics-live", "metrics", "live"},
        {XAPI_VM, "memory-actual", "metrics", "memory_actual"},
        {XAPI_VM, "start-time", "metrics", "start_time"},
        {XAPI_VM, "install-time", "metrics", "install_time"},
        {XAPI_VM, "os-version", "guest_metrics", "os_version"},
        {XAPI_VM, "networks", "guest_metrics", "networks"},
        {XAPI_MESSAGE, "class", "cls", NULL},
};
enum { N_OWNS = sizeof owns / sizeof *owns };

static void make_own(const struct own *own, struct xapi_cli_column *ret) {
        *ret = (struct xapi_cli_column){.class = own->class,
                                        .field = xapi_field_find(own->class, own->field),
                                        .further = own->further};
        snprintf(ret->name, sizeof ret->name, "%s", own->name);
}

/* Its first row, if that is the field itself. */
static const struct own *own_of(enum xapi_class_id class, const struct xapi_field *field) {
        for (unsigned i = 0; i < N_OWNS; i++)
                if (owns[i].class == class && !owns[i].further && strcmp(owns[i].field, field->name) == 0)
                        return &owns[i];
        return NULL;
}

static void make(enum xapi_class_id class, const struct xapi_field *field, struct xapi_cli_column *ret) {
        const struct own *own = own_of(class, field);

        if (own) {
                make_own(own, ret);
                return;
        }
        *ret = (struct xapi_cli_column){.class = class, .field = field};
        snprintf(ret->name, sizeof ret->name, "%s", field->name);
        for (char *c = ret->name; *c; c++)
                *c = *c == '_' ? '-' : *c;
}

void xapi_cli_columns_all(enum xapi_class_id class, xapi_cli_columns *to) {
        for (const struct xapi_field *each = xapi_classes[class].fields; each->name; each++)
                make(class, each, vec_add(to));
        for (unsigned i = 0; i < N_OWNS; i++)
                if (owns[i].class == class && owns[i].further)
                        make_own(&owns[i], vec_add(to));
}

bool xapi_cli_column_find(enum xapi_class_id class, const char *name, struct xapi_cli_column *ret) {
        xapi_cli_columns all = {0};
        bool is_there = false;

        xapi_cli_columns_all(class, &all);
        VEC_EACH (&all, each) {
                if (strcmp(each->name, name) != 0)
                        continue;
                *ret = *each;
                is_there = true;
        }
        vec_fini(&all);
        return is_there;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

bool xapi_cli_is_map(const struct xapi_field *field) {
        return field->type == XAPI_MAP || field->type == XAPI_ENUM_MAP || field->type == XAPI_CHOICE_MAP ||
               field->type == XAPI_REF_MAP || field->type == XAPI_INT_MAP;
}

bool xapi_cli_is_set(const struct xapi_field *field) {
        return field->type == XAPI_STRINGS || field->type == XAPI_ENUMS || field->type == XAPI_REFS ||
               field->type == XAPI_INTS;
}

bool xapi_cli_can_set(const struct xapi_cli_column *column) {
        AUTO_FREE char *name = mem_format("%s.set_%s", xapi_classes[column->class].name, column->field->name);

        return !column->further && xapi_method_find(name).method;
}

const char *xapi_cli_kind(const struct xapi_cli_column *column) {
        bool can_set = xapi_cli_can_set(column);

        if (xapi_cli_is_map(column->field))
                return can_set ? "MRW" : "MRO";
        if (xapi_cli_is_set(column->field))
                return can_set ? "SRW" : "SRO";
        return can_set ? " RW" : " RO";
}

/* ---- words ----------------------------------------------------------------------------------- */

static const struct {
        enum xapi_class_id class;
        const char *field, *value, *word; /* borrowed, static */
} words[] = {
        {XAPI_VM, "power_state", "Halted", "halted"},   {XAPI_VM, "power_state", "Paused", "paused"},
        {XAPI_VM, "power_state", "Running", "running"}, {XAPI_VM, "power_state", "Suspended", "suspended"},
        {XAPI_VDI, "type", "system", "System"},         {XAPI_VDI, "type", "user", "User"},
        {XAPI_VDI, "type", "ephemeral", "Ephemeral"},   {XAPI_VDI, "type", "suspend", "Suspend"},
        {XAPI_VDI, "type", "crashdump", "Crashdump"},   {XAPI_VDI, "type", "ha_statefile", "HA statefile"},
        {XAPI_VDI, "type", "metadata", "Metadata"},     {XAPI_VDI, "type", "redo_log", "Redo log"},
        {XAPI_VDI, "type", "pvs_cache", "PVS cache"},   {XAPI_VDI, "type", "cbt_metadata", "CBT metadata"},
};
enum { N_WORDS = sizeof words / sizeof *words };

const char *xapi_cli_word(const struct xapi_cli_column *column, const char *value) {
        for (unsigned i = 0; i < N_WORDS; i++)
                if (words[i].class == column->class && strcmp(words[i].field, column->field->name) == 0 &&
                    strcmp(words[i].value, value) == 0)
                        return words[i].word;
        return value;
}
