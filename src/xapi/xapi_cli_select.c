// SPDX-License-Identifier: Apache-2.0
#include "xapi_cli_select.h"

#include <string.h>
#include <strings.h>

#include "xapi_cli.h"

/* ---- kinds ----------------------------------------------------------------------------------- */

static bool is(const json_t *record, const char *field) {
        return json_is_true(json_object_get(record, field));
}

static bool is_vm(const json_t *record) {
        return !is(record, "is_a_template") && !is(record, "is_a_snapshot");
}

static bool is_snapshot(const json_t *record) {
        return is(record, "is_a_snapshot");
}

static bool is_template(const json_t *record) {
        return is(record, "is_a_template") && !is(record, "is_a_snapshot");
}

#define NAMES "uuid,name-label,name-description"

const struct xapi_cli_kind xapi_cli_kinds[] = {
        {"vdi", XAPI_VDI, NAMES ",sr-uuid,virtual-size,sharable,read-only", NULL},
        {"vm", XAPI_VM, "uuid,name-label,power-state", is_vm},
        {"snapshot", XAPI_VM, NAMES, is_snapshot},
        {"template", XAPI_VM, NAMES, is_template},
        {"sr", XAPI_SR, NAMES ",host,type,content-type", NULL},
        {"vbd", XAPI_VBD, "uuid,vm-uuid,vm-name-label,vdi-uuid,empty,device", NULL},
        {"pbd", XAPI_PBD, "uuid,host-uuid,sr-uuid,device-config,currently-attached", NULL},
        {"vif", XAPI_VIF, "uuid,vm-uuid,device,MAC,network-uuid,network-name-label", NULL},
        {"network", XAPI_NETWORK, NAMES ",bridge", NULL},
        {"pif", XAPI_PIF, "uuid,device,currently-attached,VLAN,network-uuid", NULL},
        {"sm", XAPI_SM, NAMES ",type,vendor,version", NULL},
        {"host", XAPI_HOST, NAMES, NULL},
        {"pool", XAPI_POOL, NAMES ",master,default-SR", NULL},
        {"task", XAPI_TASK, NAMES ",status,progress", NULL},
        {"message", XAPI_MESSAGE, "uuid,name,priority,class,obj-uuid,timestamp,body", NULL},
        {0},
};

const struct xapi_cli_kind *xapi_cli_kind_named(const char *name) {
        const struct xapi_cli_kind *kind = xapi_cli_kinds;

        while (kind->name && strcmp(kind->name, name) != 0)
                kind++;
        return kind->name ? kind : NULL;
}

/* ---- columns --------------------------------------------------------------------------------- */

bool xapi_cli_column_named(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *name,
                           struct xapi_cli_column *ret) {
        if (xapi_cli_column_find(kind->class, name, ret))
                return true;
        (void)xapi_cli_fail(cli, "Unknown field of a %s: %s", kind->name, name);
        return false;
}

bool xapi_cli_columns_choose(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *names,
                             xapi_cli_columns *ret) {
        AUTO_FREE char *copy = mem_text(names);
        char *at = copy;

        if (strcmp(names, "all") == 0) {
                xapi_cli_columns_all(kind->class, ret);
                return true;
        }
        for (char *name; (name = strsep(&at, ","));)
                if (!xapi_cli_column_named(cli, kind, name, vec_add(ret)))
                        return false;
        return true;
}

void xapi_cli_print_record(struct xapi_cli *cli, const xapi_cli_columns *columns, const json_t *record) {
        AUTO(buf_fini) struct buf text = {0};

        xapi_cli_add_record(cli, &text, columns, record);
        xapi_cli_print(cli, "%s\n", buf_text(&text));
}

/* ---- filters --------------------------------------------------------------------------------- */

bool xapi_cli_is_own_word(const char *name) {
        static const char *const words[] = {"username", "password", "session_id", "minimal", "params",
                                            "multiple", "database", "all",        "trace",   "progress"};

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
                if (strcmp(words[i], name) == 0)
                        return true;
        return false;
}

bool xapi_cli_filters_make(struct xapi_cli *cli, const struct xapi_cli_kind *kind, bool is_strict,
                           const char *but, xapi_cli_filters *ret) {
        VEC_EACH (&cli->ask.named, each) {
                const char *colon = strchr(each->name, ':');
                size_t n = strcspn(each->name, ":");
                AUTO_FREE char *name = mem_format("%.*s", (int)n, each->name);
                struct xapi_cli_filter filter = {.key = colon ? colon + 1 : NULL, .value = each->value};

                if (xapi_cli_is_own_word(each->name) || (but && strcmp(each->name, but) == 0))
                        continue;
                if (xapi_cli_column_find(kind->class, name, &filter.column))
                        *vec_add(ret) = filter;
                else if (is_strict)
                        return xapi_cli_column_named(cli, kind, name, &filter.column);
        }
        return true;
}

static bool contains(const json_t *set, const char *wanted) {
        const json_t *each;
        size_t i;

        json_array_foreach(set, i, each) {
                if (json_is_string(each) && strcmp(json_string_value(each), wanted) == 0)
                        return true;
        }
        return false;
}

static bool matches_one(struct xapi_cli *cli, const struct xapi_cli_filter *filter, const json_t *record) {
        const struct xapi_field *field = filter->column.field;
        const json_t *value = json_object_get(record, field->name);
        AUTO_FREE char *text = NULL;
        const char *there;

        if (filter->key && xapi_cli_is_set(field))
                return strcmp(filter->key, "contains") == 0 && contains(value, filter->value);
        if (filter->key) {
                there = json_string_value(json_object_get(value, filter->key));
                return there && strcmp(there, filter->value) == 0;
        }
        text = xapi_cli_shown(cli, &filter->column, record);
        if (field->type == XAPI_ENUM)
                return strcasecmp(text, filter->value) == 0;
        return strcmp(text, filter->value) == 0;
}

/* Of VMs, snapshots and templates only those of the kind, unless it is said otherwise. */
static bool is_usual(const struct xapi_cli *cli, const struct xapi_cli_kind *kind, const json_t *record) {
        return !kind->has || xapi_cli_named(&cli->ask, "uuid") ||
               xapi_cli_named(&cli->ask, "is-a-template") || xapi_cli_named(&cli->ask, "is-a-snapshot") ||
               kind->has(record);
}

bool xapi_cli_matches(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const xapi_cli_filters *filters,
                      const json_t *record) {
        VEC_EACH (filters, each) {
                if (matches_one(cli, each, record) == each->is_not)
                        return false;
        }
        return is_usual(cli, kind, record);
}

json_t *xapi_cli_select(struct xapi_cli *cli, const struct xapi_cli_kind *kind,
                        const xapi_cli_filters *filters) {
        AUTO_FREE char *method = mem_format("%s.get_all_records", xapi_classes[kind->class].name);
        AUTO(json_decref) json_t *all = xapi_cli_call(cli, method, json_array());
        AUTO(json_decref) json_t *chosen = json_object();
        json_t *record;
        const char *ref;

        if (!all)
                return NULL;
        json_object_foreach(all, ref, record) {
                if (xapi_cli_matches(cli, kind, filters, record))
                        json_object_set(chosen, ref, record);
        }
        return TAKE(chosen);
}

/* ---- one VM ---------------------------------------------------------------------------------- */

/* takes all */
static char *only_one(struct xapi_cli *cli, const char *kind, json_t *all) {
        AUTO(json_decref) json_t *chosen = all;

        if (!chosen)
                return NULL;
        if (json_object_size(chosen) == 1)
                return mem_text(json_object_iter_key(json_object_iter(chosen)));
        if (json_object_size(chosen))
                (void)xapi_cli_fail(cli, "Multiple matching %ss found: give the uuid of one", kind);
        else
                (void)xapi_cli_fail(cli, "No matching %ss found", kind);
        return NULL;
}

static bool text_is(const json_t *record, const char *field, const char *text) {
        return strcmp(json_string_value(json_object_get(record, field)), text) == 0;
}

/* By uuid, whatever kind of VM it is, or else by a name among the kind. */
static char *named_one(struct xapi_cli *cli, const struct xapi_cli_kind *kind, const char *said,
                       const char *name) {
        AUTO(json_decref) json_t *all = xapi_cli_call(cli, "VM.get_all_records", json_array());
        AUTO(json_decref) json_t *chosen = all ? json_object() : NULL;
        json_t *record;
        const char *ref;

        json_object_foreach(all, ref, record) {
                if (text_is(record, "uuid", name))
                        return mem_text(ref);
                if (text_is(record, "name_label", name) && kind->has(record))
                        json_object_set(chosen, ref, record);
        }
        return only_one(cli, said, TAKE(chosen));
}

static char *filtered_one(struct xapi_cli *cli, const struct xapi_cli_kind *kind) {
        xapi_cli_filters filters = {0};
        char *one = NULL;

        (void)xapi_cli_filters_make(cli, kind, false, NULL, &filters);
        if (filters.n)
                one = only_one(cli, "VM", xapi_cli_select(cli, kind, &filters));
        else
                (void)xapi_cli_misused(cli, "Required parameter not found", kind->name);
        vec_fini(&filters);
        return one;
}

char *xapi_cli_vm(struct xapi_cli *cli) {
        const char *name = xapi_cli_named(&cli->ask, "vm");
        const struct xapi_cli_kind *kind = xapi_cli_kind_named("vm");

        return name ? named_one(cli, kind, "VM", name) : filtered_one(cli, kind);
}

char *xapi_cli_snapshot(struct xapi_cli *cli) {
        static const char *const names[] = {"snapshot-uuid", "uuid", "snapshot"};
        const struct xapi_cli_kind *kind = xapi_cli_kind_named("snapshot");
        AUTO_FREE char *ref = NULL;
        AUTO(json_decref) json_t *record = NULL;
        const char *name = NULL;

        for (unsigned i = 0; !name && i < sizeof names / sizeof *names; i++)
                name = xapi_cli_named(&cli->ask, names[i]);
        if (!name) {
                (void)xapi_cli_misused(cli, "Required parameter not found", names[0]);
                return NULL;
        }
        ref = named_one(cli, kind, kind->name, name);
        record = ref ? xapi_cli_call(cli, "VM.get_record", json_pack("[s]", ref)) : NULL;
        if (!record)
                return NULL;
        if (kind->has(record))
                return TAKE(ref);
        (void)xapi_cli_fail(cli, "%s is no snapshot", name);
        return NULL;
}
